"""People and programs that may use the panel and the API: operators, sign-ins, tokens, audit."""

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Operator(Row):
    """A person who signs in to the panel; `password` is an argon2id hash."""

    __tablename__ = "operator"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    login: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    password: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16), default="owner")  # owner, operator, viewer
    created_at: Mapped[float] = mapped_column(Float)


class SignIn(Row):
    """A signed-in browser; `id` is the sha256 of its cookie."""

    __tablename__ = "sign_in"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    operator_id: Mapped[str] = mapped_column(ForeignKey("operator.id", ondelete="CASCADE"))
    csrf: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float)


class ApiToken(Row):
    """A bearer token of the REST API; `id` is the sha256 of the token, `hint` its last four characters."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    hint: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[float] = mapped_column(Float)


class Audit(Row):
    """One change made by a person or a program."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_time", "created_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    created_at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(200), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


async def count_operators(conn: AsyncConnection) -> int:
    """How many operators exist; none means that set-up is still to do."""
    return int((await conn.execute(select(func.count()).select_from(Operator))).scalar_one())


async def find_operator(conn: AsyncConnection, login: str) -> Any | None:
    """An operator by login."""
    query = select(Operator.__table__).where(Operator.login == login)
    return (await conn.execute(query)).one_or_none()


async def add_operator(conn: AsyncConnection, **values: Any) -> str:
    """Insert an operator; returns its id."""
    row = {"id": new_id(), "created_at": now(), **values}
    await conn.execute(insert(Operator).values(row))
    return str(row["id"])


async def all_operators(conn: AsyncConnection) -> list[Any]:
    """Every operator, oldest first."""
    return list((await conn.execute(select(Operator.__table__).order_by(Operator.created_at))).all())


async def delete_operator(conn: AsyncConnection, operator_id: str) -> None:
    """Delete an operator with their sign-ins."""
    await conn.execute(delete(Operator).where(Operator.id == operator_id))


async def add_sign_in(conn: AsyncConnection, **values: Any) -> None:
    """Insert a sign-in; clears out expired ones."""
    await conn.execute(delete(SignIn).where(SignIn.expires_at < now()))
    await conn.execute(insert(SignIn).values({"created_at": now(), **values}))


async def find_sign_in(conn: AsyncConnection, sign_in_id: str) -> Any | None:
    """A live sign-in with its operator: columns of both, the operator's as login, name, role."""
    query = (
        select(SignIn.__table__, Operator.login, Operator.name, Operator.role)
        .join(Operator, Operator.id == SignIn.operator_id)
        .where(SignIn.id == sign_in_id, SignIn.expires_at > now())
    )
    return (await conn.execute(query)).one_or_none()


async def delete_sign_in(conn: AsyncConnection, sign_in_id: str) -> None:
    """End a sign-in."""
    await conn.execute(delete(SignIn).where(SignIn.id == sign_in_id))


async def api_tokens(conn: AsyncConnection) -> list[Any]:
    """Every API token, oldest first."""
    return list((await conn.execute(select(ApiToken.__table__).order_by(ApiToken.created_at))).all())


async def add_api_token(conn: AsyncConnection, **values: Any) -> None:
    """Insert an API token."""
    await conn.execute(insert(ApiToken).values({"created_at": now(), **values}))


async def find_api_token(conn: AsyncConnection, token_id: str) -> Any | None:
    """An API token by the sha256 of it."""
    query = select(ApiToken.__table__).where(ApiToken.id == token_id)
    return (await conn.execute(query)).one_or_none()


async def delete_api_token(conn: AsyncConnection, token_id: str) -> None:
    """Revoke an API token."""
    await conn.execute(delete(ApiToken).where(ApiToken.id == token_id))


async def add_audit(conn: AsyncConnection, actor: str, action: str, target: str = "", **detail: Any) -> None:
    """Record a change."""
    row = {"id": new_id(), "created_at": now(), "actor": actor, "action": action}
    await conn.execute(insert(Audit).values({**row, "target": target, "detail": detail}))


async def recent_audit(conn: AsyncConnection, limit: int = 100) -> list[Any]:
    """The newest changes."""
    query = select(Audit.__table__).order_by(Audit.created_at.desc()).limit(limit)
    return list((await conn.execute(query)).all())

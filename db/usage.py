"""Usage: one row per attempt at a model, failed ones too."""

from typing import Any

from sqlalchemy import JSON, Boolean, Float, Index, Integer, String, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Usage(Row):
    """One attempt: who asked, which model, how it ended, tokens, times and cost.

    `source` is chat, api, playground or compare. `user_key` is a chat's user, unique within its instance;
    `key_id` the gateway key of an API call; `request_id` joins the attempts of one answer. `cost` is in US
    dollars, None when the price is unknown. `detail` explains: `error` (the vendor's words, redacted),
    `cooled` (the scope that rests because of it), `skipped` (candidates that were not eligible and why).

    `outcome` is "ok", "cancelled" or an error class of providers/errors.py. Tokens are None when unknown,
    0 only when the vendor said 0; `estimated` marks counts that Botyard made itself.
    """

    __tablename__ = "usage"
    __table_args__ = (Index("usage_time", "created_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    created_at: Mapped[float] = mapped_column(Float)
    channel_id: Mapped[str | None] = mapped_column(String(36))
    conversation_id: Mapped[str | None] = mapped_column(String(36))
    message_id: Mapped[str | None] = mapped_column(String(36))
    route_id: Mapped[str | None] = mapped_column(String(32))
    provider_id: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(200))
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    outcome: Mapped[str] = mapped_column(String(16))
    input_tokens: Mapped[int | None] = mapped_column(Integer)
    output_tokens: Mapped[int | None] = mapped_column(Integer)
    estimated: Mapped[bool] = mapped_column(Boolean, default=False)
    first_token_ms: Mapped[float | None] = mapped_column(Float)
    total_ms: Mapped[float] = mapped_column(Float, default=0.0)
    source: Mapped[str] = mapped_column(String(16), default="chat", server_default="chat")
    user_key: Mapped[str | None] = mapped_column(String(100))
    key_id: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(36))
    cached_tokens: Mapped[int | None] = mapped_column(Integer)
    cost: Mapped[float | None] = mapped_column(Float)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")


ADD = insert(Usage)
BLANK: dict[str, Any] = {  # every column, so that all rows share one compiled statement
    "channel_id": None, "conversation_id": None, "message_id": None, "route_id": None, "attempt": 1,
    "input_tokens": None, "output_tokens": None, "estimated": False, "first_token_ms": None, "total_ms": 0.0,
    "source": "chat", "user_key": None, "key_id": None, "request_id": None, "cached_tokens": None,
    "cost": None, "detail": {},
}  # fmt: skip


async def add_usage(conn: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    """Insert attempts."""
    for row in rows:
        await conn.execute(ADD, {**BLANK, "id": new_id(), "created_at": now(), **row})


async def recent_usage(conn: AsyncConnection, since: float, limit: int = 1000) -> list[Any]:
    """Attempts since a moment, newest first."""
    query = select(Usage.__table__).where(Usage.created_at >= since)
    return list((await conn.execute(query.order_by(Usage.created_at.desc()).limit(limit))).all())

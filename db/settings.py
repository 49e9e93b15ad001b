"""Product settings as rows, and the version that tells processes to read their configuration again."""

from typing import Any

from sqlalchemy import JSON, String, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row
from db.database import upsert

CONFIG_VERSION = "config_version"


class Setting(Row):
    """One named value."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)


GET = select(Setting.value).where(Setting.key == bindparam("wanted"))


async def get_setting(conn: AsyncConnection, key: str, default: Any = None) -> Any:
    """A setting's value."""
    row = (await conn.execute(GET, {"wanted": key})).one_or_none()
    return default if row is None else row.value


async def set_setting(conn: AsyncConnection, key: str, value: Any) -> None:
    """Write a setting."""
    await conn.execute(upsert(conn, Setting, ("key",), {"key": key, "value": value}))


async def drop_setting(conn: AsyncConnection, key: str) -> None:
    """Remove a setting."""
    await conn.execute(delete(Setting).where(Setting.key == key))


async def bump_config(conn: AsyncConnection) -> int:
    """Count the configuration's version up, in the same transaction as a change of it."""
    locked = select(Setting.value).where(Setting.key == CONFIG_VERSION).with_for_update()
    version = int((await conn.execute(locked)).scalar_one_or_none() or 0) + 1
    await set_setting(conn, CONFIG_VERSION, version)
    return version

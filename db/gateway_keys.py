"""Keys of the OpenAI-compatible API: kept as digests."""

from sqlalchemy import JSON, Boolean, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row


class GatewayKey(Row):
    """A key for programs. `id` is its sha256 in hex, `hint` its last four characters for people.

    `routes` are the ids of routes that it may use ([]: all); `models` tells whether it may also name
    "provider:model" itself.
    """

    __tablename__ = "gateway_key"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    hint: Mapped[str] = mapped_column(String(8))
    routes: Mapped[list[str]] = mapped_column(JSON, default=list)
    models: Mapped[bool] = mapped_column(Boolean, default=True)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    expires_at: Mapped[float | None] = mapped_column(Float)
    last_used_at: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)

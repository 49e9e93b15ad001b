"""Routes and characters: which models answer, and who speaks."""

from typing import Any

from sqlalchemy import JSON, Float, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row


class Route(Row):
    """An ordered list of candidates: "provider:model" or "knowledge". `id` is its slug."""

    __tablename__ = "route"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    candidates: Mapped[list[str]] = mapped_column(JSON, default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Character(Row):
    """Who speaks: name, system prompt, greeting, content rating ("general" or "adult") and generation
    settings (core/sampling.py)."""

    __tablename__ = "character"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    prompt: Mapped[str] = mapped_column(Text, default="")
    greeting: Mapped[str] = mapped_column(Text, default="")
    rating: Mapped[str] = mapped_column(String(16), default="general")
    sampling: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)

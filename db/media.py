"""Routes of media models, and presets: the parameters that a model is asked with."""

from typing import Any

from sqlalchemy import JSON, Boolean, Float, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row


class MediaRoute(Row):
    """An ordered list of "provider:model" that make pictures or videos. `id` is its slug; `makes` is image or
    video; `settings` hold blocked_words and moderation_url where there are any."""

    __tablename__ = "media_route"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    makes: Mapped[str] = mapped_column(String(8))
    candidates: Mapped[list[str]] = mapped_column(JSON, default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Preset(Row):
    """Parameters for a model. `models` is a glob pattern over model names, `task` "" for every task;
    `values` are fields of a request (width, steps, ...) that hold unless a caller says otherwise, `limits`
    how far he may go ({"steps": [1, 50]}). `prefix` and `suffix` are put around the prompt."""

    __tablename__ = "preset"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    models: Mapped[str] = mapped_column(String(200))
    task: Mapped[str] = mapped_column(String(24), default="")
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    limits: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    prefix: Mapped[str] = mapped_column(Text, default="")
    suffix: Mapped[str] = mapped_column(Text, default="")
    negative: Mapped[str] = mapped_column(Text, default="")
    standard: Mapped[bool] = mapped_column(Boolean, default=False)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)

"""Limits: how much may be used by whom in which time, what is used, and what is reserved."""

from sqlalchemy import Boolean, Float, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row


class Limit(Row):
    """At most `amount` of `measure` (messages, tokens, or money in US dollars) in each `period`
    (minute, hour, day, month; they begin by the UTC clock).

    `subject_kind` is user, conversation, instance, provider, key or all; `subject` names one of them
    ("" means each of them by itself): an instance's channel id, a provider's slug, a gateway key's id,
    "channel id/user key" for a user. `action` is warn (soft: it is only shown), free (free and local
    candidates and the knowledge answerer go on) or stop (nothing answers).
    """

    __tablename__ = "usage_limit"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    subject_kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(150), default="")
    measure: Mapped[str] = mapped_column(String(16))
    amount: Mapped[float] = mapped_column(Float)
    period: Mapped[str] = mapped_column(String(8))
    action: Mapped[str] = mapped_column(String(8), default="free")
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class LimitUse(Row):
    """What one subject has used of a limit in the period that began at `since` (UTC epoch seconds)."""

    __tablename__ = "usage_limit_use"

    limit_id: Mapped[str] = mapped_column(ForeignKey("usage_limit.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(150), primary_key=True)
    since: Mapped[float] = mapped_column(Float, primary_key=True)
    used: Mapped[float] = mapped_column(Float, default=0.0)


class Reservation(Row):
    """What a running answer may yet use of a limit; it counts until it is settled or expires."""

    __tablename__ = "usage_reservation"

    request_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    limit_id: Mapped[str] = mapped_column(ForeignKey("usage_limit.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(150), primary_key=True)
    since: Mapped[float] = mapped_column(Float)
    amount: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float, index=True)

"""What people may set on a limit."""

from typing import Annotated, Literal

from pydantic import Field

from core.configuration.configs import Config
from core.configuration.values import Name, Readable, Stripped

SubjectKind = Literal["user", "conversation", "instance", "provider", "key", "all"]
Measure = Literal["messages", "tokens", "money", "pictures", "videos"]
Period = Literal["minute", "hour", "day", "month"]
Action = Literal["warn", "free", "stop"]
Subject = Annotated[str, Stripped, Field(max_length=150), Readable]


class LimitInput(Config):
    """How much may be used by whom in which time, and what happens then."""

    name: Name = Field("", title="Name", description="For people.")
    subject_kind: SubjectKind = Field(title="Whose use", description="Counted for each of them by itself.")
    subject: Subject = Field(
        "",
        title="Only",
        description="One instance's channel id, provider, gateway key's id, or channel id/user; empty: each.",
    )
    measure: Measure = Field(title="Measure", description="Money is in US dollars.")
    amount: float = Field(ge=0, le=1e12, allow_inf_nan=False, title="Amount")
    period: Period = Field(title="In each", description="They begin by the UTC clock.")
    action: Action = Field(
        "free",
        title="Then",
        description="warn: it is only shown; free: free and local models go on; stop: nothing answers.",
    )
    enabled: bool = Field(True, title="Enabled")

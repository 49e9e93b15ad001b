"""What a supervisor is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.fleet.states import Timing
from core.kinds import KINDS, ChannelKind
from core.secrets import Vault
from core.settings import Settings
from db.database import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """What is supervised, and how patiently. Tests bring their own; "" is no web process."""

    kinds: Mapping[str, ChannelKind] = field(default_factory=lambda: KINDS)
    entry: str = "core.process"
    web_module: str = "admin"
    timing: Timing = Timing()
    workers: bool = True


@dataclass(frozen=True, slots=True)
class Setup:
    """What a supervisor is made of."""

    settings: Settings
    database: Database
    vault: Vault
    parts: Parts = Parts()

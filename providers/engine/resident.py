"""One media model and, while it is loaded, its process."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from providers.engine.child import Child
from providers.engine.holdings import Holding
from providers.engine.ledger import Lease
from providers.engine.models import Model
from providers.engine.peaks import Manner


@dataclass(slots=True)
class Resident:
    """One model and, while it is loaded, its process. `profile` is the least sparing one that may be tried,
    raised when memory ran out; `manner` is how it is loaded now. `in_use` counts those who wait as well,
    `turn` tells whether one of them has it."""

    model: Model
    state: str = "cold"
    child: Child | None = None
    lease: Lease | None = None
    pinned: bool = False
    in_use: int = 0
    since: float = 0.0
    why: str = ""
    profile: int = 0
    manner: Manner = field(default_factory=Manner)
    turn: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def own(self) -> tuple[Holding, ...]:
        """What it holds of the ledger."""
        return (self.lease.holding,) if self.lease else ()

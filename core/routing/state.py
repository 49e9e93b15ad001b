"""Where rests are kept for all processes: a file of this machine, or Redis for several machines."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from db.cooldowns import CooldownFile, Rest, Unusable

__all__ = ["RestStore", "Unusable", "open_state"]
FILE = "cooldown.db"
REDIS = "core.routing.redis_state"


class RestStore(Protocol):
    """Rests by scope, in wall-clock time, the same for every process."""

    async def changes(self) -> dict[str, Rest] | None:
        """All rests when another process has changed one since the last look, else None. Raises Unusable."""
        ...

    async def update(self, scope: str, decide: Callable[[Rest | None], Rest | None]) -> Rest | None:
        """Replace a rest by what `decide` makes of it, atomically; None is none. Raises Unusable."""
        ...

    async def close(self) -> None:
        """Close what is open; it is opened again when needed."""
        ...


def open_state(home: Path, redis_url: str = "") -> RestStore:
    """The store of an installation; Redis where it has one. Opens nothing yet."""
    if redis_url:  # its client is large: only who uses it pays for it
        return cast(RestStore, importlib.import_module(REDIS).RedisState(redis_url))
    return CooldownFile(home / FILE)

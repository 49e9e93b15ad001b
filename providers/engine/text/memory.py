"""The memory that text engines ask room from: what the engine host's ledger must offer them.

The ledger plans and evicts; a text service only says how much a model takes, on the device and in the host's
RAM, and gives its lease back when the memory is really free.
"""

from typing import Protocol


class NoRoom(Exception):
    """There is no room for a model. `forever` says that no eviction can ever make it."""

    def __init__(self, need: int, have: int, held_by: tuple[str, ...] = (), forever: bool = False) -> None:
        super().__init__(f"needs {need} bytes, {have} can be had")
        self.need = need
        self.have = have
        self.held_by = held_by
        self.forever = forever


class MemoryLease(Protocol):
    """Room that one model holds."""

    async def adjust(self, device: int, host: int) -> None:
        """Hold this much from now on. Holding less returns at once; more waits for its turn like `reserve`
        and raises NoRoom, the lease as it was."""
        ...

    async def release(self) -> None:
        """The memory is free: nothing of the model is left."""
        ...


class Memory(Protocol):
    """One device (a GPU, or the host's RAM where there is none) and the host's RAM."""

    @property
    def device_total(self) -> int:
        """Bytes that the device has."""
        ...

    async def reserve(self, model: str, device: int, host: int = 0) -> MemoryLease:
        """Wait until there is room, evicting others. Raises NoRoom."""
        ...

    async def device_used(self) -> int | None:
        """Bytes of the device that are in use by anybody, measured now; None where it cannot be measured."""
        ...

"""The memory that text engines ask room from: what the engine host's ledger must offer them.

The ledger plans and evicts; a text service only says how much a model takes, on each device and in the host's
RAM, and gives its lease back when the memory is really free.
"""

from collections.abc import Sequence
from typing import Protocol


class NoRoom(Exception):
    """There is no room for a model. `forever` says that no eviction can ever make it."""

    def __init__(self, need: int, have: int, held_by: tuple[str, ...] = (), forever: bool = False) -> None:
        super().__init__(f"needs {need} bytes, {have} can be had")
        self.numbers = {"need": need, "have": have, "held_by": list(held_by)}
        self.need = need
        self.have = have
        self.held_by = held_by
        self.forever = forever


class MemoryLease(Protocol):
    """Room that one model holds."""

    @property
    def visible(self) -> str:
        """Its devices as CUDA_VISIBLE_DEVICES names them; "" where they are no GPUs."""
        ...

    @property
    def device_total(self) -> int:
        """Bytes that each of its devices has."""
        ...

    async def adjust(self, device: int, host: int, wait: bool = True) -> None:
        """Hold this much from now on, on each device and in RAM. Holding less returns at once; more waits for
        its turn like `reserve`, or without `wait` is refused at once (asked while the engine is evicted, when
        waiting for another eviction would never end). Raises NoRoom, the lease as it was."""
        ...

    def mark(self, in_use: int, pinned: bool) -> None:
        """How many requests are in flight and whether it is pinned, told at each change."""
        ...

    async def release(self) -> None:
        """The memory is free: nothing of the model is left."""
        ...


class Memory(Protocol):
    """The devices (GPUs, or the host's RAM as the only one where there is none) and the host's RAM."""

    async def reserve(self, model: str, device: int, host: int = 0, devices: int = 1) -> MemoryLease:
        """Wait until there is room for `device` bytes on each of so many devices, evicting others.
        Raises NoRoom."""
        ...

    async def held(self, pids: Sequence[int]) -> int | None:
        """Bytes that these processes hold on the devices, measured now; None where it cannot be told."""
        ...

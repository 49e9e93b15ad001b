"""Models that are loaded when the host starts: tried again until each was, for a disk may be late."""

import asyncio
import logging
from collections.abc import Sequence

from providers.engine.residence import Residence
from providers.engine.text.service import UnknownModel
from providers.engine.text_host import TextHost

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
logger = logging.getLogger(__name__)


async def preload(
    names: Sequence[str], residence: Residence, text: TextHost, pause: float = FIRST_PAUSE
) -> None:
    """Load and prove them, in their order. Returns when all are loaded; one that was is not watched over."""
    left = list(names)
    while left:
        for name in list(left):
            try:
                await _load(name, residence, text)
                left.remove(name)
            except Exception as error:  # noqa: BLE001  (process edge: it is told, and tried again)
                why = str(error) or type(error).__name__
                residence.proofs.tried(name, why)
                logger.warning("%s is not loaded yet: %s", name, why)
        if left:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def _load(name: str, residence: Residence, text: TextHost) -> None:
    resident = residence.find(name)
    if resident is not None:
        if not resident.model.there:
            raise ValueError(resident.model.unsafe or "the model is not on this machine's disk")
        await residence.load(resident, prove=True)
        return
    if name not in text.found:
        await text.look()
    try:
        await text.command(name, "load")
    except UnknownModel as error:
        found = text.found.get(name)
        why = (found.unsafe or found.problem) if found else ""
        raise ValueError(why or "there is no such model here") from error

"""Free proofs that something is well again: a list of models, so that no reader pays for the trial."""

import asyncio
import logging
from collections.abc import Mapping

from core.routing.candidates import Candidate
from core.routing.cooldown import Cooldown, Leases
from core.routing.pool import ProviderPool
from core.routing.resting import Failure, Rest
from providers.errors import ErrorClass, ProviderError

PATIENCE = 2.0
_OF_A_SERVER = frozenset({ErrorClass.CONNECT, ErrorClass.OVERLOAD})
logger = logging.getLogger(__name__)


class Prober:
    """Tries candidates in the background, while it holds their leases."""

    def __init__(self, cooldown: Cooldown, pool: ProviderPool) -> None:
        self._cooldown = cooldown
        self._pool = pool
        self._running: set[asyncio.Task[None]] = set()
        self._useless: set[str] = set()  # scopes of which a list of models said nothing

    def can_prove(self, candidate: Candidate, rested: Mapping[str, Rest]) -> bool:
        """Whether a list of models tells if what rested is well: that a server is there; that one of our
        own takes work; that a key is known."""
        return all(
            rest.error_class == ErrorClass.CONNECT
            or (rest.error_class == ErrorClass.OVERLOAD and candidate.local)
            or (rest.error_class == ErrorClass.CREDENTIAL and scope not in self._useless)
            for scope, rest in rested.items()
        )

    def start(self, candidate: Candidate, leases: Leases, rested: Mapping[str, Rest]) -> None:
        """Try it; the leases end with the trial."""
        task = asyncio.create_task(self._try(candidate, leases, dict(rested)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End what runs."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(set(self._running))

    async def _try(self, candidate: Candidate, leases: Leases, rested: Mapping[str, Rest]) -> None:
        began = self._cooldown.clock.now()
        verdict: bool | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                await self._pool.list_models(candidate)
            verdict = True
        except ProviderError as error:
            verdict = _verdict(error, {rest.error_class for rest in rested.values()})
            logger.info("%s is tried: %s", candidate.name, error)
        except TimeoutError:
            verdict = False
            logger.info("%s is tried: no answer", candidate.name)
        finally:
            if verdict:
                self._cooldown.succeeded(rested, began)
            elif verdict is False:
                self._failed(candidate, rested, began)
            else:  # cancelled, or it cannot be known: the next reader's message is the trial
                self._useless |= {name for name, rest in rested.items() if self._said_nothing(rest)}
                self._cooldown.release(leases)

    def _failed(self, candidate: Candidate, rested: Mapping[str, Rest], began: float) -> None:
        for scope, rest in rested.items():
            error_class = ErrorClass(rest.error_class)
            fixed = candidate.config.options.get("cooldown")
            self._cooldown.failed(
                scope, Failure(error_class, began, jitter=self._cooldown.jitter(), fixed=fixed)
            )

    def _said_nothing(self, rest: Rest) -> bool:
        return rest.error_class not in _OF_A_SERVER


def _verdict(error: ProviderError, classes: set[str]) -> bool | None:
    """What a failed listing proves: True is well, False is not, None is nothing."""
    if error.error_class in _OF_A_SERVER or (error.status or 0) >= 500:
        return False
    if ErrorClass.CREDENTIAL in classes:
        return False if error.error_class is ErrorClass.CREDENTIAL else None
    return error.status is not None  # somebody answered, even if without a list

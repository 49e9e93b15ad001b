"""One attempt at one model: its deltas, timed, counted and held back until the first visible text."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from core.routing.attempts import CANCELLED, OK, Attempt
from providers.errors import ErrorClass, ProviderError
from providers.types import ChatModel, ChatRequest, Delta, Finish, Restart, Text, Thinking, Tokens

LONGEST_HELD = 64 * 1024
LATE = 30.0  # seconds before the deadline in which every delta is timed; longer than an adapter's gap
# What a bug in an adapter may raise on a payload that nobody foresaw: another route may still answer.
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, OSError)
logger = logging.getLogger(__name__)


class Call:
    """Runs a model's stream. Nothing leaves it before the first visible text (the commit), which comes
    after a Restart when an earlier attempt had committed. It ends with Finish or raises ProviderError."""

    def __init__(self, attempt: Attempt, request: ChatRequest, limit: float, *, replaces: bool) -> None:
        self._attempt = attempt
        self._request = request
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._replaces = replaces
        self._held: list[Delta] = []
        self._held_size = 0
        self._received = 0
        self.committed = False
        self.out_of_time = False

    async def run(self, model: ChatModel) -> AsyncGenerator[Delta, None]:
        """The attempt's deltas."""
        attempt = self._attempt
        began = self._loop.time()
        try:
            stream = cast(AsyncGenerator[Delta, None], model.stream(self._request))
            async with aclosing(stream):
                while not attempt.outcome:
                    delta = await self._next(stream)
                    if attempt.first_token_ms is None and isinstance(delta, Text | Thinking):
                        attempt.first_token_ms = round((self._loop.time() - began) * 1000, 1)
                    for ready in self._take(delta):
                        yield ready
        except ProviderError as error:
            attempt.outcome, attempt.error = str(error.error_class), error.message
            raise
        except _UNFORESEEN as error:
            attempt.outcome, attempt.error = str(ErrorClass.TRANSIENT), type(error).__name__
            logger.exception(
                "%s:%s answered what its adapter cannot read", attempt.provider_id, attempt.model
            )
            raise ProviderError(ErrorClass.TRANSIENT, type(error).__name__) from error
        finally:
            attempt.outcome = attempt.outcome or CANCELLED
            attempt.total_ms = round((self._loop.time() - began) * 1000, 1)
            attempt.guess(self._request, self._received)

    async def _next(self, stream: AsyncGenerator[Delta, None]) -> Delta:
        try:
            # A timer for each delta is dear, and an adapter ends a stream that stops moving by itself.
            if self.committed and self._limit - self._loop.time() > LATE:
                return await anext(stream)
            async with asyncio.timeout_at(self._limit):
                return await anext(stream)
        except StopAsyncIteration:
            raise ProviderError(ErrorClass.TRUNCATED, "the stream ended without a finish") from None
        except TimeoutError:
            self.out_of_time = True
            raise ProviderError(ErrorClass.TIMEOUT, "the message's deadline has come") from None

    def _take(self, delta: Delta) -> list[Delta]:
        """What may leave now."""
        match delta:
            case Text(text):
                self._received += len(text)
                if not self.committed and not text.isspace():
                    return self._commit(delta)
            case Thinking(text):
                self._received += len(text)
            case Tokens(given, made):
                self._attempt.input_tokens, self._attempt.output_tokens = given, made
            case Finish():
                if not self.committed:
                    raise ProviderError(ErrorClass.EMPTY, "no visible text")
                self._attempt.outcome = OK
                self._attempt.guess(self._request, self._received)
        if self.committed:
            return [delta]
        self._hold(delta)
        return []

    def _commit(self, delta: Delta) -> list[Delta]:
        self.committed = True
        first: list[Delta] = [Restart()] if self._replaces else []
        return [*first, *self._held, delta]

    def _hold(self, delta: Delta) -> None:
        if isinstance(delta, Text | Thinking):
            self._held_size += len(delta.text)
            if self._held_size > LONGEST_HELD:
                return
        self._held.append(delta)

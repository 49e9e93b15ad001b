"""One attempt at one model: its deltas, timed, counted and held back until the first visible one."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from typing import cast

from core.routing.attempts import CANCELLED, OK, Attempt
from core.routing.continuation import Seam
from providers.errors import ErrorClass, ProviderError
from providers.types import CallPart, ChatModel, ChatRequest, Delta, Finish, Restart, Text, Thinking, Tokens

LONGEST_HELD = 64 * 1024
LATE = 30.0  # seconds before the deadline in which every delta is timed; longer than an adapter's gap
# What a bug in an adapter may raise on a payload that nobody foresaw: another route may still answer.
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, OSError)
logger = logging.getLogger(__name__)


class Call:
    """Reads a model's stream. Nothing leaves it before the first visible delta (the commit), which comes
    after a Restart when it `replaces` what was shown, and is joined to it where there is a `seam`. It ends
    with Finish or raises ProviderError; then, or when nobody listens any more, it must be closed."""

    def __init__(
        self,
        attempt: Attempt,
        request: ChatRequest,
        limit: float,
        *,
        replaces: bool = False,
        seam: Seam | None = None,
    ) -> None:
        self.attempt = attempt
        self.committed = False
        self.out_of_time = False
        self._request = request
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._replaces = replaces
        self._seam = seam
        self._ready: deque[Delta] = deque()
        self._held_size = 0
        self._received = 0
        self._stream: AsyncGenerator[Delta, None] | None = None

    def begin(self, model: ChatModel) -> None:
        """Ask the model."""
        self._stream = cast(AsyncGenerator[Delta, None], model.stream(self._request))

    async def next(self) -> Delta:
        """The next delta that may leave."""
        ready = self._ready
        try:
            while not (ready and self.committed):
                delta = await self._read()
                if type(delta) is Text and self.committed and self._seam is None:
                    self._received += len(delta.text)
                    return delta
                self._take(delta)
            return ready.popleft()
        except ProviderError as error:
            self.attempt.outcome, self.attempt.error = str(error.error_class), error.message
            raise
        except _UNFORESEEN as error:
            attempt, name = self.attempt, type(error).__name__
            attempt.outcome, attempt.error = str(ErrorClass.TRANSIENT), name
            logger.exception(
                "%s:%s answered what its adapter cannot read", attempt.provider_id, attempt.model
            )
            raise ProviderError(ErrorClass.TRANSIENT, name) from error

    async def close(self) -> None:
        """Close the upstream and count what came; an attempt without an outcome was cancelled."""
        stream, self._stream = self._stream, None
        attempt = self.attempt
        try:
            if stream is not None:
                await stream.aclose()
        finally:
            if not attempt.total_ms:
                attempt.outcome = attempt.outcome or CANCELLED
                attempt.total_ms = round((self._loop.time() - self._began) * 1000, 1)
                attempt.settle(self._request, self._received)

    async def _read(self) -> Delta:
        stream = self._stream
        if stream is None:
            raise ProviderError(ErrorClass.TRUNCATED, "the stream is closed")
        try:
            # A timer for each delta is dear, and an adapter ends a stream that stops moving by itself.
            if self.committed and self._limit - self._loop.time() > LATE:
                return await stream.__anext__()
            async with asyncio.timeout_at(self._limit):
                return await stream.__anext__()
        except StopAsyncIteration:
            raise ProviderError(ErrorClass.TRUNCATED, "the stream ended without a finish") from None
        except TimeoutError:
            self.out_of_time = True
            raise ProviderError(ErrorClass.TIMEOUT, "the message's deadline has come") from None

    def _take(self, delta: Delta) -> None:
        """Keep a delta for the reader, or for the moment when there is one."""
        attempt = self.attempt
        if attempt.first_token_ms is None and isinstance(delta, Text | Thinking | CallPart):
            attempt.first_token_ms = round((self._loop.time() - self._began) * 1000, 1)
        match delta:
            case Text(text):
                self._received += len(text)
                self._show(text)
                return
            case CallPart():
                self._received += len(delta.arguments)
                self._commit()
            case Thinking(text):
                self._received += len(text)
                if not self.committed:
                    self._held_size += len(text)
                    if self._held_size > LONGEST_HELD:
                        return
            case Tokens():
                attempt.input_tokens, attempt.output_tokens = delta.input, delta.output
                attempt.cached_tokens = delta.cached
            case Finish():
                if self._seam is not None and (rest := self._seam.end()):
                    self._ready.append(Text(rest))
                    self._commit()
                if not self.committed:
                    raise ProviderError(ErrorClass.EMPTY, "no visible text")
                attempt.outcome = OK
        self._ready.append(delta)

    def _show(self, text: str) -> None:
        if self._seam is not None:
            text = self._seam.feed(text)
            if not text:
                return
        if not self.committed and text.isspace():
            self._held_size += len(text)
            if self._held_size > LONGEST_HELD:
                return
        else:
            self._commit()
        self._ready.append(Text(text))

    def _commit(self) -> None:
        if not self.committed:
            self.committed = True
            if self._replaces:
                self._ready.appendleft(Restart())

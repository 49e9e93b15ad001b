"""How long an upstream may take, and the watch that ends a stream which stopped moving."""

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from providers.catalog import Vendor
from providers.errors import ErrorClass, ProviderError
from providers.types import ProviderConfig

GOODBYE = 2.0  # seconds after the finish for token counts and the end of the stream


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: to connect, to the first token, between tokens, and for an answer that is not streamed."""

    connect: float = 2.0
    first_token: float = 20.0
    gap: float = 20.0
    whole: float = 60.0


def limits_of(vendor: Vendor, config: ProviderConfig) -> Limits:
    """A provider's limits: from its options, else shorter for servers of one's own."""
    own = vendor.local or is_private(config.base_url)
    defaults = Limits(first_token=15.0) if own else Limits()
    names = ("connect", "first_token", "gap", "whole")
    return Limits(**{name: float(config.options.get(name) or getattr(defaults, name)) for name in names})


def is_private(url: str) -> bool:
    """Whether an address is on this machine or in a private network."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


class Body(Protocol):
    """What is watched: a body whose pending read can be made to fail."""

    def set_exception(self, exc: BaseException) -> None:
        """Fail the pending read, and all later ones."""
        ...


class Watch:
    """Makes a body's read fail when nothing moved for too long; one timer, whatever the number of chunks.

    Keep-alive comments prove life, but before the first token only up to twice its deadline.
    """

    def __init__(self, body: Body, limits: Limits, began: float) -> None:
        self._body = body
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._began = began
        self._due = self._began + limits.first_token
        self._started = False
        self._finishing = False
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "Watch":
        self._timer = self._loop.call_at(self._due, self._look)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._timer:
            self._timer.cancel()

    def progress(self) -> None:
        """A token arrived."""
        self._due = self._loop.time() + self._limits.gap
        if not self._started:
            self._started = True
            self._sooner()

    def finishing(self) -> None:
        """The answer is whole; the goodbye may take a moment, not longer."""
        if not self._finishing:
            self._finishing = True
            self._due = self._loop.time() + min(GOODBYE, self._limits.gap)
            self._sooner()

    def _sooner(self) -> None:
        if self._timer and self._timer.when() > self._due:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._due, self._look)

    def alive(self) -> None:
        """A keep-alive comment arrived."""
        if self._finishing:
            return
        if self._started:
            self._due = self._loop.time() + self._limits.gap
            return
        most = self._began + 2 * self._limits.first_token
        self._due = min(self._loop.time() + self._limits.first_token, most)

    def _look(self) -> None:
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
            return
        if self._started:
            error = ProviderError(ErrorClass.TRUNCATED, "the stream stopped")
        else:
            error = ProviderError(ErrorClass.TIMEOUT, "no first token in time")
        self._body.set_exception(error)

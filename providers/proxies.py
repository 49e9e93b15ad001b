"""A provider's outbound proxies: in which order they are tried, and how they are named."""

import base64
import importlib
import time
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

from providers.errors import ErrorClass, ProviderError

REST = 30.0  # seconds for which a proxy that failed is tried after all others
PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
REFUSED = 407  # a proxy wants other credentials

_rests: dict[str, float] = {}  # by address; for every provider of this process


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy. `name` is its address without credentials."""

    address: str = field(repr=False)
    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """For people, logs and errors."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def socks(self) -> bool:
        """Whether it speaks SOCKS5; then it resolves names too, whatever the scheme says."""
        return self.scheme.startswith("socks")

    @property
    def authorization(self) -> dict[str, str]:
        """The header by which a HTTP proxy knows us."""
        if not self.user and not self.password:
            return {}
        given = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {given}"}

    @property
    def plain(self) -> dict[str, Any]:
        """Arguments for the SOCKS library's objects."""
        kind = library("python_socks").ProxyType.SOCKS5
        values = {"proxy_type": kind, "host": self.host, "port": self.port, "rdns": True}
        return {**values, "username": self.user or None, "password": self.password or None}


class Proxies:
    """Proxies in the operator's order. Raises ValueError for an address that is none."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._all = tuple(map(parsed, addresses))

    def __bool__(self) -> bool:
        return bool(self._all)

    def order(self) -> list[Proxy]:
        """The order to try them in: those that rest come last, the next to be well first."""
        now = time.monotonic()
        return sorted(self._all, key=lambda proxy: max(_rests.get(proxy.address, 0.0) - now, 0.0))


def parsed(address: str) -> Proxy:
    """A proxy from its URL. Raises ValueError, which does not show credentials."""
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the address of a proxy cannot be read") from None
    if parts.scheme not in PORTS or not host:
        raise ValueError("a proxy's address begins with http://, https://, socks5:// or socks5h://")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme.startswith("socks") and not f"{user}{password}".isascii():
        raise ValueError("the name and password of a SOCKS proxy may have only letters of ASCII")
    return Proxy(address, parts.scheme, host, port or PORTS[parts.scheme], user, password)


def failed(proxy: Proxy) -> None:
    """A proxy let nothing through: others are tried first for a while."""
    _rests[proxy.address] = time.monotonic() + REST


def worked(proxy: Proxy) -> None:
    """A proxy let something through."""
    _rests.pop(proxy.address, None)


def none_left(reasons: dict[str, str]) -> ProviderError:
    """The error when no proxy lets anything through; `reasons` by their names."""
    said = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
    return ProviderError(ErrorClass.CONNECT, f"no proxy lets the request through: {said}")


def library(name: str) -> ModuleType:
    """A module that only SOCKS needs, loaded when the first such proxy is used."""
    return importlib.import_module(name)

"""Where results may be fetched from: addresses that a vendor names are never trusted."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from providers.errors import ErrorClass, ProviderError

PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HOST = re.compile(r"[a-z0-9._:-]+")
_NEAR = (".local", ".localhost", ".internal", ".lan", ".intranet", ".home.arpa")


class Blocked(OSError):
    """A name that leads to an address which may not be asked."""


class Places:
    """The origins (host and port) that may be near: the provider's own, and those that its operator named.
    Everything else must be a public address, by https."""

    def __init__(self, base_url: str, named: Iterable[str] = ()) -> None:
        self.own = origin_of(base_url)
        self._near = {self.own[1:], *(origin_of(f"https://{one}")[1:] for one in named)}

    def check(self, url: str) -> str:
        """The address, fit to be asked. Raises ProviderError."""
        try:
            scheme, host, port = origin_of(url)
            user = urlsplit(url).username
        except ValueError:
            raise _refused("cannot be read") from None
        near = (host, port) in self._near
        if user is not None:
            raise _refused("holds credentials")
        if scheme != "https" and not (scheme == "http" and near):
            raise _refused(f"is not https ({scheme[:10]})")
        if not near and not _may_be_public(host):
            raise _refused("is in a private network")
        return url

    def is_own(self, url: str) -> bool:
        """Whether an address is the provider's own, to which its key may be sent."""
        return origin_of(url) == self.own

    def may_be_near(self, host: str, port: int) -> bool:
        """Whether a host may have a private address."""
        return (host.lower(), port) in self._near


class PublicOnly(AbstractResolver):
    """Looks names up and refuses private addresses; the address that was checked is the one connected to."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._names: AbstractResolver | None = None  # it wants a running loop

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError."""
        self._names = self._names or ThreadedResolver()
        found = await self._names.resolve(host, port, family)
        near = self._places.may_be_near(host, port)
        if not near and not all(is_public(one["host"]) for one in found):
            raise Blocked(f"{host} is in a private network")
        return found

    async def close(self) -> None:
        """Nothing is kept open."""


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port as the HTTP client understands them. Raises ValueError."""
    parts = URL(url)
    host = (parts.raw_host or "").lower().rstrip(".")
    if parts.scheme not in PORTS or not _HOST.fullmatch(host):
        raise ValueError(f"no address to ask: {parts.scheme or 'nothing'}")
    return parts.scheme, host, parts.port or PORTS[parts.scheme]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, also one inside of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def _may_be_public(host: str) -> bool:
    """What can be told without asking: numbers by themselves (also 127.1 and 0x7f000001), names by their
    ends."""
    if ":" in host:
        return is_public(host)
    try:
        return is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return "." in host and not host.endswith(_NEAR)


def _refused(why: str) -> ProviderError:
    return ProviderError(ErrorClass.EMPTY, f"the address of a result {why}: it is not fetched")

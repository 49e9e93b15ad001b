"""Outbound proxies for the SDK that brings its own HTTP client."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2
from anyio.abc import SocketStream
from httpcore2._backends.anyio import AnyIOStream

from providers.proxies import REFUSED, Proxies, Proxy, failed, library, none_left, worked

_NOT_THROUGH = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)


class ThroughProxies(httpx2.AsyncBaseTransport):
    """Sends each request through the first proxy that lets it through, never directly."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._proxies = Proxies(addresses)
        self._tls = httpx2.create_ssl_context(trust_env=False)
        self._transports: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it. Raises httpx2's errors; ProxyError when no proxy is left, with their names."""
        reasons: dict[str, str] = {}
        for proxy in self._proxies.order():
            try:
                response = await self._transport(proxy).handle_async_request(request)
            except _NOT_THROUGH as error:
                reason = type(error).__name__
                if isinstance(error.__cause__, ssl.SSLError):
                    raise
            else:
                if response.status_code != REFUSED:
                    worked(proxy)
                    return response
                await response.aclose()
                reason = str(REFUSED)
            failed(proxy)
            reasons[proxy.name] = reason
        raise httpx2.ProxyError(none_left(reasons).message)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, proxy: Proxy) -> httpx2.AsyncHTTPTransport:
        if proxy.address not in self._transports:
            self._transports[proxy.address] = self._made(proxy)
        return self._transports[proxy.address]

    def _made(self, proxy: Proxy) -> httpx2.AsyncHTTPTransport:
        limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
        if not proxy.socks:
            through = httpx2.Proxy(proxy.name, headers=proxy.authorization)
            return httpx2.AsyncHTTPTransport(self._tls, trust_env=False, limits=limits, proxy=through)
        transport = httpx2.AsyncHTTPTransport(self._tls, trust_env=False, limits=limits)
        # Its own way to SOCKS needs a second library beside the one that is here.
        transport._pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._tls, max_connections=1000, max_keepalive_connections=100,
            network_backend=_Socks(proxy),
        )  # fmt: skip
        return transport


class _Socks(httpcore2.AsyncNetworkBackend):
    """Makes connections through a SOCKS proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:  # fmt: skip
        """A connection to a host that the proxy looks up."""
        errors = library("python_socks")
        way = library("python_socks.async_.asyncio").Proxy(**self._proxy.plain)
        try:
            connection = await way.connect(dest_host=host, dest_port=port, timeout=timeout)
        except (errors.ProxyError, errors.ProxyConnectionError, OSError, EOFError) as error:
            raise httpcore2.ConnectError(type(error).__name__) from error
        return AnyIOStream(await SocketStream.from_socket(connection))

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Sockets of files are never used."""
        raise httpcore2.ConnectError("no proxy leads to a file")

    async def sleep(self, seconds: float) -> None:
        """The client never tries again by itself."""
        raise httpcore2.ConnectError("no second try")

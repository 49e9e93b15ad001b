"""The HTTP clients of a provider: one pool of connections, and one more for each SOCKS proxy."""

import ssl
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from providers.errors import ErrorClass, ProviderError
from providers.proxies import REFUSED, Proxies, Proxy, failed, library, none_left, worked

_CERTIFICATE = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, ssl.SSLError)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request; `headers` hold the key."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None


class Outbound:
    """Sends requests directly, or through the first proxy that lets them through: never directly then.
    A `resolver` may refuse names; what goes through a proxy is looked up there."""

    def __init__(
        self, proxies: tuple[str, ...], connect: float, resolver: AbstractResolver | None = None
    ) -> None:
        self._proxies = Proxies(proxies)
        self._connect = connect
        self._resolver = resolver
        self._clients: dict[str, aiohttp.ClientSession] = {}

    async def send(self, request: Outgoing) -> aiohttp.ClientResponse:
        """The response, whatever its status. Raises ProviderError, aiohttp's errors and OSError."""
        if not self._proxies:
            return await self._attempt(request, None)
        reasons: dict[str, str] = {}
        for proxy in self._proxies.order():
            reason = ""
            context: dict[str, bool] = {}
            try:
                response = await self._attempt(request, proxy, context)
            except _CERTIFICATE:
                raise
            except _failures(proxy) as error:
                if context:  # the connection was made: what followed is not the proxy's fault
                    raise
                reason = str(getattr(error, "status", "") or type(error).__name__)
            else:
                if response.status != REFUSED:
                    worked(proxy)
                    return response
                response.close()
                reason = str(REFUSED)
            failed(proxy)
            reasons[proxy.name] = reason
        raise none_left(reasons)

    async def close(self) -> None:
        """Close the connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()

    async def _attempt(
        self, request: Outgoing, proxy: Proxy | None, context: dict[str, bool] | None = None
    ) -> aiohttp.ClientResponse:
        context = {} if context is None else context
        try:
            return await self._request(request, proxy, context)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if "reused" not in context or isinstance(error, aiohttp.ClientConnectorError):
                raise
        # A pooled connection that had gone stale says nothing of the server: try a new one at once.
        context.clear()
        return await self._request(request, proxy, context)

    async def _request(
        self, request: Outgoing, proxy: Proxy | None, context: dict[str, bool]
    ) -> aiohttp.ClientResponse:
        headers, through = request.headers, dict[str, Any]()
        if proxy is not None and not proxy.socks:
            through = {"proxy": proxy.name}
            if request.url.startswith("https:"):  # in the tunnel's head only: the vendor must not see it
                through["proxy_headers"] = dict(proxy.authorization)
            else:
                headers = {**headers, **proxy.authorization}
        try:
            return await self._client(proxy).request(
                request.method, request.url, headers=headers, data=request.body, allow_redirects=False,
                trace_request_ctx=context, **through,
            )  # fmt: skip
        except aiohttp.InvalidURL:
            raise
        except ValueError as error:
            raise ProviderError(ErrorClass.CREDENTIAL, "the key or a header cannot be sent") from error

    def _client(self, proxy: Proxy | None) -> aiohttp.ClientSession:
        """A client, made inside the running loop when first used."""
        place = proxy.address if proxy is not None and proxy.socks else ""
        if place not in self._clients:
            trace = aiohttp.TraceConfig()
            trace.on_connection_reuseconn.append(_mark_reused)
            trace.on_connection_create_end.append(_mark_made)
            self._clients[place] = aiohttp.ClientSession(
                connector=_connector(proxy if place else None, self._resolver),
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
                read_bufsize=1 << 18,
                trust_env=False,
            )
        return self._clients[place]


def _connector(proxy: Proxy | None, resolver: AbstractResolver | None) -> aiohttp.BaseConnector:
    if proxy is None:
        return aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, resolver=resolver)
    connector: aiohttp.BaseConnector = library("aiohttp_socks").ProxyConnector(limit=0, **proxy.plain)
    return connector


def _failures(proxy: Proxy) -> tuple[type[Exception], ...]:
    if not proxy.socks:
        return (aiohttp.ClientError, OSError)
    socks = library("aiohttp_socks")
    of_socks = (socks.ProxyError, socks.ProxyConnectionError, socks.ProxyTimeoutError)
    return (aiohttp.ClientError, OSError, EOFError, *of_socks)


async def _mark_reused(_client: object, context: Any, _params: object) -> None:
    context.trace_request_ctx["reused"] = True


async def _mark_made(_client: object, context: Any, _params: object) -> None:
    context.trace_request_ctx["made"] = True

"""Calls of the Bot API: JSON over one HTTP session, errors by their meaning."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from bots.characters import printable
from bots.media import Upload, form_fields

PUBLIC_SERVER = "https://api.telegram.org"
CONNECT_WITHIN = 10.0
KEEP_ALIVE = 50.0
CHUNK = 64 * 1024


class ApiError(Exception):
    """The server refused a call."""

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        parameters = parameters or {}
        wait, moved = parameters.get("retry_after"), parameters.get("migrate_to_chat_id")
        self.retry_after = float(wait) if isinstance(wait, int | float) and wait > 0 else 1.0
        self.migrated_to = moved if isinstance(moved, int) else None

    def says(self, *words: str) -> bool:
        """Whether the description contains one of the words: for what the server tells by text alone."""
        lower = self.description.lower()
        return any(word in lower for word in words)


class NotAnAnswer(ApiError):
    """Something answered, but no Bot API server: a proxy's page, or a wrong address."""

    def __init__(self, status: int) -> None:
        super().__init__(502, f"not an answer of a Bot API server (status {status})")
        self.status = status


class Unreachable(Exception):
    """The network failed. `written` is True when the call may have been carried out all the same."""

    def __init__(self, reason: str, *, written: bool) -> None:
        super().__init__(reason)
        self.written = written


class BotApi:
    """One bot's connection. Create it inside the running loop; nothing here logs or raises the token.
    An address that is none raises ValueError."""

    def __init__(self, base: str, token: str) -> None:
        self._root = f"{base.rstrip('/')}/bot{token}/"
        self._files = f"{base.rstrip('/')}/file/bot{token}/"
        self._urls: dict[str, URL] = {}
        self._proxy = _proxy_for(_address(base))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": "application/json"},
        )

    async def call(self, method: str, params: dict[str, Any] | None = None, timeout: float = 30.0) -> Any:
        """The result of a method; raises ApiError or Unreachable."""
        url = self._urls.get(method)
        if url is None:
            url = self._urls[method] = URL(self._root + method, encoded=True)
        body = json.dumps(params or {}).encode()
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_WITHIN)
        with _network():
            async with self._session.post(url, data=body, timeout=limits, proxy=self._proxy) as response:
                return _result(response.status, await response.read())

    async def upload(
        self, method: str, params: dict[str, Any], files: Sequence[Upload], timeout: float = 120.0
    ) -> Any:
        """The result of a method that takes files; raises ApiError or Unreachable."""
        form = aiohttp.FormData()
        for name, value in form_fields(params).items():
            form.add_field(name, value)
        for file in files:
            form.add_field(file.name, file.body, filename=file.filename, content_type=file.mime)
        body = form()
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_WITHIN)
        url = URL(self._root + method, encoded=True)
        headers = {"Content-Type": str(body.headers["Content-Type"])}
        with _network():
            async with self._session.post(
                url, data=body, headers=headers, timeout=limits, proxy=self._proxy
            ) as response:
                return _result(response.status, await response.read())

    async def download(self, path: str, longest: int, timeout: float = 15.0) -> bytes:
        """A file that getFile named, of at most so many bytes; raises ApiError or Unreachable."""
        if path.startswith("/") or ".." in path.split("/"):
            raise ApiError(400, "the server keeps its files on its own disk")
        url = URL(self._files + quote(path), encoded=True)
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_WITHIN)
        with _network():
            async with self._session.get(url, timeout=limits, proxy=self._proxy) as response:
                if response.status != 200:
                    raise ApiError(response.status, "the file cannot be had")
                body = bytearray()
                async for piece in response.content.iter_chunked(CHUNK):
                    body += piece
                    if len(body) > longest:
                        raise ApiError(400, f"the file is larger than {longest} bytes")
                return bytes(body)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


@contextmanager
def _network() -> Iterator[None]:
    """What the network raises, as Unreachable; its own texts may hold the address with the token."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise Unreachable(str(error), written=False) from None
    except aiohttp.ConnectionTimeoutError:
        raise Unreachable("timeout while connecting", written=False) from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unreachable(type(error).__name__, written=True) from None


def _address(base: str) -> URL:
    address = URL(base)
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"not an http address: {base[:200]}")
    return address


def _proxy_for(base: URL) -> URL | None:
    """The HTTP proxy that the environment names for an address. Looked up once: aiohttp's own way reads the
    environment and a netrc file for each request."""
    host = base.host or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    named = getproxies().get(base.scheme, "")
    return URL(named) if named.startswith(("http://", "https://")) else None


def _result(status: int, body: bytes) -> Any:
    try:
        answer = json.loads(body)
        ok = answer["ok"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotAnAnswer(status) from None
    if ok:
        return answer.get("result")
    code, parameters = answer.get("error_code"), answer.get("parameters")
    raise ApiError(
        code if isinstance(code, int) else status,
        printable(str(answer.get("description", ""))),
        parameters if isinstance(parameters, dict) else None,
    )

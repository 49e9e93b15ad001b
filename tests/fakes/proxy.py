"""A fake outbound proxy on loopback, with credentials: HTTP (CONNECT, plain requests) and SOCKS5 on one port.

    async with fake_proxy(("ann", "s3cret")) as proxy:
        proxy.http, proxy.socks    # its addresses, credentials in them
        proxy.seen                 # what went through: ("connect" | "plain" | "socks", "host:port")
        proxy.refused              # how often credentials were wrong
        proxy.heads                # heads of plain HTTP requests, as they came

Every connection that is let through goes to `target`, where one is set, whatever host was asked for: names
that exist nowhere can be used.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

REFUSAL = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FakeProxy:
    """The proxy; see the module's docstring."""

    def __init__(self, login: tuple[str, str] | None, target: int) -> None:
        self.seen: list[tuple[str, str]] = []
        self.heads: list[bytes] = []
        self.refused = 0
        self.port = 0
        self._login = login
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def http(self) -> str:
        """Its address as an HTTP proxy."""
        return self._address("http")

    @property
    def socks(self) -> str:
        """Its address as a SOCKS5 proxy."""
        return self._address("socks5")

    def _address(self, scheme: str) -> str:
        login = ":".join(quote(part, safe="") for part in self._login) + "@" if self._login else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.add(writer)
        try:
            first = await reader.readexactly(1)
            await (self._socks(reader, writer) if first == b"\5" else self._http(first, reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            return  # somebody went away: that is the end of a connection
        finally:
            writer.close()

    def close(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()

    async def _http(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = first + await reader.readuntil(b"\r\n\r\n")
        method, url, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if self._login:
            wanted = base64.b64encode(":".join(self._login).encode())
            if b"proxy-authorization: basic " + wanted not in head.replace(b"Proxy-A", b"proxy-a").replace(
                b": Basic", b": basic"
            ):
                self.refused += 1
                writer.write(REFUSAL)
                await writer.drain()
                return
        if method == "CONNECT":
            self.seen.append(("connect", url))
            to_reader, to_writer = await self._dial(url)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            parts = urlsplit(url)
            self.seen.append(("plain", parts.netloc))
            self.heads.append(head)
            to_reader, to_writer = await self._dial(parts.netloc)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            to_writer.write(head.replace(url.encode(), path.encode(), 1))
        await self._pump(reader, writer, to_reader, to_writer)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        if self._login:
            writer.write(b"\5\2" if 2 in methods else b"\5\xff")
            if 2 not in methods:
                self.refused += 1
                return
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            good = (user.decode(), password.decode()) == self._login
            writer.write(b"\1\0" if good else b"\1\1")
            if not good:
                self.refused += 1
                await writer.drain()
                return
        else:
            writer.write(b"\5\0")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        place = f"{host}:{int.from_bytes(await reader.readexactly(2), 'big')}"
        self.seen.append(("socks", place))
        to_reader, to_writer = await self._dial(place)
        writer.write(b"\5\0\0\1\0\0\0\0\0\0")
        await self._pump(reader, writer, to_reader, to_writer)

    async def _dial(self, place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = place.rpartition(":")
        if self._target:
            host, port = "127.0.0.1", str(self._target)
        pair = await asyncio.open_connection(host, int(port))
        self._writers.add(pair[1])
        return pair

    async def _pump(self, *ends: asyncio.StreamReader | asyncio.StreamWriter) -> None:
        reader, writer, to_reader, to_writer = ends
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def fake_proxy(login: tuple[str, str] | None = None, target: int = 0) -> AsyncIterator[FakeProxy]:
    """A proxy on a free port of loopback."""
    proxy = FakeProxy(login, target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await asyncio.sleep(0.01)

"""The proxy against a small HTTP server on a Unix socket that misbehaves on demand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from admin.widget_proxy import LONGEST_BODY, Proxy, TooLarge, Unavailable

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Handler = Callable[["Child", asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


class Child:
    """Reads request heads and hands each to `handler`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handler: Handler = plain
        self.heads: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.written = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                await self.handler(self, reader, writer, head)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.close()


async def plain(_child: Child, _reader: Any, writer: asyncio.StreamWriter, _head: bytes) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-kept: 1\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\nok"
    )


@contextlib.asynccontextmanager
async def running(path: Path) -> AsyncIterator[Child]:
    child = Child(path)
    server = await asyncio.start_unix_server(child.serve, str(path))
    try:
        yield child
    finally:
        server.close()
        for writer in child.writers:
            writer.close()
        await asyncio.sleep(0)


class Client:
    """An ASGI caller; `taken` gates how fast it takes the answer."""

    def __init__(self, method: str = "GET", body: list[bytes] | None = None, **headers: str) -> None:
        named = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
        self.scope = {
            "type": "http", "method": method, "path": "/w/shop/x", "raw_path": b"/w/shop/x",
            "query_string": b"a=1", "headers": named, "scheme": "https", "client": ("203.0.113.7", 1),
        }  # fmt: skip
        self.parts = [{"type": "http.request", "body": part, "more_body": True} for part in body or []]
        self.parts.append({"type": "http.request", "body": b"", "more_body": False})
        self.gone = asyncio.Event()
        self.taken = asyncio.Event()
        self.taken.set()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.ended = False
        self.news = asyncio.Event()

    async def receive(self) -> Any:
        if self.parts:
            return self.parts.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            await self.taken.wait()
            self.body += message["body"]
            self.ended = not message.get("more_body")
        self.news.set()

    async def through(self, proxy: Proxy, path: Path) -> "Client":
        async with asyncio.timeout(5):
            await proxy.handle(path, self.scope, self.receive, self.send)
        return self


@pytest.fixture
async def child(tmp_path: Path) -> AsyncIterator[Child]:
    async with running(tmp_path / "s.sock") as child:
        yield child


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()
    await asyncio.sleep(0)


async def test_headers_that_concern_one_connection_stay_there(child: Child, proxy: Proxy) -> None:
    client = Client(host="chat.example", connection="x-mine", x_mine="1", x_forwarded_for="6.6.6.6",
                    upgrade="websocket", accept="*/*", cookie="panel=secret")  # fmt: skip
    await client.through(proxy, child.path)
    assert (client.status, client.body, client.ended) == (200, b"ok", True)
    assert client.headers == {b"content-length": b"2", b"x-kept": b"1"}
    head = child.heads[0].decode()
    assert head.startswith("GET /w/shop/x?a=1 HTTP/1.1\r\nhost: chat.example\r\naccept: */*\r\n")
    assert (
        "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: chat.example" in head
    )
    assert not any(word in head for word in ("6.6.6.6", "websocket", "x-mine", "secret"))


async def test_connections_are_used_again_and_stale_ones_replaced(child: Child, proxy: Proxy) -> None:
    for _ in range(3):
        await Client().through(proxy, child.path)
    assert child.connections == 1

    async def close_first(child: Child, reader: Any, writer: asyncio.StreamWriter, head: bytes) -> None:
        if child.connections == 1:
            writer.close()  # it had been idle too long: the request arrives on a closed connection
            return
        await plain(child, reader, writer, head)

    child.handler = close_first
    assert (await Client().through(proxy, child.path)).status == 200
    assert child.connections == 2


async def test_a_body_never_becomes_a_request_of_its_own(child: Child, proxy: Proxy) -> None:
    body = b"GET /w/shop/y HTTP/1.1\r\n\r\n"
    headers = {"content_length": str(len(body)), "connection": "content-length, x-mine", "x_mine": "1"}
    await Client("POST", [body], **headers).through(proxy, child.path)
    assert f"content-length: {len(body)}\r\n".encode() in child.heads[0]
    assert b"x-mine" not in child.heads[0]


async def twice(_child: Child, _reader: Any, writer: asyncio.StreamWriter, _head: bytes) -> None:
    answer = b"HTTP/1.1 %b\r\ncontent-length: 2\r\n\r\n%b"
    writer.write(answer % (b"200 OK", b"ok") + answer % (b"404 Not Found", b"no"))


async def later(child: Child, _reader: Any, writer: asyncio.StreamWriter, head: bytes) -> None:
    await plain(child, _reader, writer, head)
    await writer.drain()
    await asyncio.sleep(0.05)
    await plain(child, _reader, writer, head)


@pytest.mark.parametrize("handler", [twice, later])
async def test_an_answer_that_nobody_asked_for_reaches_nobody(
    child: Child, proxy: Proxy, handler: Handler
) -> None:
    child.handler = handler
    first = await Client().through(proxy, child.path)
    assert (first.status, first.body) == (200, b"ok")
    await asyncio.sleep(0.1)
    child.handler = plain
    assert (await Client().through(proxy, child.path)).headers[b"x-kept"] == b"1"
    assert child.connections == 2


async def test_a_post_is_never_repeated_by_the_proxy(child: Child, proxy: Proxy) -> None:
    await Client().through(proxy, child.path)

    async def lost(_child: Child, _reader: Any, writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.close()

    child.handler = lost
    with pytest.raises(Unavailable):
        await Client("POST", [b"hi"], content_length="2").through(proxy, child.path)
    assert len(child.heads) == 2


async def test_no_child_is_unavailable(tmp_path: Path, proxy: Proxy) -> None:
    with pytest.raises(Unavailable):
        await Client().through(proxy, tmp_path / "nobody.sock")


async def test_bodies_go_up_whole_and_have_a_cap(child: Child, proxy: Proxy) -> None:
    seen = bytearray()

    async def read(
        child: Child, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes
    ) -> None:
        if b"chunked" in head:
            while size := int(await reader.readline(), 16):
                seen.extend(await reader.readexactly(size))
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            seen.extend(await reader.readexactly(600_000))
        await plain(child, reader, writer, head)

    child.handler = read
    for headers in ({"content_length": "600000"}, {"transfer_encoding": "chunked"}):
        seen.clear()
        await Client("POST", [b"a" * 200_000] * 3, **headers).through(proxy, child.path)
        assert bytes(seen) == b"a" * 600_000
    with pytest.raises(TooLarge):
        await Client("POST", [b"x"], content_length=str(LONGEST_BODY + 1)).through(proxy, child.path)
    with pytest.raises(TooLarge):
        await Client("POST", [b"x" * 400_000] * 3, transfer_encoding="chunked").through(proxy, child.path)


async def test_a_slow_client_holds_the_child_back(child: Child, proxy: Proxy) -> None:
    async def flood(child: Child, _reader: Any, writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n")
        for _ in range(200):
            writer.write(b"z" * 100_000)
            await writer.drain()
            child.written += 100_000

    child.handler = flood
    client = Client()
    client.taken.clear()
    task = asyncio.create_task(client.through(proxy, child.path))
    await asyncio.sleep(0.3)
    assert child.written < 3_000_000
    client.taken.set()
    await task
    assert len(client.body) == 20_000_000


async def test_a_slow_child_holds_the_client_back(child: Child, proxy: Proxy) -> None:
    go = asyncio.Event()

    async def slow(
        child: Child, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes
    ) -> None:
        await go.wait()
        await reader.readexactly(1_000_000)
        await plain(child, reader, writer, head)

    child.handler = slow
    client = Client("POST", [b"q" * 10_000] * 100, content_length="1000000")
    task = asyncio.create_task(client.through(proxy, child.path))
    await asyncio.sleep(0.2)
    assert len(client.parts) > 20
    go.set()
    assert (await task).body == b"ok"


async def test_a_client_that_leaves_closes_the_stream(child: Child, proxy: Proxy) -> None:
    async def stream(
        _child: Child, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: bytes
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await reader.read()

    child.handler = stream
    client = Client()
    task = asyncio.create_task(client.through(proxy, child.path))
    while client.body != b"first":
        await client.news.wait()
        client.news.clear()
    client.gone.set()
    await task
    async with asyncio.timeout(2):
        await child.closed.wait()


async def test_answers_cut_short(child: Child, proxy: Proxy) -> None:
    async def cut(_child: Child, _reader: Any, writer: asyncio.StreamWriter, head: bytes) -> None:
        length = b"content-length: 100" if b"x-long" in head else b"transfer-encoding: chunked"
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n5\r\nfirst\r\n" % length)
        writer.close()

    child.handler = cut
    chunked = await Client().through(proxy, child.path)
    assert (chunked.body, chunked.ended) == (b"first", True)
    sized = await Client(x_long="1").through(proxy, child.path)
    assert not sized.ended  # the server closes the connection, so that the client sees it is short


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b""])
async def test_nonsense_is_unavailable(child: Child, proxy: Proxy, answer: bytes) -> None:
    async def nonsense(_child: Child, _reader: Any, writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(answer)
        writer.close()

    child.handler = nonsense
    with pytest.raises(Unavailable):
        await Client().through(proxy, child.path)


async def test_answers_without_a_body(child: Child, proxy: Proxy) -> None:
    async def bare(child: Child, reader: Any, writer: asyncio.StreamWriter, head: bytes) -> None:
        if head.startswith(b"HEAD"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    child.handler = bare
    assert (await Client("HEAD").through(proxy, child.path)).ended
    for _ in range(2):
        assert (await Client("OPTIONS").through(proxy, child.path)).status == 204

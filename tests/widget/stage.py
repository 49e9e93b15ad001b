"""A widget on stage: the real channel on its socket, a small host behind it, the real web side before it."""

import asyncio
import contextlib
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.assets import Assets
from admin.pages.files import router as media_files
from admin.templating import Templates
from admin.widget_routes import install
from core.answers import LENGTH_BUTTONS
from core.channel import PreviewTarget
from core.conversation import message_id
from core.instance import Character, Instance
from core.messages import Incoming, OutboundMessage
from core.pictures import Picture
from core.routing.spec import RouteSpec
from core.settings import Settings
from core.shelf import Shelf
from db import channels
from db.database import Database
from providers.types import ProviderConfig
from widget.channel import WidgetChannel, create

SECRET = "a-secret-that-is-long-enough-for-hmac-sha256"
SLUG = "shop"


class StageHost:
    """Implements core.channel.Host: keeps rows in memory and answers by `script` (else by an echo)."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.channel: WidgetChannel | None = None
        self.seen: dict[str, Incoming] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.script: dict[str, list[str]] = {}
        self.pace = 0.005
        self.hold: asyncio.Event | None = None  # an answer waits here after half of its pieces
        self.stops: dict[str, asyncio.Event] = {}
        self.queues: dict[str, asyncio.Queue[Incoming]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.unfinished: list[Incoming] = []
        self.pictures: dict[str, tuple[str, Picture]] = {}
        self.full = False
        self.made_files: dict[str, tuple[str, bytes, str]] = {}
        self.reasoning = ""
        self.shelf: Shelf | None = None
        self.row_id = ""  # of the channel

    async def accept(self, batch: Sequence[Incoming]) -> list[bool]:
        new = []
        for item in batch:
            new.append(item.external_id not in self.seen)
            if new[-1]:
                self.seen[item.external_id] = item
                self.enqueue(item)
        await asyncio.sleep(0)
        return new

    def enqueue(self, item: Incoming) -> None:
        self.unfinished.append(item)
        queue = self.queues.get(item.chat_key)
        if queue is None:
            queue = self.queues[item.chat_key] = asyncio.Queue()
            task = asyncio.create_task(self.run_chat(item.chat_key, queue))
            self.tasks.add(task)
        queue.put_nowait(item)

    def stop(self, chat_key: str) -> bool:
        running = self.stops.get(chat_key)
        if running:
            running.set()
        return running is not None

    async def say(self, chat_key: str, text: str, *, plain: bool = True) -> None:
        await self.send(OutboundMessage(chat_key=chat_key, text=text, plain=plain))

    async def keep_picture(self, chat_key: str, picture: Picture) -> str | None:
        if self.full:
            return None
        ref = str(uuid.uuid4())
        self.pictures[ref] = (chat_key, picture)
        return ref

    async def kept_picture(self, ref: str, chat_key: str | None = None) -> Picture | None:
        owner, picture = self.pictures.get(ref, ("", None))
        return picture if chat_key in (None, owner) else None

    async def history(self, chat_key: str, limit: int = 50) -> list[dict[str, Any]]:
        await asyncio.sleep(0)
        return self.rows.get(chat_key, [])[-limit:]

    async def made_for(self, artifact: str, chat_key: str) -> tuple[bytes, str] | None:
        owner, body, mime = self.made_files.get(artifact, ("", b"", ""))
        return (body, mime) if owner == chat_key else None

    async def path_for(self, artifact: str, chat_key: str) -> str:
        return await self.shelf.path_for(artifact, self.row_id, chat_key) if self.shelf else ""

    def heard(self) -> None:
        return None

    def degraded(self, reason: str) -> None:
        return None

    async def run_chat(self, chat: str, queue: asyncio.Queue[Incoming]) -> None:
        while True:
            item = await queue.get()
            await self.turn(chat, item)
            self.unfinished.remove(item)

    async def turn(self, chat: str, item: Incoming) -> None:
        assert self.channel is not None
        message = self.channel.parse(item.raw)
        assert message is not None
        question, answer = (message_id(self.instance.id, item.external_id, r) for r in ("user", "assistant"))
        rows = self.rows.setdefault(chat, [])
        if message.command == "new":
            rows.clear()
            return await self.send(OutboundMessage(chat, "A new conversation has begun.", answer))
        pieces = self.script.get(message.text, [f"You said: {message.text}"])
        stopped = self.stops[chat] = asyncio.Event()
        preview = self.channel.preview(message, PreviewTarget(answer, None, lambda _: None))
        said = ""
        for number, piece in enumerate(pieces):
            if self.hold and number == len(pieces) // 2:
                waits = [asyncio.create_task(event.wait()) for event in (self.hold, stopped)]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            if stopped.is_set():
                break
            if piece == "<restart>":
                preview.restart()
                said = ""
                continue
            said += piece
            preview.feed(piece)
            await asyncio.sleep(self.pace)
        await preview.close()
        del self.stops[chat]
        status = "stopped" if stopped.is_set() else "failed" if said == "FAIL" else "final"
        now = time.time()
        attachments = [{"kind": one.kind, "ref": one.ref} for one in message.attachments]
        rows += [
            {"id": question, "role": "user", "text": message.text, "status": "final", "created_at": now,
             "attachments": attachments},
            {"id": answer, "role": "assistant", "text": said.strip(), "status": status, "created_at": now,
             "attachments": [], "reasoning": self.reasoning},
        ]  # fmt: skip
        outbound = OutboundMessage(chat, said.strip(), answer, status=status, reasoning=self.reasoning)
        if message.command == "length":
            outbound = replace(outbound, buttons=LENGTH_BUTTONS)
        await self.send(outbound)

    async def send(self, message: OutboundMessage) -> None:
        assert self.channel is not None
        async for _ in self.channel.send(message, ()):
            pass

    async def die(self) -> None:
        """What kill -9 leaves: the rows."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.queues.clear()
        self.stops.clear()

    def recover(self) -> None:
        items, self.unfinished = self.unfinished, []
        for item in items:
            self.enqueue(item)


@dataclass
class Faults:
    """What goes wrong between browser and web process."""

    refuse_posts: int = 0
    drop_every: int = 0  # events of a stream; the next one is cut in its middle
    streams: int = 0
    posts: list[str] = field(default_factory=list)

    def around(self, app: ASGIApp) -> ASGIApp:
        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope.get("path", "")
            if path.endswith("/messages") and scope["method"] == "POST":
                self.posts.append(path)
                if self.refuse_posts > 0:
                    self.refuse_posts -= 1
                    await send({"type": "http.response.start", "status": 503,
                                "headers": [(b"access-control-allow-origin", b"*")]})  # fmt: skip
                    await send({"type": "http.response.body", "body": b"broken"})
                    return
            if path.endswith("/events") and scope["method"] == "GET":
                self.streams += 1
                if self.drop_every:
                    send = self.dropping(send)
            with contextlib.suppress(ConnectionAbortedError):
                await app(scope, receive, send)

        return faulty

    def dropping(self, send: Send) -> Send:
        left = self.drop_every

        async def drop(message: Message) -> None:
            nonlocal left
            if message["type"] != "http.response.body":
                return await send(message)
            for part in message.get("body", b"").split(b"\n\n")[:-1]:
                if b"event:" in part:
                    left -= 1
                if left < 0:
                    await send({"type": "http.response.body", "body": part[: len(part) // 2]})
                    raise ConnectionAbortedError
                await send({"type": "http.response.body", "body": part + b"\n\n", "more_body": True})

        return drop


class Stage:
    """All of it; `url` is Botyard's, `site` that of the page that embeds the widget."""

    def __init__(self, database: Database, folder: Path, cache: Path) -> None:
        self.cache = cache
        self.database = database
        self.faults = Faults()
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}
        self.url = self.site = self.foreign = ""
        self.channel: WidgetChannel | None = None
        self.receiving: asyncio.Task[None] | None = None
        vendor = ProviderConfig("eyes", "openai-compatible", "http://127.0.0.1:9/v1")
        route = RouteSpec("default", ("eyes:looking",), providers=(vendor,))
        instance = Instance("widget-1", "widget", SLUG, "Shop", {"origins": []}, 1, route=route)
        self.host = StageHost(instance)
        self.host.shelf = Shelf(database, folder / "media")
        self.settings = Settings(BOTYARD_HOME=folder)

    async def start_channel(self) -> None:
        self.channel = self.host.channel = create()
        await self.channel.open(self.host, SECRET)
        self.host.recover()
        self.receiving = asyncio.create_task(self.channel.receive())
        await asyncio.sleep(0)

    async def kill_channel(self) -> None:
        """As abruptly as one process allows: turns die, connections are cut."""
        assert self.channel is not None and self.receiving is not None and self.channel._server is not None
        await self.host.die()
        self.receiving.cancel()
        for connection in list(self.channel._server._state.connections):
            connection.transport.abort()
        await self.channel.close()

    async def allow(self, *origins: str) -> None:
        config = {"origins": list(origins), "color": "#0d7a5f", "title": "Ada"}
        self.host.instance = replace(self.host.instance, config=config, character=Character(greeting="Hi!"))
        async with self.database.transaction() as conn:
            row = await channels.find_channel(conn, "widget", SLUG)
            await channels.change_channel(conn, row.id, config=config)
            self.host.row_id = row.id
        assert self.channel is not None
        await self.channel.reload()

    def page(self, body: str = "", head: str = "", **headers: str) -> str:
        """A page of the embedding site; returns its address."""
        name = f"/page{len(self.pages)}"
        script = f'<script src="{self.url}/w/{SLUG}.js" defer></script>'
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        html = f'<!doctype html><html lang="en"><title>Shop</title>{head}<link rel="icon" href="data:,">'
        self.pages[name] = (html + f"<body><h1>Shop</h1>{body or script}", named)
        return self.site + name

    def script(self, **data: str) -> str:
        attributes = " ".join(f'data-{key}="{value}"' for key, value in data.items())
        return f'<script src="{self.url}/w/{SLUG}.js" {attributes} defer></script>'

    async def serve_page(self, request: Request) -> HTMLResponse:
        html, headers = self.pages.get(request.url.path, ("", {}))
        return HTMLResponse(html, headers=headers)

    def web_app(self) -> Starlette:
        app = Starlette()
        app.state.services = SimpleNamespace(settings=self.settings, database=self.database)
        app.state.assets = files = Assets(self.cache / "static")
        app.state.templates = Templates(files, self.cache / "templates")
        install(app)
        if hasattr(files, "answer"):
            app.router.routes.append(Route("/static/{digest}/{name}", self.static))
        media = FastAPI()
        media.include_router(media_files)
        media.state = app.state
        app.router.routes.append(Mount("/", media))
        return app

    async def static(self, request: Request) -> Any:
        return request.app.state.assets.answer(request, request.path_params["name"])


async def add_widget(database: Database) -> None:
    async with database.transaction() as conn:
        for slug in (SLUG, "demo"):
            await channels.add_channel(
                conn, kind="widget", slug=slug, name="Shop", config={"origins": []}, enabled=True, secret="x"
            )


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """A uvicorn server on a loopback port; yields its address."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="auto", ws="none",
                            timeout_graceful_shutdown=1)  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        sock.close()


@contextlib.asynccontextmanager
async def staged(url: str, folder: Path, cache: Path) -> AsyncIterator[Stage]:
    """Everything up; the widget's list of websites names `site`, and BOTYARD_HOME is `folder`."""
    database = Database(url)
    one = Stage(database, folder, cache)
    await add_widget(database)
    sites = Starlette(routes=[Route("/{rest:path}", one.serve_page)])
    async with (
        serving(one.faults.around(one.web_app())) as one.url,
        serving(sites) as one.site,
        serving(sites) as one.foreign,
    ):
        await one.start_channel()
        await one.allow(one.site)
        try:
            yield one
        finally:
            await one.kill_channel()
            await database.close()


def events_of(text: str) -> list[dict[str, Any]]:
    """Server-sent events as dicts of id, event and data."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "data" in lines:
            found.append({**lines, "data": json.loads(lines["data"])})
    return found

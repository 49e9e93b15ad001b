"""The endpoints of one widget: visitor, messages, events, stop, new, pictures."""

import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from core.channel import Host
from core.conversation import message_id
from core.messages import Incoming
from core.settings import Settings
from core.sight import sees
from widget.events import Stream
from widget.limits import Limit, network_of
from widget.origins import allowed, own_origins
from widget.pictures import Pictures, take
from widget.refusals import Refused
from widget.requests import Request
from widget.visitors import Chats, Question, Tokens

LONGEST_TEXT = 16_000
MADE = "artifact:"
KEY = re.compile(r"[0-9A-Za-z-]{8,40}\Z")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][0-9A-Za-z]{2,8})?\Z")
UNSTORABLE = re.compile("[\ud800-\udfff\x00]")
logger = logging.getLogger(__name__)


class WidgetApp:
    """An ASGI application; `accepting` is False while the process starts or drains."""

    def __init__(self, host: Host, settings: Settings, tokens: Tokens, chats: Chats) -> None:
        self._host = host
        self._settings = settings
        self._tokens = tokens
        self._chats = chats
        self._streams: set[Stream] = set()
        self._minting = Limit(burst=60, rate=1)
        self._visitors = Limit(burst=30, rate=1)
        self._networks = Limit(burst=300, rate=20)
        self._pictures = Pictures(host)
        self._routes: dict[tuple[str, str], Callable[[Request], Awaitable[None]]] = {
            ("POST", "visitor"): self._mint,
            ("POST", "messages"): self._say,
            ("GET", "messages"): self._history,
            ("GET", "events"): self._events,
            ("POST", "stop"): self._stop,
            ("POST", "new"): self._new,
            ("POST", "pictures"): self._upload,
            ("GET", "pictures"): self._picture,
            ("GET", "media"): self._made,
            ("GET", "links"): self._link,
        }
        self.accepting = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request.of(scope, receive, send)
        headers = request.cors()
        try:
            if not self._permits(request):
                headers = [(b"vary", b"Origin")]
                raise Refused("origin_refused")
            if request.method == "OPTIONS":
                await request.preflight()
                return
            await self._route(request)(request)
        except Refused as error:
            await request.refuse(error, headers)
        except Exception:  # process edge: one request must not end the others
            logger.exception("%s %s failed", request.method, request.name)
            await request.refuse(Refused("failed"), headers)

    def look_again(self) -> None:
        """The configuration changed: streams of pages that are no longer listed end."""
        for stream in self._streams:
            stream.wake()

    def end_streams(self) -> None:
        """Let go of all readers; they come back to the next process."""
        for stream in self._streams:
            stream.end()

    def _permits(self, request: Request) -> bool:
        origins = self._host.instance.config.get("origins") or ()
        return allowed(origins, request.headers, own_origins(request.headers, request.scheme, self._settings))

    def _route(self, request: Request) -> Callable[[Request], Awaitable[None]]:
        found = self._routes.get((request.method, request.name))
        if found is None or (request.item and found not in (self._picture, self._made, self._link)):
            known = any(name == request.name for _, name in self._routes)
            raise Refused("wrong_method" if known else "not_found")
        return found

    def _visitor(self, request: Request) -> str:
        visitor = self._tokens.visitor_of(request.headers.get("x-visitor", ""))
        if visitor is None:
            raise Refused("no_visitor")
        return visitor

    async def _mint(self, request: Request) -> None:
        take(self._minting, network_of(request.address))
        visitor, token = self._tokens.mint()
        await request.answer(201, {"id": visitor, "token": token}, request.cors())

    async def _say(self, request: Request) -> None:
        visitor, key = self._checked(request)
        data = await request.json()
        pictures = await self._pictures.named(data, visitor)
        text = _text_of(data, empty_allowed=bool(pictures))
        if text.lower() == "/stop" and self._host.stop(visitor):
            await request.answer(202, {"id": "", "answer": ""}, request.cors())
            return
        await self._accept(request, visitor, key, Said(text, _language_of(data), pictures))

    async def _new(self, request: Request) -> None:
        visitor, key = self._checked(request)
        data = await request.json()
        self._host.stop(visitor)
        await self._accept(request, visitor, key, Said("/new", _language_of(data)))

    async def _upload(self, request: Request) -> None:
        visitor = self._visitor(request)
        if not self.accepting:
            raise Refused("unavailable", after=1)
        await self._pictures.upload(request, visitor)

    async def _picture(self, request: Request) -> None:
        await self._pictures.show(request, self._visitor(request))

    async def _made(self, request: Request) -> None:
        await self._pictures.show_made(request, self._visitor(request))

    async def _link(self, request: Request) -> None:
        await self._pictures.link_made(request, self._visitor(request))

    async def _stop(self, request: Request) -> None:
        stopped = self._host.stop(self._visitor(request))
        await request.answer(202, {"stopped": stopped}, request.cors())

    async def _history(self, request: Request) -> None:
        visitor = self._visitor(request)
        chat = self._chats.of(visitor)
        after, live = chat.ring.last, chat.live  # before the rows are read: what comes later is replayed
        waiting = list(chat.questions.values())
        answer = {
            "messages": [_public(one) for one in await self._host.history(visitor)],
            "pending": [question.public() for question in waiting],
            "live": {"msg": live[0], "text": live[1]} if live else None,
            "after": str(after),
            "sees": sees(self._host.instance.route),
        }
        await request.answer(200, answer, request.cors())

    async def _events(self, request: Request) -> None:
        chat = self._chats.of(self._visitor(request))
        stream = Stream(request, chat, lambda: self._permits(request))
        self._streams.add(stream)
        try:
            await stream.run()
        finally:
            self._streams.discard(stream)

    def _checked(self, request: Request) -> tuple[str, str]:
        visitor = self._visitor(request)
        key = request.headers.get("idempotency-key", "")
        if not KEY.match(key):
            raise Refused("bad_key")
        if not self.accepting:
            raise Refused("unavailable", after=1)
        take(self._visitors, visitor)
        take(self._networks, network_of(request.address))
        return visitor, key

    async def _accept(self, request: Request, visitor: str, key: str, said: "Said") -> None:
        external = f"{visitor}:{key}"
        widget = self._host.instance.id
        question = Question(
            id=message_id(widget, external, "user"), key=key, text=said.text,
            answer=message_id(widget, external, "assistant"), created_at=time.time(),
            pictures=said.pictures,
        )  # fmt: skip
        raw: dict[str, Any] = {"visitor": visitor, "key": key, "text": said.text}
        raw["language"] = said.language or request.language
        if said.pictures:
            raw["pictures"] = said.pictures
        raw["site"] = urlsplit(request.headers.get("origin", "")).netloc[:200]
        chat = self._chats.of(visitor)
        known = question.answer in chat.questions
        if not known:
            chat.ask(question)
        stored = False
        try:
            stored = (await self._host.accept([Incoming(external, visitor, json.dumps(raw))]))[0]
        finally:
            if not stored and not known:
                chat.forget(question.answer)
        if stored:
            chat.tell(question.answer)
        await request.answer(202, {"id": question.id, "answer": question.answer}, request.cors())


@dataclass(frozen=True, slots=True)
class Said:
    """What a visitor says; `pictures` are refs of their uploads."""

    text: str
    language: str
    pictures: tuple[str, ...] = ()


def _public(message: dict[str, Any]) -> dict[str, Any]:
    """A stored message as the browser gets it."""
    shown = {name: value for name, value in message.items() if name not in ("attachments", "source_id")}
    kept = [(str(one.get("kind")), str(one["ref"])) for one in message.get("attachments") or ()]
    if pictures := [ref for _, ref in kept if not ref.startswith(MADE)]:
        shown["pictures"] = pictures
    if made := [{"id": ref.removeprefix(MADE), "kind": kind} for kind, ref in kept if ref.startswith(MADE)]:
        shown["media"] = made
    if message.get("status") == "working":
        shown["job"] = message.get("source_id")
    return shown


def _language_of(data: dict[str, Any]) -> str:
    """The language of the visitor's page; "" for what is no language's code."""
    language = data.get("language")
    return language if isinstance(language, str) and LANGUAGE.match(language) else ""


def _text_of(data: dict[str, Any], *, empty_allowed: bool) -> str:
    text = data.get("text")
    if not isinstance(text, str) or not (text.strip() or empty_allowed):
        raise Refused("no_text")
    if len(text) > LONGEST_TEXT:
        raise Refused("too_long", length=len(text), limit=LONGEST_TEXT)
    if UNSTORABLE.search(text):
        raise Refused("bad_text")
    return text.strip()

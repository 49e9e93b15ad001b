"""The website widget as a channel: a small HTTP server on a Unix socket, one process per widget."""

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

from core.channel import (
    BadConfiguration,
    Host,
    Identity,
    JobView,
    PictureLost,
    Preview,
    PreviewTarget,
    Unparseable,
)  # fmt: skip
from core.conversation import message_id
from core.messages import Attachment, InboundMessage, OutboundMessage
from core.pictures import Picture
from core.settings import load_settings
from core.texts import text
from widget.app import WidgetApp
from widget.previews import RingPreview
from widget.server import SocketServer
from widget.visitors import Chat, Chats, Question, Tokens

HEARD_EVERY = 5.0
LARGEST_PREVIEW = 64 * 1024
COMMAND = re.compile(r"/([a-z_]{1,32})(?:\s+(.*))?\Z", re.IGNORECASE | re.DOTALL)


class WidgetChannel:
    """Implements core.channel.Channel; the chat key is the visitor's id."""

    def __init__(self) -> None:
        self._chats = Chats()
        self._host: Host | None = None
        self._app: WidgetApp | None = None
        self._server: SocketServer | None = None

    async def open(self, host: Host, token: str) -> Identity:
        """Listen on the widget's socket; `token` signs its visitors' tokens."""
        settings = load_settings()
        instance = host.instance
        if not token:
            raise BadConfiguration("the widget has no secret to sign its visitors' tokens with")
        self._host = host
        self._app = WidgetApp(host, settings, Tokens(token, instance.id), self._chats)
        self._server = SocketServer(self._app, settings.run_dir / f"{instance.kind}-{instance.slug}.sock")
        try:
            await self._server.start()
        except OSError as error:
            raise BadConfiguration(f"cannot listen on the widget's socket: {error.strerror}") from error
        return Identity(f"/w/{instance.slug}.js")

    async def receive(self) -> None:
        """Take messages until cancelled; answers are still streamed while the process drains."""
        if self._app is None or self._host is None:
            raise RuntimeError("receive before open")
        self._app.accepting = True
        try:
            while True:
                self._host.heard()
                await asyncio.sleep(HEARD_EVERY)
        finally:
            self._app.accepting = False

    def parse(self, raw: str) -> InboundMessage | None:
        """A stored message."""
        try:
            data = json.loads(raw)
            visitor, key, text = str(data["visitor"]), str(data["key"]), str(data["text"])
            pictures = tuple(Attachment(str(ref)) for ref in data.get("pictures", ()))
        except (ValueError, KeyError, TypeError) as error:
            raise Unparseable(f"not a widget's message: {error!r}") from error
        command = COMMAND.match(text)
        return InboundMessage(
            chat_key=visitor,
            text=text,
            external_id=f"{visitor}:{key}",
            language=str(data.get("language", "")),
            title=" · ".join(part for part in (str(data.get("site", "")), visitor[:6]) if part),
            command=command[1].lower() if command else None,
            argument=(command[2] or "").strip() if command else "",
            attachments=pictures,
            user_key=visitor,
        )

    async def picture(self, ref: str) -> Picture:
        """A picture that a visitor uploaded. Raises PictureLost."""
        found = await self._host.kept_picture(ref) if self._host else None
        if found is None:
            raise PictureLost("the upload is not kept any more")
        return found

    def preview(self, message: InboundMessage, target: PreviewTarget) -> Preview:
        """Streams the answer to whoever looks; a repeated turn tells its question again."""
        chat = self._chats.of(message.chat_key)
        if message.external_id and target.message_id not in chat.questions:
            self._remember(chat, message, target.message_id)
        chat.tell(target.message_id)
        return RingPreview(chat, target.message_id)

    def _remember(self, chat: Chat, message: InboundMessage, answer: str) -> None:
        if self._host is None:
            return
        asked = message_id(self._host.instance.id, message.external_id, "user")
        key = message.external_id.rpartition(":")[2]
        pictures = tuple(one.ref for one in message.attachments)
        chat.ask(Question(asked, key, message.text, answer, time.time(), pictures))

    async def send(self, message: OutboundMessage, sent: Sequence[str]) -> AsyncIterator[str]:
        """Publish a finished message; rows keep it for whoever is not looking now."""
        if sent:
            return
        chat = self._chats.of(message.chat_key)
        own_id = message.message_id or str(uuid.uuid4())
        chat.tell(own_id)
        question = chat.forget(own_id)
        if question is not None and question.text == "/new":
            chat.ring.publish("status", state="new")
        if chat.live and chat.live[0] == own_id:
            chat.live = None
        more: dict[str, Any] = {"reasoning": message.reasoning} if message.reasoning else {}
        if choices := _choices(message):
            more["buttons"] = choices
        if message.media:
            more["media"] = [{"id": one.artifact, "kind": one.kind} for one in message.media]
        if message.job:
            more["job"] = message.job
        chat.ring.publish("end", msg=own_id, text=message.text, status=message.status, **more)
        yield own_id

    async def progress(self, view: JobView) -> bool:
        """Tell whoever looks how far a job is."""
        chat = self._chats.of(view.chat_key)
        told: dict[str, Any] = {"msg": view.message_id, "text": view.words, "job": view.job}
        if view.fraction is not None:
            told["fraction"] = round(view.fraction, 3)
        if view.preview and len(view.preview) <= LARGEST_PREVIEW:
            told["preview"] = base64.b64encode(view.preview).decode()
        chat.ring.publish("progress", **told)
        return True

    async def reload(self) -> None:
        """The list of websites may have changed."""
        if self._app is not None:
            self._app.look_again()

    async def close(self) -> None:
        """Stop listening."""
        if self._app is not None:
            self._app.end_streams()
        if self._server is not None:
            await self._server.close()


def _choices(message: OutboundMessage) -> list[tuple[str, str]]:
    """Buttons that say a command: their labels and what they say. *Try again* is drawn by the browser."""
    said = [(key, action.replace(":", " ")) for key, action in message.buttons if ":" in action]
    return [(text(key, message.language), f"/{words}") for key, words in said]


def create() -> WidgetChannel:
    """A widget's channel."""
    return WidgetChannel()


def preload() -> None:
    """Rehearse what each widget does first, so that the forks share it."""
    tokens = Tokens("rehearsal" * 5, "rehearsal")
    tokens.visitor_of(tokens.mint()[1])
    SocketServer.rehearse()

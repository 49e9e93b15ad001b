"""A channel kind for tests: keeps what it was asked to send, and fails on demand."""

import json
from collections.abc import AsyncIterator, Sequence

from core.channel import Host, Identity, PictureLost, Preview, PreviewTarget, Unparseable
from core.messages import Attachment, InboundMessage, Incoming, OutboundMessage
from core.pictures import Picture


def incoming(number: int, chat: str, text: str, **extra: object) -> Incoming:
    """An update as this channel's `parse` reads it."""
    return Incoming(str(number), chat, json.dumps({"chat": chat, "text": text, **extra}))


class RecordingPreview:
    """Keeps the text shown."""

    def __init__(self, shown: list[str]) -> None:
        self.shown = shown

    def feed(self, text: str) -> None:
        self.shown.append(text)

    def restart(self) -> None:
        self.shown.append("<restart>")

    async def close(self) -> str | None:
        return None


class RecordingChannel:
    """`sent` holds (chat, text); `faults` are raised by the next sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.messages: list[OutboundMessage] = []
        self.faults: list[Exception] = []
        self.shown: list[str] = []
        self.parts = 1
        self.reloads = 0
        self.pictures: dict[str, Picture] = {}

    async def open(self, host: Host, token: str) -> Identity:
        return Identity("@recording")

    async def receive(self) -> None:
        raise NotImplementedError

    def parse(self, raw: str) -> InboundMessage | None:
        data = json.loads(raw)
        if "text" not in data:
            raise Unparseable("no text")
        if data["text"] == "ignored":
            return None
        command, _, argument = (
            data["text"][1:].partition(" ") if data["text"].startswith("/") else (None, "", "")
        )
        return InboundMessage(
            chat_key=data["chat"], text=data["text"], speaker=data.get("speaker", ""),
            language=data.get("language", "en"), group=data.get("group", False),
            command=command, argument=argument, user_key=data.get("user", ""),
            attachments=tuple(Attachment(ref) for ref in data.get("pictures", ())),
        )  # fmt: skip

    async def picture(self, ref: str) -> Picture:
        if ref not in self.pictures:
            raise PictureLost(ref)
        return self.pictures[ref]

    def preview(self, message: InboundMessage, target: PreviewTarget) -> Preview:
        return RecordingPreview(self.shown)

    async def send(self, message: OutboundMessage, sent: Sequence[str]) -> AsyncIterator[str]:
        for part in range(len(sent), self.parts):
            if self.faults:
                raise self.faults.pop(0)
            text = message.text if self.parts == 1 else f"{message.text} {part + 1}/{self.parts}"
            self.sent.append((message.chat_key, text))
            self.messages.append(message)
            yield str(len(self.sent))

    async def reload(self) -> None:
        self.reloads += 1

    async def close(self) -> None:
        return None

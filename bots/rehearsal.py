"""A bot's life in short, run once before the fork so that children share its memory.

Leaves no event loop, socket or thread behind.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from bots.address import Address
from bots.api import ApiError, BotApi, Unreachable
from bots.formatting import render
from bots.intake import Intake
from bots.limits import Pace
from bots.sending import Sender
from bots.surfaces import DraftSupport, DraftSurface, Stage
from core.channel import PictureLost, PreviewTarget
from core.messages import OutboundMessage

SAMPLE = """# Title
**bold** *italic* ~~gone~~ `code` [link](https://example.org) Привет 👩‍👩‍👧

| a | b |
|---|---|
| 1 | 2 |

- one
- [x] two

> quote

```python
print("x")
```
"""
_MESSAGE = {
    "message_id": 1,
    "chat": {"id": 1, "type": "private", "first_name": "A"},
    "from": {"id": 1, "first_name": "A", "language_code": "en"},
    "text": "/start hello",
}
logger = logging.getLogger(__name__)


def rehearse() -> None:
    """Read, format, poll, preview and send once against a server of our own."""
    Intake(1, "rehearsal").parse(json.dumps({"update_id": 1, "message": _MESSAGE}))
    render(SAMPLE * 3)
    try:
        asyncio.run(_talk())  # not uvloop: it keeps descriptors that a fork must not close
    except (OSError, ApiError, Unreachable):  # a cold path costs memory, not the bot
        logger.warning("the rehearsal of the network path failed", exc_info=True)


async def _talk() -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # bound here: a host name would start threads
    server = await asyncio.start_server(_serve, sock=listener)
    host, port = listener.getsockname()
    api = BotApi(f"http://{host}:{port}", "1:rehearsal")
    try:
        pace = Pace()
        await api.call("getUpdates", {"timeout": 0})
        surface = DraftSurface(
            Stage(api, pace, DraftSupport()), Address(1), PreviewTarget("1", None, lambda external_id: None)
        )
        await surface.show(SAMPLE)
        async for _ in Sender(api, pace, _NoFiles(), "").send(
            OutboundMessage("1", SAMPLE, buttons=(("retry", "retry"),)), ()
        ):
            pass
    finally:
        await api.close()
        server.close()
        await server.wait_closed()


class _NoFiles:
    """Implements core.channel.Files: there are none."""

    async def read(self, key: str) -> bytes:
        raise PictureLost(key)

    async def sent_as(self, artifacts: Sequence[str], name: str) -> Mapping[str, str]:
        return {}

    def remember(self, known: Mapping[str, str], name: str) -> None:
        return None

    async def link(self, artifact: str) -> str:
        return ""


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Just enough HTTP for the rehearsal."""
    body = json.dumps({"ok": True, "result": {"message_id": 1}}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(_length(request))
            writer.write(head.encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


def _length(head: bytes) -> int:
    lines: list[Any] = head.lower().split(b"\r\n")
    return next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)

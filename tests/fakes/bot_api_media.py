"""Photos, videos and albums at the fake Bot API server, with the original's refusals."""

import json
from typing import Any

from aiohttp import web

from tests.fakes.bot_api_rules import Refused
from tests.fakes.bot_api_state import Shown

LONGEST_CAPTION = 1024
LARGEST = {"photo": 10 * 1024 * 1024, "video": 50 * 1024 * 1024, "document": 50 * 1024 * 1024}
KINDS = {"sendPhoto": "photo", "sendVideo": "video", "sendDocument": "document"}
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


def caption_of(params: dict[str, Any]) -> str:
    """The caption of a medium; raises Refused when it is too long."""
    caption = str(params.get("caption") or "")
    if len(caption.encode("utf-16-le")) // 2 > LONGEST_CAPTION:
        raise Refused(400, "Bad Request: message caption is too long")
    return caption


def body_of(params: dict[str, Any], named: Any, kind: str) -> bytes:
    """The uploaded bytes that "attach://name" or a field names; raises Refused as the original does."""
    value = named
    if isinstance(value, str) and value.startswith("attach://"):
        value = params.get(value.removeprefix("attach://"))
    if not isinstance(value, web.FileField):
        raise Refused(400, "Bad Request: wrong remote file identifier specified")
    value.file.seek(0)
    body = bytes(value.file.read())
    if not body:
        raise Refused(400, "Bad Request: file must be non-empty")
    if len(body) > LARGEST[kind]:
        raise Refused(413, "Request Entity Too Large")
    if kind == "photo" and not (body.startswith((JPEG, PNG)) or body[8:12] == b"WEBP"):
        raise Refused(400, "Bad Request: IMAGE_PROCESS_FAILED")
    return body


def put(shown: Shown, params: dict[str, Any], medium: dict[str, Any]) -> None:
    """Show a medium in a message; a message of text becomes one with a medium."""
    kind = medium["type"]
    body = body_of(params, medium["media"], kind)
    shown.text, shown.media = caption_of(medium), [(kind, body)]


def parsed(value: Any) -> Any:
    """A JSON field, as forms carry it."""
    return json.loads(value) if isinstance(value, str) else value

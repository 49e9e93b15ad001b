"""Photos, videos and albums at the fake Bot API server, with the original's refusals."""

import json
import struct
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes.bot_api_rules import Refused

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


@dataclass(frozen=True)
class Kept:
    """A file that a bot has sent: its id works again, for this bot and as what it was sent as."""

    kind: str
    body: bytes


def kept_or_new(params: dict[str, Any], named: Any, kind: str, known: dict[str, Kept]) -> bytes:
    """The bytes of a file that goes out: an upload's, or those that an id stands for."""
    if isinstance(named, str) and not named.startswith("attach://") and (kept := known.get(named)):
        if kept.kind != kind:
            was, wanted = kept.kind.capitalize(), kind.capitalize()
            raise Refused(400, f"Bad Request: can't use file of type {was} as {wanted}")
        return kept.body
    return body_of(params, named, kind)


def remember(known: dict[str, Kept], kind: str, body: bytes) -> str:
    """The id of a file that a bot has sent."""
    name = next((one for one, kept in known.items() if kept == Kept(kind, body)), f"sent-{len(known) + 1}")
    known[name] = Kept(kind, body)
    return name


def told(kind: str, file_id: str) -> dict[str, Any]:
    """The fields of a Message about its file: a photo comes in sizes."""
    if kind != "photo":
        return {kind: {"file_id": file_id}}
    return {"photo": [{"file_id": f"{file_id}-small", "width": 90}, {"file_id": file_id, "width": 800}]}


def check_album(kinds: list[str]) -> None:
    """Raises Refused for what is in no album together."""
    if not 2 <= len(kinds) <= 10:
        raise Refused(400, "Bad Request: there must be from 2 to 10 media in an album")
    if "document" in kinds and set(kinds) != {"document"}:
        raise Refused(400, "Bad Request: documents can't be mixed with other media types")


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
    if kind == "photo" and body.startswith(PNG):
        width, height = struct.unpack(">II", body[16:24])
        if width + height > 10_000 or max(width, height) > 20 * min(width, height):
            raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    return body


def parsed(value: Any) -> Any:
    """A JSON field, as forms carry it."""
    return json.loads(value) if isinstance(value, str) else value

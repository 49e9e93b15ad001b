"""A request's messages as turns."""

import binascii
from collections.abc import Mapping
from typing import Any

from admin.gateway.errors import wrong
from admin.gateway.fields import items, mapping, missing, not_a
from core.pictures import NotAPicture, read_picture
from providers.types import ChatTurn, Image, ToolCall

ROLES = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
}  # fmt: skip
DETAILS = ("", "low", "high", "auto", "original")
LONGEST_URL = 8_000
MOST_MESSAGES = 20_000


def turns_of(body: Mapping[str, Any]) -> tuple[ChatTurn, ...]:
    """The turns of a body's `messages`. Raises ApiError, which names the place."""
    if body.get("messages") is None:
        raise missing("messages")
    messages = items("messages", body["messages"])
    if not 0 < len(messages) <= MOST_MESSAGES:
        raise wrong("messages", f"must have 1 to {MOST_MESSAGES} entries.")
    return tuple(_turn(f"messages[{number}]", message) for number, message in enumerate(messages))


def _turn(place: str, message: Any) -> ChatTurn:
    given = mapping(place, message)
    role = given.get("role")
    if role is None:
        raise missing(f"{place}.role")
    if not isinstance(role, str) or role not in ROLES:
        raise wrong(f"{place}.role", f"must be one of {', '.join(ROLES)}.")
    content = given.get("content")
    text, images = (content, ()) if isinstance(content, str) else _content(f"{place}.content", role, given)
    calls = _calls(f"{place}.tool_calls", given.get("tool_calls")) if role == "assistant" else ()
    call_id = given.get("tool_call_id") if role == "tool" else ""
    if role == "tool" and (not isinstance(call_id, str) or not call_id):
        raise missing(f"{place}.tool_call_id")
    name = given.get("name") or ""
    if not isinstance(name, str):
        raise not_a(f"{place}.name", str, name)
    return ChatTurn(ROLES[role], text, images, calls, str(call_id), name if role == "user" else "")


def _content(place: str, role: str, message: Mapping[str, Any]) -> tuple[str, tuple[Image, ...]]:
    content = message.get("content")
    if content is None:
        if role == "assistant" and (message.get("tool_calls") or message.get("refusal")):
            return "", ()
        raise missing(place)
    texts, images = [], []
    for number, part in enumerate(items(place, content)):
        inner = f"{place}[{number}]"
        kind = mapping(inner, part).get("type")
        if kind in ("text", "refusal"):
            text = part.get(kind)
            if not isinstance(text, str):
                raise missing(f"{inner}.{kind}") if text is None else not_a(f"{inner}.{kind}", str, text)
            texts.append(text)
        elif kind == "image_url" and role == "user":
            images.append(_image(f"{inner}.image_url", part.get("image_url")))
        elif kind == "image_url":
            raise wrong(inner, "only a user's message may have pictures.")
        else:
            raise wrong(f"{inner}.type", "must be text or image_url.")
    if not texts and not images:
        raise wrong(place, "must not be empty.")
    return "\n".join(texts), tuple(images)


def _image(place: str, given: Any) -> Image:
    if isinstance(given, str):
        given = {"url": given}
    if given is None:
        raise missing(place)
    url = mapping(place, given).get("url")
    if not isinstance(url, str):
        raise missing(f"{place}.url") if url is None else not_a(f"{place}.url", str, url)
    detail = given.get("detail") or ""
    if detail not in DETAILS:
        raise wrong(f"{place}.detail", "must be low, high or auto.")
    if url[:5].lower() == "data:":
        return Image(_data_url(f"{place}.url", url), detail)
    if url[:8].lower() != "https://" or len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        raise wrong(f"{place}.url", "must be an https:// address or a data: URL with base64.")
    return Image(url, detail)


def _data_url(place: str, url: str) -> str:
    head, comma, data = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise wrong(place, "a data: URL must be data:image/TYPE;base64,...")
    try:
        mime = read_picture(binascii.a2b_base64(data)).mime
    except NotAPicture as error:
        raise wrong(place, f"must be a PNG, JPEG, WebP or GIF ({error}).", "invalid_image") from None
    except ValueError:
        raise wrong(place, "is not base64.", "invalid_image") from None
    return f"data:{mime};base64,{data}"


def _calls(place: str, given: Any) -> tuple[ToolCall, ...]:
    if given is None:
        return ()
    calls = []
    for number, call in enumerate(items(place, given)):
        inner = f"{place}[{number}]"
        function = mapping(f"{inner}.function", mapping(inner, call).get("function"))
        values = {"id": call.get("id"), "function.name": function.get("name"),
                  "function.arguments": function.get("arguments", "")}  # fmt: skip
        for name, value in values.items():
            if not isinstance(value, str):
                raise missing(f"{inner}.{name}") if value is None else not_a(f"{inner}.{name}", str, value)
        calls.append(ToolCall(*values.values()))
    return tuple(calls)

"""A turn's words and pictures as vendors take them."""

import re
from typing import Any

from providers.types import ChatTurn, Image

DATA_URL = re.compile(r"data:([a-z0-9.+/-]+);base64,")


def openai_content(turn: ChatTurn) -> str | list[dict[str, Any]]:
    """The content of a message in OpenAI's shape."""
    if not turn.images:
        return turn.text
    words = [{"type": "text", "text": turn.text}] if turn.text else []
    return [*words, *({"type": "image_url", "image_url": _address(image)} for image in turn.images)]


def anthropic_content(turn: ChatTurn) -> str | list[dict[str, Any]]:
    """The content of a message in Anthropic's shape: pictures go before the words."""
    if not turn.images:
        return encodable(turn.text)
    words = [{"type": "text", "text": encodable(turn.text)}] if turn.text else []
    return [*({"type": "image", "source": _source(image)} for image in turn.images), *words]


def encodable(text: str) -> str:
    """The text without lone halves of characters, which the SDK cannot send."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _address(image: Image) -> dict[str, str]:
    return {"url": image.url, **({"detail": image.detail} if image.detail else {})}


def _source(image: Image) -> dict[str, str]:
    found = DATA_URL.match(image.url)
    if found is None:
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": found[1], "data": image.url[found.end() :]}

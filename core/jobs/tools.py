"""Tools that let a model itself order pictures and videos in a chat."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.media.intents import Intent
from core.media.routes import IMAGE, VIDEO, MediaRoute
from providers.media.types import Task

NAMES = {"make_image": IMAGE, "make_video": VIDEO}
ABOUT = {
    IMAGE: "Draw a picture for the user, or change the newest picture of this conversation. It is made in "
    "the background and appears in the chat by itself. Use it only when the user wants a picture.",
    VIDEO: "Make a short video for the user, from words or from the newest picture of this conversation. It "
    "is made in the background and appears in the chat by itself. Use it only when the user wants a video.",
}
PROMPT = "What it should show, in full: subject, style, light, colours. In English."
EDIT = "True to work on the newest picture of the conversation instead of beginning anew."
LONGEST_ARGUMENTS = 20_000


def tools_of(media: Mapping[str, MediaRoute]) -> tuple[dict[str, Any], ...]:
    """The tools of an instance, in OpenAI's shape."""
    return tuple(_tool(name, media[makes]) for name, makes in NAMES.items() if makes in media)


def intent_of(calls: Sequence[tuple[str, str]]) -> Intent | None:
    """What a model's calls (name, arguments as JSON text) ask for: the first that makes sense."""
    for name, arguments in calls:
        makes = NAMES.get(name)
        if makes is None or len(arguments) > LONGEST_ARGUMENTS:
            continue
        try:
            asked = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            continue
        prompt = asked.get("prompt") if isinstance(asked, dict) else None
        if isinstance(prompt, str) and prompt.strip():
            return Intent(makes, prompt.strip(), edits=asked.get("edit") is True)
    return None


def _tool(name: str, route: MediaRoute) -> dict[str, Any]:
    fields: dict[str, Any] = {"prompt": {"type": "string", "description": PROMPT}}
    if {Task.IMAGE_TO_IMAGE, Task.IMAGE_TO_VIDEO} & route.tasks:
        fields["edit"] = {"type": "boolean", "description": EDIT}
    parameters = {"type": "object", "properties": fields, "required": ["prompt"]}
    function = {"name": name, "description": ABOUT[route.makes], "parameters": parameters}
    return {"type": "function", "function": function}

"""The commands of a bot: how they are read, and the menu that the app shows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

DRAWING = ("image", "draw", "imagine", "tryon", "video")
COMMANDS = ("start", "new", "retry", "stop", "length", "help", *DRAWING)
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@(\w{1,64}))?(?:\s+(.*))?", re.DOTALL | re.ASCII)

MENUS: dict[str, dict[str, str]] = {
    "": {
        "new": "Start a new conversation",
        "retry": "Answer the last question again",
        "stop": "Stop the answer",
        "length": "Shorter or longer answers",
        "help": "What I can do",
    },
    "ru": {
        "new": "Начать новый разговор",
        "retry": "Ответить на последний вопрос ещё раз",
        "stop": "Остановить ответ",
        "length": "Короче или длиннее отвечать",
        "help": "Что я умею",
    },
}

MADE: dict[str, dict[str, str]] = {  # in the menu of a bot that can make it
    "image": {"": "Make a picture", "ru": "Сделать картинку"},
    "video": {"": "Make a video", "ru": "Сделать видео"},
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command as typed; `bot` is the name after the @, in lower case."""

    name: str
    bot: str
    argument: str


def read_command(text: str) -> Command | None:
    """The command that a text is, if it is one."""
    found = _COMMAND.fullmatch(text) if text.startswith("/") else None
    if found is None:
        return None
    name, bot, argument = found.groups()
    return Command(name.lower(), (bot or "").lower(), (argument or "").strip())


def menu(language: str, makes: Iterable[str] = ()) -> list[dict[str, str]]:
    """The menu in a language ("" for everyone else), as the Bot API takes it; `makes` is what the bot can
    make: image, video."""
    entries = {**{name: MADE[name][language] for name in sorted(makes)}, **MENUS[language]}
    return [{"command": name, "description": words} for name, words in entries.items()]

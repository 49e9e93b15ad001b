"""What a person wants made, told from a command or from plain words."""

import re
from dataclasses import dataclass, field
from typing import Any

from core.media.routes import IMAGE, VIDEO

TRY_ON = "tryon"
COMMANDS = {"image": IMAGE, "draw": IMAGE, "imagine": IMAGE, TRY_ON: IMAGE, "video": VIDEO}
_OF = r"(?:\s+(?:of|with|showing|about|where|with\s+a))?"
_PLEASE = r"(?:please[,\s]+|can\s+you\s+|could\s+you\s+)?"
_PRAY = r"(?:пожалуйста[,\s]+)?"
_PICTURE = r"(?:image|picture|photo|drawing|illustration|painting|poster|logo|sketch|portrait)"
_CLIP = r"(?:video|clip|animation|movie)"
_KARTINA = r"(?:картинк[уи]|изображение|рисунок|фото|иллюстрацию|постер|логотип|портрет)"
_ROLIK = r"(?:видео|ролик|клип|анимацию|мультик)"
_DO = r"(?:сгенерируй|создай|сделай|нарисуй|сними)(?:те)?"
DRAWS = {
    IMAGE: (
        rf"{_PLEASE}(?:draw|paint|sketch)\s+(?:me\s+|us\s+)?(?P<what>.+)",
        rf"{_PLEASE}(?:generate|create|make|produce)\s+(?:me\s+|us\s+)?(?:an?\s+|the\s+)?{_PICTURE}{_OF}"
        r"\s+(?P<what>.+)",
        rf"{_PRAY}(?:нарисуй|изобрази)(?:те)?\s+(?:мне\s+|нам\s+|пожалуйста\s+)?(?P<what>.+)",
        rf"{_PRAY}{_DO}\s+(?:мне\s+|нам\s+)?{_KARTINA}(?:\s+(?:с|про|где))?\s+(?P<what>.+)",
    ),
    VIDEO: (
        rf"{_PLEASE}(?:generate|create|make|produce|shoot)\s+(?:me\s+|us\s+)?(?:an?\s+|the\s+)?"
        rf"{_CLIP}{_OF}\s+(?P<what>.+)",
        rf"{_PRAY}{_DO}\s+(?:мне\s+|нам\s+)?{_ROLIK}(?:\s+(?:с|про|где|о))?\s+(?P<what>.+)",
    ),
}
EDITS = (
    r"(?:now\s+)?(?:make|turn|change|recolou?r|redraw|paint|restyle)\s+(?:it|this|him|her|them|the\s)\b.*",
    r"(?:now\s+)?(?:remove|erase|add|replace|put)\s+.+",
    r"(?:теперь\s+)?(?:сделай|преврати|перекрась|перерисуй|измени|раскрась)(?:те)?\s+.+",
    r"(?:теперь\s+)?(?:убери|удали|добавь|замени|помести)(?:те)?\s+.+",
)
TRIES = (
    r"try\s+on\b.*",
    r"try\s+(?:this|that|these|those|it|them|the\s+[\w\s]{1,40}?)\s+on\b.*",
    r"(?:примерь|примерьте|примерить)\b.*",
)
SHORTER = re.compile(r"(?:short|long|brief|simpl|коро|длин|прощ|подробн)", re.IGNORECASE)
_FLAGS = re.IGNORECASE | re.DOTALL
DRAWING = [(makes, re.compile(rf"{one}\Z", _FLAGS)) for makes in (VIDEO, IMAGE) for one in DRAWS[makes]]
TRYING = [re.compile(rf"{_PLEASE}{_PRAY}{one}\Z", _FLAGS) for one in TRIES]
EDITING = [re.compile(rf"{_PLEASE}{_PRAY}{one}\Z", _FLAGS) for one in EDITS]
OPTION = re.compile(r"(?:^|\s)--([a-z][a-z_]{0,30})(?:[=\s]+(?!--)(\S+))?")
LONGEST = 2000  # characters; longer texts are no orders
NUMBERS = {"width": int, "height": int, "count": int, "seed": int, "seconds": float, "strength": float}
SIZE = re.compile(r"(\d{1,6})[x×*](\d{1,6})\Z")
ALIASES = {"n": "count", "no": "negative", "duration": "seconds"}


@dataclass(frozen=True, slots=True)
class Intent:
    """Something to be made: `makes` is image or video, `edits` whether it works on a picture that is there,
    `wears` whether somebody is to be shown in a garment; `fields` are those of a Wish, `params` the rest of
    what was asked by name."""

    makes: str
    prompt: str
    edits: bool = False
    wears: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


def from_command(command: str, argument: str) -> Intent | None:
    """The intent of "/image a harbour --seed 7 --size 1024x768"; None for other commands."""
    makes = COMMANDS.get(command)
    if makes is None:
        return None
    fields: dict[str, Any] = {}
    params: dict[str, Any] = {}
    for name, value in OPTION.findall(argument):
        _option(ALIASES.get(name, name), value, fields, params)
    words = OPTION.sub("", argument).strip()
    return Intent(makes, words, wears=command == TRY_ON, fields=fields, params=params)


def from_words(text: str, *, pictured: bool) -> Intent | None:
    """The intent of plain words: a drawing, or (with a picture at hand) a change of it; None for talk."""
    words = " ".join(text.split())
    if not words or len(words) > LONGEST or words.endswith("?"):
        return None
    for makes, pattern in DRAWING:
        if found := pattern.match(words):
            return Intent(makes, found["what"].rstrip(" .!"))
    if pictured and any(one.match(words) for one in TRYING):
        return Intent(IMAGE, words, wears=True)
    if pictured and not SHORTER.search(words) and any(one.match(words) for one in EDITING):
        return Intent(IMAGE, words, edits=True)
    return None


def _option(name: str, value: str, fields: dict[str, Any], params: dict[str, Any]) -> None:
    if name == "size" and (size := SIZE.match(value)):
        fields["width"], fields["height"] = int(size[1]), int(size[2])
    elif name == "negative":
        fields["negative"] = value.replace("_", " ")
    elif name in NUMBERS:
        fields[name] = _number(value, NUMBERS[name])
    else:
        params[name] = _value(value)


def _number(value: str, kind: type) -> Any:
    """A number as its field takes it; -1, which no field takes, for what is none."""
    try:
        return kind(value)
    except ValueError:
        return -1


def _value(value: str) -> Any:
    """An option of a model's own, by what it looks like."""
    if value.lower() in ("", "true", "on", "yes"):
        return True
    if value.lower() in ("false", "off", "no"):
        return False
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value

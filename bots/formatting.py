"""Markdown as models write it -> text and entities as the Bot API takes them.

Entities and no parse_mode, so that no text can be refused for its markup.
"""

import logging
import re
from typing import Any

from telegramify_markdown import RenderConfig, convert

from bots.characters import is_empty, printable
from bots.splitting import Part, split

LONGEST_FORMATTED = 60_000  # characters; beyond, plain text
LONGEST_THOUGHTS = 1500  # characters
MOST_FORMULAS = 100  # openings of LaTeX; beyond, they are left as they are
NOTHING = "…"
LINKS = ("https://", "http://", "tg://", "mailto:", "tel:")
_TAG = re.compile(r"<(?!(?:https?://|mailto:)[^\s<>]{1,500}>)")
_EMPTY_CELLS = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
_RARE_OPENING = ("\u2e28", "\u2e26", "\u2e24")  # punctuation like "<", of the same length
_RARE_BAR = ("\u2e2f", "\u2e2e", "\u2e2a")
logger = logging.getLogger(__name__)


def _config() -> RenderConfig:
    config = RenderConfig.isolated()
    symbols = config.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = ""
    symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.unordered_list_item = "•"
    symbols.task_uncompleted = "☐"
    symbols.image = "🖼 "
    return config


_CONFIG = _config()


def render(text: str, *, plain: bool = False, thoughts: str = "", title: str = "") -> list[Part]:
    """The messages that show a text: at least one, none empty, none above the limit. `thoughts` stand
    before it in a quote that unfolds, under a title."""
    text = printable(text)
    shown, entities = (text, []) if plain or len(text) > LONGEST_FORMATTED else _formatted(text)
    if is_empty(shown) and not is_empty(text):
        shown, entities = text, []
    if not is_empty(thoughts):
        shown, entities = _with_thoughts(shown, entities, title, printable(thoughts).strip())
    return split(shown, entities) or [Part(NOTHING)]


def _with_thoughts(
    shown: str, entities: list[dict[str, Any]], title: str, thoughts: str
) -> tuple[str, list[dict[str, Any]]]:
    if len(thoughts) > LONGEST_THOUGHTS:
        thoughts = thoughts[:LONGEST_THOUGHTS].rstrip() + NOTHING
    quote = f"{title}\n{thoughts}"
    moved = _units(quote) + 2
    first = [
        {"type": "expandable_blockquote", "offset": 0, "length": _units(quote)},
        {"type": "bold", "offset": 0, "length": _units(title)},
    ]
    rest = [{**entity, "offset": entity["offset"] + moved} for entity in entities]
    return f"{quote}\n\n{shown}", [*first, *rest]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _formatted(text: str) -> tuple[str, list[dict[str, Any]]]:
    """The converter drops whatever looks like HTML and reads a||b||c as hidden text, so both signs are
    exchanged for rare ones of the same length and put back afterwards."""
    opening = next((char for char in _RARE_OPENING if char not in text), None)
    bar = next((char for char in _RARE_BAR if char not in text), None)
    if opening is None or bar is None:
        return text, []
    source = _TAG.sub(opening, text)
    if "||" in source:
        source = _EMPTY_CELLS.sub(lambda row: row.group().replace("||", "| |"), source)
        source = source.replace("||", bar * 2)
    formulas = text.count("\\[") + text.count("\\(") <= MOST_FORMULAS
    try:
        shown, entities = convert(source, latex_escape=formulas, config=_CONFIG)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        logger.warning("a text of %s characters could not be formatted", len(text), exc_info=True)
        return text, []
    back = str.maketrans({opening: "<", bar: "|"})
    raw = [_back(entity.to_dict(), back) for entity in entities]
    return shown.translate(back), _allowed(raw)


def _back(entity: dict[str, Any], back: dict[int, str]) -> dict[str, Any]:
    return {key: value.translate(back) if isinstance(value, str) else value for key, value in entity.items()}


def _allowed(entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In order, without quotes inside quotes and links that lead nowhere."""
    kept, quoted_to = [], 0
    for entity in sorted(entities, key=lambda one: (one["offset"], -one["length"])):
        if entity["type"] == "text_link" and not entity.get("url", "").lower().startswith(LINKS):
            continue
        if entity["type"].endswith("blockquote"):
            if entity["offset"] < quoted_to:
                continue
            quoted_to = entity["offset"] + entity["length"]
        kept.append(entity)
    return kept

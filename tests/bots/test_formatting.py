"""Markdown of models becomes messages that the server takes, with no word lost."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.formatting import render
from bots.splitting import LONGEST, Part
from tests.fakes.bot_api_rules import check_text

LONG = """# Opening hours 🕘

| day | from | to |
|:----|:----:|---:|
| Mon | 9:00 | 18:00 |
| Sun | closed 😴 | |

Some **bold**, *italic*, ~~old~~ and `inline <code>` words, see [our page](https://example.org/a_b?c=1&d=2).

```python
def hours(day: str) -> list[str]:
    return ["9:00", "18:00"] if day < "Sun" else []
```

> A quote with 👩‍👩‍👧‍👦 and 🇷🇺.

1. one
   - nested **two**
2. three
- [ ] open
- [x] done

"""


def accepted(parts: list[Part]) -> None:
    """As the server checks it."""
    for part in parts:
        check_text({"text": part.text, "entities": part.entities})


def only(markdown: str) -> Part:
    parts = render(markdown)
    accepted(parts)
    assert len(parts) == 1
    return parts[0]


def kinds(part: Part) -> dict[str, str]:
    """Entity type -> the text that it covers."""
    units = part.text.encode("utf-16-le")
    return {
        one["type"]: units[one["offset"] * 2 : (one["offset"] + one["length"]) * 2].decode("utf-16-le")
        for one in part.entities
    }


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("plain", "plain", {}),
        ("😀 **bold** *it*", "😀 bold it", {"bold": "bold", "italic": "it"}),
        ("`a<b>`", "a<b>", {"code": "a<b>"}),
        ("```py\nx < y\n```", "x < y", {"pre": "x < y"}),
        ("[a](https://b.c)", "a", {"text_link": "a"}),
        ("[a](/relative)", "a", {}),
        ("<https://b.c>", "https://b.c", {"text_link": "https://b.c"}),
        ("<div>hi</div> & <b>x</b>", "<div>hi</div> & <b>x</b>", {}),
        ("List<String> x", "List<String> x", {}),
        ("Use the <form> tag", "Use the <form> tag", {}),
        ("<!-- note --> <br/> x", "<!-- note --> <br/> x", {}),
        ("a < b && c > d || e", "a < b && c > d || e", {}),
        ("x || y || z", "x || y || z", {}),
        ("**unclosed", "**unclosed", {}),
        ("# Title", "Title", {"bold": "Title", "underline": "Title"}),
        ("- a\n- b", "• a\n• b", {}),
        ("from $5 (or $6)", "from $5 (or $6)", {}),
        ("snake_case_name 2*3*4", "snake_case_name 234", {"italic": "3"}),
        ("> a\n> > b", "a\nb", {"blockquote": "a\nb"}),
    ],
)
def test_corpus(markdown: str, text: str, entities: dict[str, str]) -> None:
    part = only(markdown)
    assert part.text.replace("\n\n", "\n") == text
    assert kinds(part) == entities


def test_a_table_is_aligned() -> None:
    assert only("| a | b |\n|---|---|\n| 1 || 2 |").text.startswith("a | b\n--+--\n1 |")


@pytest.mark.parametrize("empty", ["", " ", "\n\n", "\u200b", "\x00", "``` \n ```", "\u2060\ufe0f"])
def test_nothing_is_never_sent(empty: str) -> None:
    parts = render(empty)
    accepted(parts)
    assert len(parts) == 1


def test_what_vanishes_when_formatted_is_shown_plain() -> None:
    assert only("[](https://a.b)").text == "[](https://a.b)"
    assert only("[a]: https://b.c").text == "[a]: https://b.c"


def test_lone_surrogates_and_control_characters() -> None:
    assert only("a\ud800b\x07c\r\nd").text == "a\ufffdb c\nd"


def test_a_long_answer_with_table_fence_and_emoji_fits_two_messages() -> None:
    markdown = LONG * (4000 // len(LONG))
    parts = render(markdown)
    accepted(parts)
    assert len(parts) <= 2


def test_a_cut_prefers_the_end_of_a_paragraph_and_never_splits_an_emoji() -> None:
    words = ("word " * 500 + "\n\n") * 4
    parts = render(words, plain=True)
    assert [part.text.count("word") for part in parts] == [500] * 4
    family = "👩‍👩‍👧‍👦"
    parts = render(family * 1000, plain=True)
    accepted(parts)
    assert all(part.text.replace(family, "") == "" for part in parts)


def test_a_fence_goes_on_in_the_next_message() -> None:
    parts = render("```py\n" + "x = 1\n" * 2000 + "```")
    accepted(parts)
    assert len(parts) == 3
    assert all(part.entities[0]["type"] == "pre" and part.entities[0]["language"] == "py" for part in parts)


@pytest.mark.parametrize(
    "hostile",
    [
        "||a\n" + "> " * 40 + "x||",
        "\\[" * 30_000,
        "[" * 20_000,
        "*a_" * 10_000,
        "`" * 30_000,
        "> " * 5_000 + "x",
        "| a " * 5_000 + "|\n" + "|---" * 5_000 + "|\n",
        "x" * 1_000_000,
    ],
)
def test_hostile_markdown_costs_no_time(hostile: str) -> None:
    begun = time.process_time()
    accepted(render(hostile)[:5])
    assert time.process_time() - begun < 2


def test_every_prefix_of_a_stream_is_accepted() -> None:
    for end in range(0, len(LONG), 3):
        accepted(render(LONG[:end]))


SIGNS = "** * _ ~~ ` | || # > - [ ]( ) < <b> </div> " + (
    "\\ $ $$ \\[ \\] &lt; |---| 1. https://a.b word Привет 😀 👩‍👩‍👧"
)
OTHERS = [
    "```",
    "```py\n",
    "\n",
    "\n\n",
    "- [x] ",
    "e\u0301",
    "\ud83d",
    "\udc00",
    "\u200d",
    "\x00",
    "\t",
    "    ",
]
pieces = st.lists(st.sampled_from([*SIGNS.split(), *OTHERS, " "]) | st.text(max_size=6), max_size=60)


@settings(max_examples=300, deadline=None)
@given(pieces)
def test_anything_is_accepted(parts: list[str]) -> None:
    accepted(render("".join(parts)))


@settings(max_examples=60, deadline=None)
@given(pieces, st.integers(1, 400))
def test_anything_long_is_accepted_and_fits(parts: list[str], times: int) -> None:
    shown = render("".join(parts) * times)[:20]
    accepted(shown)
    assert all(len(part.text.encode("utf-16-le")) // 2 <= LONGEST for part in shown)


@given(st.text())
def test_plain_text_keeps_every_word(text: str) -> None:
    words = "".join(part.text for part in render(text, plain=True))
    assert [c for c in words if c.isalnum()] == [
        c for c in text.encode("utf-8", "replace").decode() if c.isalnum()
    ]


def test_thoughts_are_a_quote_that_unfolds_before_the_answer() -> None:
    (part,) = render("**Yes** 👍", thoughts="First 👩‍👩‍👧, then that.", title="How I thought")
    assert part.text == "How I thought\nFirst 👩‍👩‍👧, then that.\n\nYes 👍"
    quote, title, bold = part.entities
    units = part.text.encode("utf-16-le")
    assert (quote["type"], title["type"], bold["type"]) == ("expandable_blockquote", "bold", "bold")
    assert units[: quote["length"] * 2].decode("utf-16-le").endswith("then that.")
    end = bold["offset"] + bold["length"]
    assert units[bold["offset"] * 2 : end * 2].decode("utf-16-le") == "Yes"


def test_long_thoughts_are_cut_and_empty_ones_left_out() -> None:
    (part,) = render("Yes", thoughts="x" * 90_000, title="How I thought")
    assert len(part.text) < 1600 and part.text.endswith("…\n\nYes")
    assert render("Yes", thoughts=" \n", title="How I thought") == render("Yes")

"""Reasoning told apart from the answer, and text made fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.surrogates import Mender
from providers.thinking import ThinkingSplitter
from providers.types import Text, Thinking


def _split(text: str, cuts: list[int]) -> tuple[str, str, bool]:
    splitter, pieces = ThinkingSplitter(), []
    edges = [0, *sorted(cuts), len(text)]
    for start, end in zip(edges, edges[1:], strict=False):
        pieces += splitter.feed(text[start:end])
    pieces += splitter.close()
    visible = "".join(piece.text for piece in pieces if isinstance(piece, Text))
    thought = "".join(piece.text for piece in pieces if isinstance(piece, Thinking))
    return visible, thought, splitter.open


CASES = [
    ("<think>a < b</think>Yes.", "Yes.", "a < b", False),
    ("Hi <think>why</think>there", "Hi there", "why", False),
    ("<thinking>x</thinking><think>y</think>z", "z", "xy", False),
    ("a < b <thin <thi>", "a < b <thin <thi>", "", False),
    ("Use `<think>` and `</think>` tags", "Use `<think>` and `</think>` tags", "", False),
    ("<think>never closed", "", "never closed", True),
    ("no opening</think>Yes.", "no openingYes.", "", False),
    ("<think>nested <think> word</think>Yes.", "Yes.", "nested <think> word", False),
    ("ends with <th", "ends with <th", "", False),
    ("<think>a<think>b</think>Yes.", "Yes.", "a<think>b", False),
    ("<think>the `</think>` tag</think>Yes.", "Yes.", "the `</think>` tag", False),
    ("<think>it is `x`</think>Yes.", "Yes.", "it is `x`", False),
    ("<think>it is `x`</think>", "", "it is `x`", False),
    ("say ``a ` <think>`` or `x`<think>no</think>Yes.", "say ``a ` <think>`` or `x`Yes.", "no", False),
    ("a lone ` tick\n<think>no</think>Yes.", "a lone ` tick\nYes.", "no", False),
    ("```xml\n<think>\n</think>\n```\nYes.", "```xml\n<think>\n</think>\n```\nYes.", "", False),
    ("```\na\n```\n<think>no</think>Yes.", "```\na\n```\nYes.", "no", False),
    ("````\n```\n<think>\n````\n<think>no</think>!", "````\n```\n<think>\n````\n!", "no", False),
    ("~~~\n```\n<think>\n~~~\n<think>no</think>!", "~~~\n```\n<think>\n~~~\n!", "no", False),
    ("- list\n  ```\n  <think>\n  ```\n", "- list\n  ```\n  <think>\n  ```\n", "", False),
    ("```<think>``` is a tag <think>no</think>!", "```<think>``` is a tag !", "no", False),
    ("```py\n```py\n<think>", "```py\n```py\n<think>", "", False),
    ("<think>```\ncode</think>```\n<think>", "```\n<think>", "```\ncode", False),
    ("never closed ```\n<think>no</think>!", "never closed ```\n!", "no", False),
]


@pytest.mark.parametrize(("text", "visible", "thought", "unclosed"), CASES)
def test_every_cut(text: str, visible: str, thought: str, unclosed: bool) -> None:
    for cut in range(len(text) + 1):
        assert _split(text, [cut]) == (visible, thought, unclosed)
    assert _split(text, list(range(len(text)))) == (visible, thought, unclosed)


@given(
    st.lists(
        st.sampled_from(
            ["<think>", "</think>", "<", "`", "``", "```", "~~~", "a", " ", "<th", "</", "think>", "\n", "🙂"]
        ),
        max_size=16,
    ),
    st.lists(st.integers(0, 120), max_size=12),
)
@settings(max_examples=500)
def test_cuts_never_matter(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    assert _split(text, [min(cut, len(text)) for cut in cuts]) == _split(text, [])


@given(st.text(alphabet="`~\n a<>"), st.integers(0, 50))
def test_nothing_is_lost_where_there_is_no_tag(text: str, cut: int) -> None:
    assert _split(text, [min(cut, len(text))]) == (text, "", False)


@given(st.text(), st.integers(0, 50))
def test_text_without_tags_passes(text: str, cut: int) -> None:
    assert _split(text.replace("<", ""), [min(cut, len(text.replace("<", "")))])[0] == text.replace("<", "")


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["\ud83d", "\ude42!"], "🙂!"),
        (["a\ud83d"], "a\ufffd"),
        (["\ud83d", "b"], "\ufffdb"),
        (["\ude42b"], "\ufffdb"),
        (["a\0b", "c"], "abc"),
        (["\ud83d", "", "\ude42"], "🙂"),
    ],
)
def test_halves_of_characters(pieces: list[str], expected: str) -> None:
    mender = Mender()
    assert "".join(mender.feed(piece) for piece in pieces) + mender.close() == expected


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_mended_text_can_be_stored(pieces: list[str]) -> None:
    mender = Mender()
    text = "".join(mender.feed(piece) for piece in pieces) + mender.close()
    assert "\0" not in text
    text.encode()

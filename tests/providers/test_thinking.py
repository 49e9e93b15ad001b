"""Reasoning told apart from the answer, and text made fit."""

import pytest
from hypothesis import given
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
]


@pytest.mark.parametrize(("text", "visible", "thought", "unclosed"), CASES)
def test_every_cut(text: str, visible: str, thought: str, unclosed: bool) -> None:
    for cut in range(len(text) + 1):
        assert _split(text, [cut]) == (visible, thought, unclosed)
    assert _split(text, list(range(len(text)))) == (visible, thought, unclosed)


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<", "`", "a", "<th", "</", "think>", "\n", "🙂"]),
        max_size=12,
    ),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_cuts_never_matter(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    assert _split(text, [min(cut, len(text)) for cut in cuts]) == _split(text, [])


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

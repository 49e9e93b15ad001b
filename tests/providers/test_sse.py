"""Server-sent events, whatever the pieces they come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ProviderError
from providers.sse import LONGEST_EVENT, Event, SseDecoder

STREAM = (
    '\ufeff: hello\n\ndata: {"a": 1}\n\nevent: delta\r\ndata: привет\r\ndata: 🙂\r\n\r\n'
    "id: 7\rdata:no space\r\rretry: 5\n\nevent: unused\n\ndata: last\n"
).encode()
EVENTS = [Event("", '{"a": 1}'), Event("delta", "привет\n🙂"), Event("", "no space"), Event("", "last")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_split_at_any_bytes(cuts: list[int]) -> None:
    decoder, events = SseDecoder(), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in zip(edges, edges[1:], strict=False):
        events += decoder.feed(STREAM[start:end])
    assert events + decoder.close() == EVENTS
    assert decoder.comments == 1


def test_byte_by_byte() -> None:
    decoder, events = SseDecoder(), []
    for byte in STREAM:
        events += decoder.feed(bytes([byte]))
    assert events + decoder.close() == EVENTS


def test_a_broken_byte_is_replaced() -> None:
    assert SseDecoder().feed(b"data: \xff\n\n") == [Event("", "\ufffd")]


@pytest.mark.parametrize("piece", [b"x" * 70_000, b"data: " + b"x" * 70_000 + b"\n"])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    decoder = SseDecoder()
    with pytest.raises(ProviderError):
        for _ in range(LONGEST_EVENT // 70_000 + 2):
            decoder.feed(piece)

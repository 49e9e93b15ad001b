"""Stems: one form for the forms of a word."""

import threading

import pytest

from core.knowledge.stems import STOP_WORDS, stem, stems, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I return the items?", ["return", "item"]),
        ("Доставка доставки доставкой", ["доставк"] * 3),
        ("ёлка Елка ЁЛКИ", ["елк"] * 3),
        ("BOTYARD_HOME=./data", ["botyard", "home", "data"]),
        ("Telegram-боты", ["telegram", "бот"]),
        ("ﬁle １２", ["file", "12"]),
        ("", []),
        ("🙂 … \ud800 \x00", []),
    ],
)
def test_stems_of_a_text(text: str, expected: list[str]) -> None:
    assert stems(text) == expected


def test_words_keep_stop_words() -> None:
    assert words("What IS it?") == ["what", "is", "it"]
    assert {"what", "как"} <= STOP_WORDS


def test_a_very_long_word_is_cut() -> None:
    assert len(stem("a" * 100_000)) == 40


def test_every_stem_can_be_searched() -> None:
    assert all(found.isalnum() for found in stems("don't a\"b OR (x) AND NEAR * ^c 1e5 v2.0 _x_ ٣ 中文 é"))


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[str] = []

    def check(start: int) -> None:
        for number in range(start, start + 300):
            if stem(f"running{'s' * (number % 7)}") == "" or stem("доставки") != "доставк":
                wrong.append("x")
            stem.cache_clear()

    threads = [threading.Thread(target=check, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong

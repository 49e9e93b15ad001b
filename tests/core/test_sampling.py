"""Generation settings: the nearest one holds, and a length means words and a ceiling."""

import pytest

from core.sampling import CEILINGS, HINTS, LENGTHS, length_hint, merged, to_sampling


def test_the_nearest_setting_holds_and_strangers_are_dropped() -> None:
    route = {"temperature": 0.2, "top_p": 0.9, "deadline": 30}
    assert merged(route, {"temperature": 0.0, "length": None}, {"length": "short"}) == {
        "temperature": 0.0,
        "top_p": 0.9,
        "length": "short",
    }


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_has_words_in_each_language_and_a_ceiling(length: str) -> None:
    assert length_hint({"length": length}, "ru") == HINTS[length]["ru"] != HINTS[length]["en"]
    assert length_hint({"length": length}, "de") == HINTS[length]["en"]
    assert to_sampling({"length": length}).max_tokens == CEILINGS[length]


def test_a_ceiling_of_ones_own_is_kept_and_no_length_sets_none() -> None:
    assert to_sampling({"length": "short", "max_tokens": 50}).max_tokens == 50
    assert to_sampling({"temperature": 1}).max_tokens is None
    assert length_hint({}, "en") == ""


def test_longer_answers_have_higher_ceilings() -> None:
    ceilings = [CEILINGS[length] for length in LENGTHS]
    assert ceilings == sorted(ceilings) and len(set(ceilings)) == len(LENGTHS)

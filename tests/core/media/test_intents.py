"""What people want made, told from commands and plain words."""

import pytest

from core.media.intents import from_command, from_words


@pytest.mark.parametrize(
    ("text", "makes", "prompt"),
    [
        ("Draw me a harbour at dawn", "image", "a harbour at dawn"),
        ("please paint a red fox.", "image", "a red fox"),
        ("Generate an image of two cats", "image", "two cats"),
        ("make me a logo for a bakery", "image", "for a bakery"),
        ("create a video of waves", "video", "waves"),
        ("Нарисуй мне гавань на рассвете", "image", "гавань на рассвете"),
        ("Сделай картинку про зиму", "image", "зиму"),
        ("пожалуйста, нарисуйте лису", "image", "лису"),
        ("Сделай видео с волнами", "video", "волнами"),
    ],
)
def test_plain_words(text: str, makes: str, prompt: str) -> None:
    intent = from_words(text, pictured=False)
    assert intent is not None and (intent.makes, intent.prompt) == (makes, prompt)


@pytest.mark.parametrize(
    "text",
    ["try this on", "Please try on the red dress", "try the dress on her", "Примерь", "примерьте это на неё"],
)
def test_trying_on_needs_pictures(text: str) -> None:
    intent = from_words(text, pictured=True)
    assert intent is not None and intent.wears and from_words(text, pictured=False) is None


@pytest.mark.parametrize("text", ["try this again", "put it on the table", "примерно так", "try it"])
def test_what_sounds_like_trying_on(text: str) -> None:
    intent = from_words(text, pictured=True)
    assert intent is None or not intent.wears


@pytest.mark.parametrize(
    "text",
    ["How do I draw a cat?", "I want to draw", "What is a painting", "Make it winter", "draw", "",
     "Сколько стоит доставка", "Can you tell me more", "x" * 3000],
)  # fmt: skip
def test_talk_is_no_order(text: str) -> None:
    assert from_words(text, pictured=False) is None


@pytest.mark.parametrize(
    "text",
    ["make it winter", "Turn this into a painting", "now remove the car", "сделай зиму", "убери машину"],
)
def test_with_a_picture_at_hand_a_change_is_an_order(text: str) -> None:
    intent = from_words(text, pictured=True)
    assert intent is not None and intent.edits and intent.makes == "image"


@pytest.mark.parametrize("text", ["make it shorter", "сделай короче", "what is this", "nice"])
def test_with_a_picture_at_hand_talk_stays_talk(text: str) -> None:
    assert from_words(text, pictured=True) is None


def test_a_command_with_options() -> None:
    intent = from_command("image", "a harbour --seed 7 --size 1024x768 --n 2 --style oil --hd")
    assert intent is not None and intent.prompt == "a harbour"
    assert intent.fields == {"seed": 7, "width": 1024, "height": 768, "count": 2}
    assert intent.params == {"style": "oil", "hd": True}
    bad = from_command("video", "x --seconds soon")
    assert bad is not None and bad.fields == {"seconds": -1}
    assert from_command("help", "") is None

"""Cards: a request as a model takes it."""

from providers.media.cards import Card, Option, fit
from providers.media.types import MediaRequest, Task

CARD = Card(
    "m", "M", (Task.TEXT_TO_IMAGE,), options=(Option("watermark", "bool"), Option("style", "text")),
    defaults={"watermark": False, "width": 512},
)  # fmt: skip


def test_a_cards_defaults_hold_unless_the_request_says_otherwise() -> None:
    plain = MediaRequest(Task.TEXT_TO_IMAGE, "a fox", params={"style": "ink"})
    assert fit(plain, CARD).params == {"watermark": False, "style": "ink"}
    marked = MediaRequest(Task.TEXT_TO_IMAGE, "a fox", params={"watermark": True})
    assert fit(marked, CARD).params == {"watermark": True}
    assert fit(marked, CARD).width is None

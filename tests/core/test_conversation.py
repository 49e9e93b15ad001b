"""A conversation becomes a request within its budget."""

from types import SimpleNamespace
from typing import Any

from core.conversation import Past, estimate_tokens, message_id, to_request
from core.instance import Character, Instance
from core.messages import Attachment, InboundMessage
from core.pictures import Picture
from core.routing.spec import RouteSpec
from core.sampling import CEILINGS, HINTS
from core.texts import LANGUAGES, TEXTS, language_of, text


def row(role: str, words: str, status: str = "final", speaker: str = "", refs: tuple[str, ...] = ()) -> Any:
    attachments = [{"kind": "image", "ref": ref} for ref in refs]
    return SimpleNamespace(
        id=words, role=role, text=words, status=status, speaker=speaker, attachments=attachments
    )


def instance(**settings: Any) -> Instance:
    return Instance(
        id="1", kind="test", slug="a", name="a", config={}, version=1,
        character=Character(prompt="You are kind."), route=RouteSpec(settings=settings), base_ids=("docs",),
    )  # fmt: skip


def test_the_request_has_character_past_and_question() -> None:
    past = Past("c", (row("user", "hi"), row("assistant", "hello"), row("assistant", "oops", "failed")))
    request = to_request(instance(temperature=0.5), past, InboundMessage("1", "how are you?"), "ru")
    assert [(turn.role, turn.text) for turn in request.turns] == [
        ("system", "You are kind."), ("user", "hi"), ("assistant", "hello"), ("user", "how are you?"),
    ]  # fmt: skip
    assert request.sampling.temperature == 0.5 and request.language == "ru" and request.scope == ("docs",)


def test_the_oldest_messages_give_way_to_the_budget() -> None:
    past = Past("c", tuple(row("user", f"{number} " + "x" * 400) for number in range(20)))
    request = to_request(instance(token_budget=600), past, InboundMessage("1", "last"), "en")
    kept = [turn.text.split()[0] for turn in request.turns[1:-1]]
    assert kept == ["15", "16", "17", "18", "19"]
    assert sum(estimate_tokens(turn.text) for turn in request.turns) <= 600


def test_groups_say_who_spoke_and_quotes_are_kept() -> None:
    past = Past("c", (row("user", "hi", speaker="Ann"),))
    message = InboundMessage("1", "and this?", speaker="Bob", group=True, quoted="old\nwords")
    request = to_request(instance(), past, message, "en")
    assert [turn.text for turn in request.turns[1:]] == ["Ann: hi", "Bob: > old\n> words\n\nand this?"]


def test_settings_of_the_conversation_hold_before_those_of_character_and_route() -> None:
    past = Past("c", (), {"temperature": 0.9, "length": "short"})
    request = to_request(instance(temperature=0.1, top_p=0.5), past, InboundMessage("1", "hi"), "ru")
    assert (request.sampling.temperature, request.sampling.top_p) == (0.9, 0.5)
    assert request.sampling.max_tokens == CEILINGS["short"]
    assert request.turns[0].text == f"You are kind.\n\n{HINTS['short']['ru']}"


def test_pictures_go_along_and_a_note_says_where_one_is_missing() -> None:
    past = Past("c", (row("user", "", refs=("old", "older")), row("assistant", "a cat")))
    message = InboundMessage("1", "and here?", attachments=(Attachment("new"), Attachment("gone")))
    pictures = {ref: Picture(ref.encode(), "image/png") for ref in ("old", "new")}
    before, _, now = to_request(instance(), past, message, "en", pictures).turns[1:]
    assert (before.text, [one.optional for one in before.images]) == (text("picture_earlier", "en"), [True])
    assert now.text == "and here?\n" + text("picture_lost", "en")
    assert [(one.url, one.optional) for one in now.images] == [("data:image/png;base64,bmV3", False)]


def test_pictures_take_their_part_of_the_budget() -> None:
    past = Past("c", (row("user", "hi", refs=("a", "b")), row("assistant", "yes")))
    pictures = {ref: Picture(b"x", "image/png") for ref in ("a", "b")}
    for budget, kept in ((1500, ["yes"]), (3000, ["hi", "yes"])):
        request = to_request(instance(token_budget=budget), past, InboundMessage("1", "?"), "en", pictures)
        assert [turn.text for turn in request.turns[1:-1]] == kept


def test_ids_are_the_same_for_a_repeated_turn() -> None:
    assert message_id("c", "7", "user") == message_id("c", "7", "user")
    assert (
        len({message_id("c", "7", "user"), message_id("c", "7", "assistant"), message_id("d", "7", "user")})
        == 3
    )


def test_every_text_exists_in_every_language() -> None:
    assert {key for key, entry in TEXTS.items() if set(entry) != set(LANGUAGES)} == set()
    assert text("too_long", "ru", length=5, limit=4).startswith("Сообщение")
    assert (language_of("ru-RU"), language_of("de"), language_of("")) == ("ru", "en", "en")

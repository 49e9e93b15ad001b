"""Turns with pictures, and with settings that belong to one conversation."""

import dataclasses
from typing import Any

import pytest

from core.attachments import MOST_PAST
from core.pictures import Picture, read_picture
from core.sampling import CEILINGS, HINTS
from core.texts import text
from db.conversations import Conversation, Message
from db.inbox import InboxRow
from providers.types import ChatRequest
from tests.core.pictures import png
from tests.core.test_turn import Desk, desk
from tests.fakes.llm import FAULTS, Healthy

__all__ = ["desk"]


@pytest.fixture
def asked(desk: Desk) -> list[ChatRequest]:
    """Every request that goes to the route."""
    router, seen = desk.host._place.router, []
    original = router.open

    def spy(spec: Any, request: ChatRequest, *more: Any, **named: Any) -> Any:
        seen.append(request)
        return original(spec, request, *more, **named)

    router.open = spy  # type: ignore[method-assign]
    return seen


def album(desk: Desk, *names: str) -> list[str]:
    for number, name in enumerate(names):
        desk.channel.pictures[name] = read_picture(png(number + 1))
    return list(names)


def sees(desk: Desk, vision: bool) -> None:
    """Say of the fake vendor's models whether they see."""
    place = desk.host._place
    models = [{"name": name, "vision": vision} for name in ("one", "two")]
    providers = tuple(
        dataclasses.replace(one, options={**one.options, "models": models})
        for one in place.instance.route.providers
    )
    route = dataclasses.replace(place.instance.route, providers=providers)
    place.instance = dataclasses.replace(place.instance, route=route)


async def test_a_length_is_chosen_in_the_chat_and_ends_with_the_conversation(
    desk: Desk, asked: list[ChatRequest]
) -> None:
    assert "as usual" in await desk.ask("/length")
    assert [action for _, action in desk.channel.messages[-1].buttons][:2] == [
        "length:short",
        "length:medium",
    ]
    assert "short" in await desk.ask("/length short")
    await desk.ask("hi")
    assert asked[-1].sampling.max_tokens == CEILINGS["short"]
    assert HINTS["short"]["en"] in asked[-1].turns[0].text
    assert "короткие" in await desk.ask("/length", language="ru")
    await desk.ask("/length очень длинный", language="ru")
    await desk.ask("hi again")
    assert asked[-1].sampling.max_tokens == CEILINGS["very_long"]
    assert "as usual" in await desk.ask("/length reset")
    await desk.ask("and now")
    assert asked[-1].sampling.max_tokens is None and len(await desk.rows(Conversation)) == 1
    await desk.ask("/length long")
    await desk.ask("/new")
    await desk.ask("anew")
    assert asked[-1].sampling.max_tokens is None
    assert [row.settings for row in await desk.rows(Conversation)] == [{"length": "long"}, {}]


async def test_a_length_that_is_none_offers_the_others(desk: Desk) -> None:
    for words in ("/length enormous", "/length 7", "/length " + "x" * 5000):
        assert "/length short" in await desk.ask(words)
        assert len(desk.channel.messages[-1].buttons) == 5
    assert await desk.rows(Conversation) == []


async def test_a_picture_goes_to_the_model_and_into_the_rows(desk: Desk, asked: list[ChatRequest]) -> None:
    desk.llm.script("one", Healthy("A red square"))
    assert await desk.ask("What is it?", pictures=album(desk, "a")) == "A red square"
    (image,) = asked[-1].turns[-1].images
    assert image.url == read_picture(png(1)).url and not image.optional
    question, answer = sorted(await desk.rows(Message), key=lambda row: row.created_at)
    assert question.attachments == [{"ref": "a", "kind": "image"}] and answer.attachments == []
    await desk.ask("And its colour?")
    before = asked[-1].turns[-3]
    assert [one.optional for one in before.images] == [True] and asked[-1].turns[-1].images == ()
    await desk.ask("/retry")
    assert [len(turn.images) for turn in asked[-1].turns] == [1, 0, 0]


async def test_a_picture_without_words_and_one_that_is_lost(desk: Desk, asked: list[ChatRequest]) -> None:
    await desk.ask("", pictures=album(desk, "a"))
    assert (asked[-1].turns[-1].text, len(asked[-1].turns[-1].images)) == ("", 1)
    await desk.ask("look", pictures=["gone"], language="ru")
    assert asked[-1].turns[-1].text == "look\n" + text("picture_lost", "ru")
    assert desk.channel.messages[-1].status == "final"


async def test_only_the_newest_pictures_are_sent_again(desk: Desk, asked: list[ChatRequest]) -> None:
    names = album(desk, *"abcde")
    for name in names:
        await desk.ask(f"this is {name}", pictures=[name])
    await desk.ask("and all of them?")
    counts = [len(turn.images) for turn in asked[-1].turns if turn.role == "user"]
    assert counts == [0, 0, 1, 1, 1, 0] and sum(counts) == MOST_PAST
    assert text("picture_earlier", "en") in asked[-1].turns[0].text


async def test_a_picture_whose_question_failed_is_not_sent_again_by_itself(
    desk: Desk, asked: list[ChatRequest]
) -> None:
    desk.llm.script("one", FAULTS["error_500"])
    desk.llm.script("two", FAULTS["error_500"])
    await desk.ask("What is it?", pictures=album(desk, "a"))
    desk.llm.script("one", Healthy("Fine"))
    desk.llm.script("two", Healthy("Fine"))
    await desk.ask("hello?")
    assert sum(len(turn.images) for turn in asked[-1].turns) == 0
    await desk.ask("/retry")


async def test_a_route_that_cannot_see_says_so_and_goes_on_without(desk: Desk) -> None:
    names = album(desk, "a")
    sees(desk, True)
    desk.llm.script("one", Healthy("A square"))
    assert await desk.ask("What is it?", pictures=names) == "A square"
    sees(desk, False)
    assert await desk.ask("And this?", pictures=names, language="ru") == text("cannot_see", "ru")
    assert desk.llm.count("two") == 0
    assert await desk.ask("Thank you") == "A square"  # earlier pictures stop nobody


async def test_thoughts_are_kept_only_where_the_route_shows_them(
    desk: Desk, asked: list[ChatRequest]
) -> None:
    desk.llm.script("one", Healthy("Yes", thinking="First this."))
    assert await desk.ask("Is it?") == "Yes"
    assert desk.channel.messages[-1].reasoning == ""
    place = desk.host._place
    route = dataclasses.replace(place.instance.route, settings={"show_reasoning": True})
    place.instance = dataclasses.replace(place.instance, route=route)
    assert await desk.ask("Is it?") == "Yes"
    assert desk.channel.messages[-1].reasoning == "First this."
    kept = sorted(row.reasoning for row in await desk.rows(Message))
    assert kept == ["", "", "", "First this."]
    await desk.ask("Sure?")
    assert "First this" not in str(asked[-1])
    assert all("First this" not in str(event) for event in desk.events)
    history = await desk.host.history("chat")
    assert [one["reasoning"] for one in history if one["role"] == "assistant"][1] == "First this."


async def test_a_caption_is_no_faq_question(desk: Desk) -> None:
    desk.llm.script("one", Healthy("A van"))
    assert await desk.ask("Do you deliver?", pictures=album(desk, "a")) == "A van"
    assert await desk.ask("Do you deliver?") == "Yes, **daily**."


async def test_a_picture_that_never_comes_does_not_stop_the_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(ref: str) -> Picture:
        raise TimeoutError

    monkeypatch.setattr(desk.channel, "picture", never)
    await desk.ask("look", pictures=["a"])
    assert [row.status for row in await desk.rows(InboxRow)] == ["done"]
    assert desk.channel.messages[-1].status == "final"

"""Pictures reach a vendor in its own shape."""

import pytest

from providers.chat import anthropic, openai_compatible
from providers.chat.content import anthropic_content, openai_content
from providers.types import ChatRequest, ChatTurn, Image
from tests.core.test_turn import Desk, desk
from tests.core.test_turn_settings import album

__all__ = ["desk"]
DATA = "data:image/png;base64,aGk="
SOURCE = {"type": "base64", "media_type": "image/png", "data": "aGk="}


def test_openai_takes_an_address() -> None:
    turn = ChatTurn("user", "What is it?", (Image(DATA), Image("https://a.example/b.png", "low")))
    assert openai_content(turn) == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": DATA}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
    ]
    assert openai_content(ChatTurn("user", "hi")) == "hi"


def test_anthropic_takes_a_source_before_the_words() -> None:
    turn = ChatTurn("user", "What is it?", (Image(DATA), Image("https://a.example/b.png")))
    assert anthropic_content(turn) == [
        {"type": "image", "source": SOURCE},
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        {"type": "text", "text": "What is it?"},
    ]
    assert anthropic_content(ChatTurn("user", "hi \ud83d")) == "hi ?"


@pytest.mark.parametrize("module", [openai_compatible, anthropic])
def test_a_picture_without_words_is_a_message_too(module: object) -> None:
    quirk = openai_compatible.Quirk()
    request = ChatRequest((ChatTurn("user", "", (Image(DATA),)),))
    (message,) = module.body_of("m", request, quirk, {})["messages"]  # type: ignore[attr-defined]
    assert [part["type"] for part in message["content"]] in (["image_url"], ["image"])


def test_a_system_prompt_in_the_question_leaves_its_pictures() -> None:
    turns = (ChatTurn("system", "Be kind."), ChatTurn("user", "hi", (Image(DATA),)))
    (turn,) = openai_compatible.merge_system(turns)
    assert (turn.text, turn.images) == ("Be kind.\n\nhi", (Image(DATA),))


async def test_from_a_chat_to_the_vendor(desk: Desk) -> None:
    await desk.ask("What is it?", pictures=album(desk, "a"))
    content = desk.llm.requests[-1].body["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"]["url"] == desk.channel.pictures["a"].url

"""What a person said, from whatever the server hands over."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.intake import Intake, chat_key
from core.channel import Unparseable
from core.messages import InboundMessage

INTAKE = Intake(11, "shop_bot")
PRIVATE = {"id": 7, "type": "private", "first_name": "Ann"}
GROUP = {"id": -100, "type": "supergroup", "title": "Family"}
ANN = {"id": 7, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "language_code": "ru-RU"}
BOT = {"id": 11, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}


def read(text: str | None = None, chat: dict[str, Any] = PRIVATE, **fields: Any) -> InboundMessage | None:
    message = {"message_id": 5, "chat": chat, "from": ANN, **({"text": text} if text is not None else {})}
    return INTAKE.parse(json.dumps({"update_id": 1, "message": {**message, **fields}}))


def said(text: str | None = None, chat: dict[str, Any] = PRIVATE, **fields: Any) -> InboundMessage:
    message = read(text, chat, **fields)
    assert message is not None
    return message


def test_a_private_message() -> None:
    message = said("Hello")
    assert message == InboundMessage(
        "7", "Hello", external_id="5", speaker="Ann Lee", language="ru-RU", title="Ann", user_key="7"
    )


@pytest.mark.parametrize(
    ("text", "command", "argument"),
    [
        ("/start", "start", ""),
        ("/START deep_link", "start", "deep_link"),
        ("/new@shop_bot", "new", ""),
        ("/help\nmore\nlines", "help", "more\nlines"),
        ("/unknown x", "unknown", "x"),
        ("/etc/passwd", None, ""),
        ("/", None, ""),
        (" /new", None, ""),
        ("say /new", None, ""),
    ],
)
def test_commands(text: str, command: str | None, argument: str) -> None:
    message = said(text)
    assert (message.command, message.argument) == (command, argument)


def test_a_caption_is_a_text_and_a_photo_alone_is_nothing() -> None:
    assert said(caption="What is this?", photo=[{}]).text == "What is this?"
    assert read(photo=[{}]) is None


def test_a_topic_is_a_chat_of_its_own_but_a_reply_thread_is_not() -> None:
    assert said("x", message_thread_id=3, is_topic_message=True).chat_key == "7/3"
    assert said("/new", GROUP, message_thread_id=3, is_topic_message=True).chat_key == "-100/3"
    assert said("/new", GROUP, message_thread_id=3).chat_key == "-100"


@pytest.mark.parametrize(
    "text", ["Hello all", "mail me at x@shop_bot", "/ban him", "/new@other_bot", "@shop_bott"]
)
def test_a_group_message_to_others_is_nothing(text: str) -> None:
    assert read(text, GROUP) is None


@pytest.mark.parametrize(
    ("text", "heard", "command"),
    [
        ("@shop_bot when do you open?", "when do you open?", None),
        ("when, @Shop_Bot, do you open?", "when, , do you open?", None),
        ("/new", "/new", "new"),
        ("/ban@shop_bot", "/ban@shop_bot", "ban"),
        ("@shop_bot /retry", "/retry", "retry"),
        ("@shop_bot", "@shop_bot", None),
    ],
)
def test_a_group_message_to_the_bot(text: str, heard: str, command: str | None) -> None:
    message = said(text, GROUP)
    assert (message.text, message.command) == (heard, command)
    assert (message.group, message.reply_to, message.title) == (True, "5", "Family")


def test_a_reply_to_the_bot_is_for_the_bot_and_quotes_it() -> None:
    replied = {"message_id": 4, "from": BOT, "chat": GROUP, "text": "We open at nine."}
    assert said("And on Sunday?", GROUP, reply_to_message=replied).quoted == "We open at nine."
    assert read("And on Sunday?", GROUP, reply_to_message={**replied, "from": ANN}) is None
    created = {"message_id": 3, "from": BOT, "chat": GROUP, "forum_topic_created": {"name": "x"}}
    assert read("Hello all", GROUP, reply_to_message=created) is None


def test_a_bare_mention_under_a_message_asks_that_message() -> None:
    replied = {"message_id": 4, "from": ANN, "chat": GROUP, "text": "When do you open?"}
    message = said("@shop_bot", GROUP, reply_to_message=replied)
    assert (message.text, message.quoted) == ("When do you open?", "")


def test_a_mention_of_a_bot_without_a_name() -> None:
    entity = {"type": "text_mention", "offset": 0, "length": 4, "user": BOT}
    assert said("Shop, hello", GROUP, entities=[entity]).text == "Shop, hello"


def test_bots_are_not_answered_but_anonymous_admins_are() -> None:
    assert read("@shop_bot hello", GROUP, **{"from": {**BOT, "id": 12}}) is None
    anonymous = {"from": {"id": 1087968824, "is_bot": True, "first_name": "Group"}, "sender_chat": GROUP}
    assert said("@shop_bot hello", GROUP, **anonymous).speaker == "Family"


def test_a_retry_button() -> None:
    query = {"id": "99", "from": ANN, "data": "retry", "message": {"message_id": 8, "chat": PRIVATE}}
    message = INTAKE.parse(json.dumps({"update_id": 2, "callback_query": query}))
    assert message is not None
    assert (message.chat_key, message.command, message.language) == ("7", "retry", "ru-RU")
    assert INTAKE.parse(json.dumps({"update_id": 2, "callback_query": {**query, "data": "other"}})) is None
    chosen = INTAKE.parse(json.dumps({"update_id": 2, "callback_query": {**query, "data": "length:long"}}))
    assert chosen is not None and (chosen.command, chosen.argument) == ("length", "long")


@pytest.mark.parametrize("entities", [5, True, {"user": {"id": 1}}, [5, {"user": 5}, {"user": {"id": []}}]])
def test_odd_entities_are_no_mention(entities: Any) -> None:
    assert read("Hello all", GROUP, entities=entities) is None


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1, "edited_message": {"message_id": 1, "chat": PRIVATE, "text": "x"}},
        {"update_id": 1, "chat_member": {}},
        {"update_id": 1, "something_of_next_year": {"a": 1}},
        {"update_id": 1},
        {"update_id": 1, "message": {"message_id": 1, "chat": {"id": 1, "type": "channel"}, "text": "x"}},
    ],
)
def test_what_needs_no_answer(update: dict[str, Any]) -> None:
    assert INTAKE.parse(json.dumps(update)) is None


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "[]",
        '{"message": 5}',
        '{"message": {"text": "x"}}',
        '{"message": {"message_id": 1, "chat": {"id": "seven", "type": "private"}, "text": "x"}}',
        '{"message": {"message_id": null, "chat": {"id": 7, "type": "private"}, "text": "x"}}',
        '{"message": {"message_id": 1, "chat": {"id": 7, "type": "private"}, "text": ["x"]}}',
        '{"callback_query": {"id": "1", "data": "stop"}}',
        "[" * 100_000,
    ],
)
def test_the_unreadable_is_said_to_be_so(raw: str) -> None:
    with pytest.raises(Unparseable):
        INTAKE.parse(raw)


def test_surrogates_nul_and_a_megabyte() -> None:
    assert said("a\ud83d b\x00").text == "a\ufffd b"
    assert len(said("x" * 1_000_000).text) == 1_000_000
    assert said("x", **{"from": {**ANN, "first_name": "\udc00" * 500}}).speaker.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["message_id", "chat", "from", "text", "entities", "reply_to_message", "quote", "sender_chat", "caption"]
)


@given(st.dictionaries(fields, json_values), st.sampled_from(["message", "callback_query"]))
def test_any_shape_is_read_or_refused(broken: dict[str, Any], kind: str) -> None:
    whole = {"message_id": 1, "chat": GROUP, "from": ANN, "text": "@shop_bot hi", "id": "1", "data": "retry"}
    update = {"update_id": 1, kind: {**whole, **broken}}
    assert isinstance(chat_key(update), str)
    try:
        INTAKE.parse(json.dumps(update))
    except Unparseable as error:
        assert str(error)

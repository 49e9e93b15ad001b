import asyncio
import json
import stat
import uuid

import httpx
import jwt
import pytest

from core.channel import BadConfiguration, Unparseable
from core.instance import Instance
from tests.widget.client import Visitor, text_of
from tests.widget.stage import SECRET, SLUG, Stage, StageHost
from widget.channel import create, preload

WORDS = [f"word{number} " for number in range(200)]
LONG = "".join(WORDS).strip()


async def test_an_answer_is_streamed_and_kept(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        said = await visitor.say("hello")
        events = await visitor.events()
        assert [one["event"] for one in events] == ["message", "end"]  # its parts are gone once it ended
        assert events[0]["data"]["id"] == said["id"] and events[1]["data"]["msg"] == said["answer"]
        assert text_of(events) == "You said: hello"
        history = await visitor.history()
        assert [(one["role"], one["text"]) for one in history["messages"]] == [
            ("user", "hello"),
            ("assistant", "You said: hello"),
        ]
        assert (history["pending"], history["live"]) == ([], None)
        assert await visitor.events(after=events[0]["id"], most=1) == events[1:]


async def test_deltas_come_at_most_25_times_a_second_and_a_restart_replaces_them(widget: Stage) -> None:
    widget.host.script["go"] = [*WORDS[:40], "<restart>", *WORDS]
    async with Visitor(widget) as visitor:
        await visitor.say("go")
        events = await visitor.events()
        names = [one["event"] for one in events]
        assert names[0] == "message" and names[-1] == "end" and "restart" in names
        assert 5 < names.count("delta") < 60
        assert text_of(events) == LONG
        assert LONG.startswith(text_of(events[:-1]).strip())


async def test_a_reader_resumes_anywhere_without_loss(widget: Stage) -> None:
    widget.host.script["go"] = WORDS
    async with Visitor(widget) as visitor:
        await visitor.say("go")
        seen, last = [], ""
        while not seen or seen[-1]["event"] != "end":
            seen += await visitor.events(after=last, most=3)
            last = seen[-1]["id"]
        ids = [tuple(map(int, one["id"].split("."))) for one in seen]
        assert ids == sorted(set(ids))
        assert text_of(seen) == LONG and LONG.startswith(text_of(seen[:-1]).strip())


async def test_a_killed_process_goes_on_where_it_was(widget: Stage) -> None:
    widget.host.script["go"] = WORDS
    async with Visitor(widget) as visitor:
        said = await visitor.say("go")
        first = await visitor.events(most=6)
        await widget.kill_channel()
        down = await visitor.http.get(f"{visitor.base}/messages", headers={"x-visitor": visitor.token})
        assert (down.status_code, down.headers["retry-after"]) == (503, "1")
        assert down.json()["error"]["code"] == "unavailable"
        await widget.start_channel()
        rest = await visitor.events(after=first[-1]["id"])
        assert rest[0]["event"] == "status" and rest[0]["data"] == {"state": "resync"}
        assert rest[-1]["data"]["msg"] == said["answer"]
        assert text_of(first + rest) == LONG
        assert [one["text"] for one in (await visitor.history())["messages"]] == ["go", LONG]


async def test_one_key_is_one_message_however_often_it_is_sent(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        key = str(uuid.uuid4())
        answers = await asyncio.gather(*(visitor.say("once", key) for _ in range(20)))
        assert len({tuple(answer.items()) for answer in answers}) == 1
        await visitor.events()
        assert len((await visitor.history())["messages"]) == 2
        assert await visitor.say("once", key) == answers[0]
        assert (await visitor.history())["pending"] == []


async def test_history_shows_what_is_being_answered(widget: Stage) -> None:
    widget.host.script["go"] = WORDS[:20]
    widget.host.hold = asyncio.Event()
    async with Visitor(widget) as visitor:
        said = await visitor.say("go")
        await visitor.events(until="delta")
        history = await visitor.history()
        assert [one["text"] for one in history["pending"]] == ["go"]
        assert history["live"]["msg"] == said["answer"]
        assert LONG.startswith(history["live"]["text"].strip())
        widget.host.hold.set()
        rest = await visitor.events(after=history["after"])
        assert text_of([{"event": "restart", "data": history["live"]}, *rest]) == "".join(WORDS[:20]).strip()


async def test_stop_ends_an_answer_and_new_begins_a_conversation(widget: Stage) -> None:
    widget.host.script["go"] = WORDS
    widget.host.hold = asyncio.Event()
    async with Visitor(widget) as visitor:
        await visitor.say("go")
        await visitor.events(until="delta")
        assert (await visitor.post("stop", {})).json() == {"stopped": True}
        end = (await visitor.events())[-1]
        assert end["data"]["status"] == "stopped" and LONG.startswith(end["data"]["text"])
        assert (await visitor.post("stop", {})).json() == {"stopped": False}
        answer = await visitor.post("new", {})
        events = await visitor.events(after=end["id"])
        assert [one["event"] for one in events] == ["message", "status", "end"]
        assert events[1]["data"] == {"state": "new"} and events[0]["data"]["text"] == ""
        assert events[2]["data"]["msg"] == answer.json()["answer"]
        assert (await visitor.history())["messages"] == []


async def test_nasty_bodies_get_clear_errors(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        cases: list[tuple[bytes, int, str]] = [
            (b"x" * (1024 * 1024 + 1), 413, "too_large"),
            (b"x" * (64 * 1024 + 1), 413, "too_large"),
            (b"{", 400, "bad_json"),
            (b"\xff\xfe", 400, "bad_json"),
            (b"[" * 60_000, 400, "bad_json"),
            (b"[1]", 400, "bad_json"),
            (b"{}", 400, "no_text"),
            (b'{"text": 7}', 400, "no_text"),
            (b'{"text": "  "}', 400, "no_text"),
            (b'{"text": "\\ud800"}', 400, "bad_text"),
            (b'{"text": "a\\u0000"}', 400, "bad_text"),
            (b'{"text": "%b"}' % (b"x" * 16_001), 413, "too_long"),
        ]
        for body, status, code in cases:
            answer = await visitor.post("messages", body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), body[:40]
        russian = await visitor.post("messages?lang=ru", b"{}")
        assert russian.json()["error"]["message"] == "Сообщение пустое."
        bad_key = await visitor.post("messages", {"text": "a"}, key="'; drop table")
        assert bad_key.json()["error"]["code"] == "bad_key"
        assert (await visitor.history())["messages"] == []
        await visitor.say("x" * 16_000)


@pytest.mark.parametrize("language", ["\ud800", "en\0", {"a": 1}, "x" * 70, None])
async def test_what_is_no_language_does_no_harm(widget: Stage, language: object) -> None:
    widget.host.hold = asyncio.Event()
    async with Visitor(widget) as visitor:
        body = json.dumps({"text": "hello", "language": language}).encode()
        assert (await visitor.post("messages", body)).status_code == 202
        assert json.loads(widget.host.unfinished[-1].raw)["language"] == "en"
        widget.host.hold.set()


async def test_tokens_are_checked(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        claims = {"sub": visitor.id, "aud": "widget-1", "iat": 1}
        forged = [
            "",
            "nonsense",
            "\xff",
            jwt.encode(claims, "another-secret-of-a-decent-length-1234", "HS256"),
            jwt.encode({**claims, "aud": "widget-2"}, SECRET, "HS256"),
            jwt.encode({"sub": visitor.id}, SECRET, "HS256"),
            jwt.encode(claims, None, "none"),
        ]
        for token in forged:
            for method, path in (("GET", "messages"), ("GET", "events"), ("POST", "stop"), ("POST", "new")):
                headers = [("x-visitor", token.encode("latin-1")), ("idempotency-key", b"12345678")]
                answer = await visitor.http.request(method, f"{visitor.base}/{path}", headers=headers)  # type: ignore[arg-type]
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, "no_visitor")


async def test_foreign_origins_are_refused_everywhere(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        paths = [("GET", "config"), ("POST", "visitor"), ("POST", "messages"), ("GET", "messages"),
                 ("GET", "events"), ("POST", "stop"), ("POST", "new")]  # fmt: skip
        for origin in (
            widget.foreign,
            "null",
            widget.site + ".evil.example",
            widget.site.replace("http", "https"),
        ):
            for method, path in (*paths, *(("OPTIONS", path) for _, path in paths[1:])):
                headers = {"origin": origin, "x-visitor": visitor.token, "idempotency-key": "12345678"}
                answer = await visitor.http.request(method, f"{visitor.base}/{path}", headers=headers)
                assert answer.status_code == 403, (method, path, origin)
                assert "access-control-allow-origin" not in answer.headers
                assert answer.json()["error"]["code"] == "origin_refused"
        embedded = {"sec-fetch-site": "cross-site", "x-visitor": visitor.token}
        async with httpx.AsyncClient() as other:
            assert (await other.get(f"{visitor.base}/config", headers=embedded)).status_code == 403
            assert (await other.get(f"{visitor.base}/messages", headers=embedded)).status_code == 403


async def test_own_pages_and_preflights_are_allowed(widget: Stage) -> None:
    async with Visitor(widget, origin=widget.url) as visitor:
        assert (await visitor.history())["messages"] == []
    await widget.allow("https://*.example.com")
    async with Visitor(widget, origin="https://shop.example.com") as visitor:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-visitor"}
        answer = await visitor.http.options(f"{visitor.base}/messages", headers=asked)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "https://shop.example.com"
        assert "x-visitor" in answer.headers["access-control-allow-headers"]
        refused = await visitor.http.get(
            f"{visitor.base}/messages", headers={"origin": "https://example.com"}
        )
        assert refused.status_code == 403


async def test_a_stream_ends_when_its_page_is_no_longer_listed(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        reading = asyncio.create_task(visitor.events(until="error"))
        while not any(chat.streams for chat in widget.channel._chats._chats.values()):  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        await widget.allow("https://elsewhere.example")
        assert (await reading)[-1]["data"]["code"] == "origin_refused"


async def test_too_many_messages_are_slowed_down(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        for _ in range(60):
            answer = await visitor.post("messages", {"text": "hi"}, key="12345678")
            if answer.status_code != 202:
                break
        assert answer.status_code == 429 and answer.json()["error"]["code"] == "too_many"
        assert answer.headers["retry-after"] == "1"


async def test_unknown_addresses_and_methods(widget: Stage) -> None:
    async with Visitor(widget) as visitor:
        for method, path, status in (("GET", "nothing", 404), ("GET", "a/b", 404), ("PUT", "messages", 405)):
            answer = await visitor.http.request(method, f"{visitor.base}/{path}")
            assert (answer.status_code, "code" in answer.json()["error"]) == (status, True)


async def test_the_socket_is_private_and_draining_refuses_messages(widget: Stage) -> None:
    path = widget.settings.run_dir / f"widget-{SLUG}.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert widget.receiving is not None
    async with Visitor(widget) as visitor:
        widget.receiving.cancel()
        await asyncio.wait({widget.receiving})
        answer = await visitor.post("messages", {"text": "late"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert (await visitor.history())["messages"] == []


async def test_what_cannot_be_parsed_or_opened() -> None:
    preload()
    channel = create()
    for raw in ("", "[]", "{}", '{"visitor": "a"}'):
        try:
            channel.parse(raw)
        except Unparseable:
            continue
        raise AssertionError(raw)
    message = channel.parse(
        '{"visitor": "abcdefgh", "key": "1", "text": "/start now", "site": "shop.example"}'
    )
    assert message is not None and (message.command, message.argument) == ("start", "now")
    assert message.title == "shop.example · abcdef"
    path = channel.parse('{"visitor": "a", "key": "1", "text": "/etc/passwd is what?"}')
    assert path is not None and path.command is None
    try:
        await channel.open(StageHost(Instance("1", "widget", "x", "", {}, 1)), "")
    except BadConfiguration:
        return
    raise AssertionError("opened without a secret")

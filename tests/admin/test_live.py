"""What pages see as it happens, over real event streams."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from admin.live import json_message
from tests.admin.panel import Panel
from tests.admin.seed import fill


class Stream:
    """The messages of one event stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self.lines = lines
        self.last_id = ""

    async def until(self, words: str, within: float = 3.0) -> str:
        """The first message that has these words."""
        async with asyncio.timeout(within):
            block: list[str] = []
            async for line in self.lines:
                if line:
                    block.append(line)
                    continue
                text, block = "\n".join(block), []
                if found := re.search(r"^id: (.*)$", text, re.M):
                    self.last_id = found[1]
                if words in text:
                    return text
        raise AssertionError(f"the stream ended without {words!r}")


@asynccontextmanager
async def stream(panel: Panel, path: str, **headers: str) -> AsyncIterator[Stream]:
    async with panel.client.stream("GET", path, headers={"accept-encoding": "br", **headers}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        yield Stream(answer.aiter_lines())


async def test_the_dashboard_sees_a_stop_within_two_seconds(owned: Panel) -> None:
    await fill(owned)
    async with stream(owned, "/events/dashboard") as events:
        first = await events.until("event: traffic")
        assert len(json.loads(first.partition("data: ")[2])[0]) == 60
        await owned.post("/bots/docs/stop", headers={"hx-request": "true"})
        text = await events.until("2 stopped", within=2.0)
        assert 'hx-target="#fleet"' in text


async def test_an_instance_is_seen_parked_with_what_to_do(owned: Panel) -> None:
    await fill(owned)
    page = (await owned.client.get("/bots/support")).text
    path = re.search(r'hx-sse:connect="(/events/instance/[^"]+)"', page)
    assert path is not None
    async with stream(owned, path[1]) as events:
        await events.until("Running")
        await owned.orchestrator.park("support", "<b>401</b> Unauthorized")
        text = await events.until("Parked: it will not start by itself")
        assert "&lt;b&gt;401&lt;/b&gt; Unauthorized" in text


async def test_an_answer_is_seen_while_it_is_written(owned: Panel) -> None:
    await fill(owned)
    link = re.search(r"/conversations/[0-9a-f-]{36}", (await owned.client.get("/conversations")).text)
    assert link is not None
    conversation = link[0].rpartition("/")[2]
    async with stream(owned, f"/events/conversations/{conversation}") as events:
        await events.until('hx-target="#talk"')
        event = {
            "topic": "conversation",
            "conversation_id": conversation,
            "role": "assistant",
            "message_id": "m",
        }
        owned.orchestrator.server.publish(
            {**event, "conversation_id": "another", "event": "delta", "text": "no"}
        )
        owned.orchestrator.server.publish({**event, "event": "delta", "text": "Wait…"})
        delta = json.loads((await events.until("event: delta")).partition("data: ")[2])
        assert delta == {"text": "Wait…", "restart": False}
        owned.orchestrator.server.publish({**event, "event": "end"})
        await events.until('hx-target="#talk"')


async def test_a_log_goes_on_after_the_last_line_that_was_read(owned: Panel) -> None:
    owned.orchestrator.lines = [{"id": 7, "at": 1.0, "level": "INFO", "text": "<first>"}]
    async with stream(owned, "/events/logs/web") as events:
        first = await events.until("event: lines")
        assert json.loads(first.partition("data: ")[2]) == [{"at": 1.0, "level": "INFO", "text": "<first>"}]
    assert events.last_id == "7"
    owned.orchestrator.lines.append({"id": 8, "at": 2.0, "level": "ERROR", "text": "second"})
    async with stream(owned, "/events/logs/web", **{"last-event-id": "7"}) as events:
        again = await events.until("event: lines")
        assert "second" in again and "first" not in again
        owned.orchestrator.lines.append({"id": 9, "at": 3.0, "level": "INFO", "text": "third"})
        owned.orchestrator.server.publish({"topic": "log", "channel_id": "web", "line": "third"})
        await events.until("third")


def test_a_separator_of_paragraphs_does_not_tear_json_apart() -> None:
    data = json_message("delta", {"text": "a\u2028b\x85c\n"}).removeprefix("event: delta\n")
    assert re.split("\r\n|\r|\n", data)[1:] == ["", ""]
    assert json.loads(data.removeprefix("data: ")) == {"text": "a\u2028b\x85c\n"}


async def test_watchers_need_a_sign_in(panel: Panel) -> None:
    for path in (
        "/events/dashboard",
        "/events/logs/web",
        "/events/instances/bots",
        "/events/conversations/x",
    ):
        assert (await panel.client.get(path)).status_code == 303

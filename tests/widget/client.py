"""A visitor without a browser."""

import asyncio
import json
import uuid
from typing import Any

import httpx

from tests.widget.stage import SLUG, Stage, events_of


class Visitor:
    """Talks to a widget over HTTP as its browser part does."""

    def __init__(self, widget: Stage, origin: str | None = None) -> None:
        self.base = f"{widget.url}/w/{SLUG}"
        self.origin = widget.site if origin is None else origin
        self.http = httpx.AsyncClient(timeout=10, headers={"origin": self.origin} if self.origin else {})
        self.id = ""
        self.token = ""

    async def __aenter__(self) -> "Visitor":
        answer = await self.http.post(f"{self.base}/visitor")
        assert answer.status_code == 201, answer.text
        self.id, self.token = answer.json()["id"], answer.json()["token"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def post(self, path: str, body: Any, key: str = "", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"x-visitor": self.token, "idempotency-key": key or str(uuid.uuid4()), **headers}
        return await self.http.post(f"{self.base}/{path}", content=content, headers=sent)

    async def say(self, text: str, key: str = "") -> dict[str, str]:
        answer = await self.post("messages", {"text": text}, key)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def history(self) -> dict[str, Any]:
        answer = await self.http.get(f"{self.base}/messages", headers={"x-visitor": self.token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def events(self, after: str = "", most: int = 0, until: str = "end") -> list[dict[str, Any]]:
        """Events after an id, until one of a name has come (or `most` of them)."""
        headers = {"x-visitor": self.token, **({"last-event-id": after} if after else {})}
        text = ""
        async with (
            asyncio.timeout(10),
            self.http.stream("GET", f"{self.base}/events", headers=headers) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            async for piece in answer.aiter_text():
                text += piece
                found = events_of(text)
                if (most and len(found) >= most) or any(one["event"] == until for one in found):
                    return found[:most] if most else found
        return events_of(text)


def text_of(events: list[dict[str, Any]]) -> str:
    """What a reader of these events sees in the end."""
    text = ""
    for one in events:
        match one["event"]:
            case "start":
                text = ""
            case "delta":
                text += one["data"]["t"]
            case "restart" | "end":
                text = one["data"]["text"]
    return text

"""The MCP server by the library's own client, over real HTTP."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from providers.errors import ErrorClass, ProviderError
from providers.media.types import Task
from tests.core.media.made import video
from tests.fakes.llm import answer_text
from tests.jobs import studio
from tests.mcp.site import Studio, shop  # noqa: F401

MODERN, LEGACY = "2026-07-28", "legacy"
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
    },
}  # fmt: skip
DATA = "data:image/png;base64," + base64.b64encode(studio.picture()).decode()


@asynccontextmanager
async def connected(shop: Studio, mode: str = "auto", key: str = "") -> AsyncIterator[Client]:  # noqa: F811
    headers = {"Authorization": f"Bearer {key or shop.key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"{shop.site.url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


async def raw(shop: Studio, body: Any = HELLO, **headers: str) -> tuple[int, bytes]:  # noqa: F811
    usual = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**usual, "Authorization": f"Bearer {shop.key}", **headers}
    async with shop.site.client.post(f"{shop.site.url}/mcp", data=data, headers=sent) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_a_picture_with_progress_and_a_link(shop: Studio, mode: str) -> None:  # noqa: F811
    shop.one.steps, shop.one.step_seconds = 3, 0.22
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with connected(shop, mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        asked = {"prompt": "a harbour", "model": "images", "seed": 7}
        made = await client.call_tool("generate_image", asked, progress_callback=hear)
    assert names == {
        "generate_image", "edit_image", "generate_video", "get_job", "list_jobs", "cancel_job", "list_models",
        "chat",
    }  # fmt: skip
    assert not made.is_error
    (link,) = [one for one in made.content if one.type == "resource_link"]
    assert link.mime_type == "image/png" and link.name == "a-harbour.png"
    assert (await shop.read(str(link.uri))).startswith(b"\x89PNG")
    assert made.structured_content["status"] == "done" and made.structured_content["source"] == "mcp"
    assert len(heard) >= 2 and all(total == 1.0 for _, total, _ in heard)
    shares = [progress for progress, _, _ in heard]
    assert shares == sorted(set(shares)) and any("%" in (message or "") for _, _, message in heard)


async def test_edits_and_videos_work_on_what_was_made(shop: Studio, tmp_path: Any) -> None:  # noqa: F811
    shop.two.body = video(tmp_path / "made.mp4").read_bytes()
    async with connected(shop) as client:
        edited = await client.call_tool(
            "edit_image", {"prompt": "winter", "images": [DATA], "model": "images"}
        )
        own = edited.structured_content["results"][0]["id"]
        clip = await client.call_tool("generate_video", {"prompt": "waves", "image": own, "seconds": 1})
        other_key = await shop.site.make_key()
        async with connected(shop, key=other_key) as other:
            stolen = await other.call_tool("edit_image", {"prompt": "x", "images": [own]})
    assert clip.structured_content["results"][0]["mime"] == "video/mp4"
    assert [request.task for _, _, request in shop.two.submits] == [Task.IMAGE_TO_VIDEO]
    assert stolen.is_error and "no such picture" in stolen.content[0].text


async def test_long_work_is_a_job(shop: Studio) -> None:  # noqa: F811
    shop.hold()
    async with connected(shop) as client:
        begun = await client.call_tool("generate_image", {"prompt": "x", "wait": 0})
        job_id = begun.structured_content["id"]
        assert not begun.is_error and job_id in begun.content[0].text and "get_job" in begun.content[0].text
        listed = await client.call_tool("list_jobs", {})
        assert [one["id"] for one in listed.structured_content["jobs"]] == [job_id]
        asking = asyncio.create_task(client.call_tool("get_job", {"id": job_id, "wait": 20}))
        shop.go()
        assert (await asking).structured_content["status"] == "done"
        late = await client.call_tool("cancel_job", {"id": job_id})
        assert late.is_error and "done already" in late.content[0].text
        shop.hold()
        begun = await client.call_tool("generate_image", {"prompt": "x", "wait": 0})
        stopped = await client.call_tool("cancel_job", {"id": begun.structured_content["id"]})
        assert not stopped.is_error
        shop.go()
        await shop.until(begun.structured_content["id"], "cancelled")
        later = await client.call_tool("generate_image", {"prompt": "x", "delay": 3600})
        assert later.structured_content["phase"] == "scheduled" and "waiting" in later.content[0].text
        async with connected(shop, key=await shop.site.make_key()) as other:
            for tool in ("get_job", "cancel_job"):
                assert (await other.call_tool(tool, {"id": job_id})).is_error
            assert (await other.call_tool("list_jobs", {})).structured_content == {"jobs": []}


async def test_chat_and_models(shop: Studio) -> None:  # noqa: F811
    async with connected(shop) as client:
        models = await client.call_tool("list_models", {})
        said = await client.call_tool(
            "chat", {"model": "main", "message": "Hello there", "system": "Be brief."}
        )
        wrong = await client.call_tool("chat", {"model": "mian", "message": "x"})
    found = models.structured_content
    assert "main" in found["chat"] and {"images", "videos"} <= {one["name"] for one in found["media"]}
    assert said.content[0].text == answer_text("model-a", "Hello there")
    assert said.structured_content["model"] == "llm:model-a"
    (key,) = await shop.site.services.gateway_keys.all()
    assert key.last_used_at is not None
    (row,) = await shop.site.usage(1)
    assert (row.source, row.outcome, bool(row.key_id)) == ("mcp", "ok", True)
    assert wrong.is_error and "Did you mean main" in wrong.content[0].text


async def test_mistakes_are_results_that_a_model_can_read(shop: Studio) -> None:  # noqa: F811
    shop.one.fails = [ProviderError(ErrorClass.CONTENT, "a vendor's own words")]
    async with connected(shop) as client:
        for tool, asked, text in (
            ("generate_image", {}, "prompt: Field required"),
            ("generate_image", {"prompt": "x" * 1_000_000}, "at most 20000 characters"),
            ("generate_image", {"prompt": "x", "width": 0, "height": 0}, "width"),
            ("generate_image", {"prompt": "x", "width": 2048, "height": 64}, "within 64-1024"),
            ("generate_image", {"prompt": "a\0b"}, "no text"),
            ("generate_image", {"prompt": "x", "model": "imagse"}, "Did you mean images"),
            ("generate_image", {"prompt": "x", "address": "http://10.0.0.1"}, "address"),
            ("generate_image", {"prompt": "x", "wait": "nan"}, "wait"),
            ("generate_image", {"prompt": "policy"}, "refused"),
            ("generate_video", {"prompt": "x", "model": "images"}, "makes images"),
            ("edit_image", {"prompt": "x", "images": []}, "images"),
            ("edit_image", {"prompt": "x", "images": ["data:image/png;base64,AAAA"]}, "PNG, JPEG"),
            ("edit_image", {"prompt": "x", "images": ["https://example.org/a.png"]}, "images[0]"),
            ("get_job", {"id": "none"}, "There is no job"),
            ("get_job", {"id": "a\0b"}, "no text"),
            ("edit_image", {"prompt": "x", "images": ["\0"], "model": "images"}, "no such picture"),
        ):  # fmt: skip
            answer = await client.call_tool(tool, asked)
            assert answer.is_error and text in answer.content[0].text, (tool, answer.content[0].text)
            assert "own words" not in answer.model_dump_json()
        with pytest.raises(MCPError, match="no tool"):
            await client.call_tool("format_disk", {})
        await shop.limit()
        assert not (await client.call_tool("generate_image", {"prompt": "x"})).is_error
        over = await client.call_tool("generate_image", {"prompt": "x"})
        assert over.is_error and "limit" in over.content[0].text


async def test_who_is_let_in(shop: Studio) -> None:  # noqa: F811
    for key in ("", "Bearer", "Bearer sk-by-none", "Basic abc", f"Bearer {'x' * 5000}"):
        status, body = await raw(shop, Authorization=key)
        assert status == 401 and json.loads(body)["error"]["code"] == "invalid_api_key"
    assert (await raw(shop))[0] == 200
    for headers, status in (
        ({"Host": "evil.example"}, 421), ({"Host": "evil.example:8002"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421), ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403), ({"Host": "localhost:99", "Origin": "http://localhost:3000"}, 200),
    ):  # fmt: skip
        assert (await raw(shop, **headers))[0] == status, headers
        modern = {**headers, "MCP-Protocol-Version": MODERN}
        assert (await raw(shop, **modern))[0] == (400 if status == 200 else status), headers
    off = await shop.site.make_key(enabled=False)
    assert (await raw(shop, Authorization=f"Bearer {off}"))[0] == 401


async def test_bodies_that_are_none(shop: Studio) -> None:  # noqa: F811
    nested = b"[" * 100_000
    for body in (
        b"",
        b"{",
        nested,
        b"[]",
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": 7}',
    ):
        for version in ("2025-06-18", MODERN, "9999-01-01"):
            status, _ = await raw(shop, body, **{"MCP-Protocol-Version": version})
            assert 400 <= status < 500, (body[:40], version, status)
    client, headers = shop.site.client, shop.site.headers()
    async with client.post(f"{shop.site.url}/mcp", data=_large(), headers=headers) as answer:
        assert answer.status == 413
    async with client.get(f"{shop.site.url}/mcpx", headers=headers) as answer:
        assert answer.status == 404


async def _large() -> AsyncIterator[bytes]:
    for _ in range(50):
        yield b"x" * (1 << 20)

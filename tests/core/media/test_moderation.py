"""What is not made, and the operator's own service."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from core.media.moderation import Verdict, allowed, blocked, judged


@pytest.mark.parametrize(
    "prompt",
    [
        "a harbour at dawn",
        "a knight in armour",
        "гавань на рассвете",
        "essex in winter",
        "analysis",
        "a table with nothing on it",
        "remove the stain from her dress",
        "раздел книги",
        "убери пятно с платья",
    ],
)
def test_what_everybody_may_have(prompt: str) -> None:
    assert allowed(prompt, "general")


@pytest.mark.parametrize("prompt", ["a nude model", "naked on the beach", "голая девушка", "порно"])
def test_what_only_adult_characters_make(prompt: str) -> None:
    assert not allowed(prompt, "general")
    assert allowed(prompt, "adult")


@pytest.mark.parametrize(
    "prompt",
    [
        "undress her",
        "remove all her clothes",
        "раздень её",
        "a naked schoolgirl",
        "голые дети",
        "take off her red dress",
        "strip him",
        "unclothed",
        "сними с неё платье",
        "раздетой",
        "без белья",
    ],
)
def test_what_nobody_makes(prompt: str) -> None:
    assert not allowed(prompt, "adult")


def test_a_routes_own_words() -> None:
    assert blocked("A Big LOGO of acme", {"blocked_words": ["Acme"]})
    assert not blocked("a harbour", {"blocked_words": ["acme", " "]})


@pytest.fixture
async def service() -> AsyncIterator[tuple[str, list[Any], dict[str, Any]]]:
    seen: list[Any] = []
    answer: dict[str, Any] = {"allow": True}

    async def judge(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/", judge)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/", seen, answer
    await runner.cleanup()


async def test_a_service_is_asked(service: tuple[str, list[Any], dict[str, Any]], tmp_path: Any) -> None:
    url, seen, answer = service
    picture = tmp_path / "a.png"
    picture.write_bytes(b"png")
    assert await judged({"moderation_url": url}, "after", {"prompt": "x"}, [picture]) == Verdict(True)
    assert seen == [{"prompt": "x", "stage": "after", "files": ["cG5n"]}]
    answer["rating"] = "adult"
    assert await judged({"moderation_url": url}, "before", {}) == Verdict(True, adult=True)
    answer["allow"] = "yes"
    assert not (await judged({"moderation_url": url}, "before", {"prompt": "x"})).allow
    assert await judged({"moderation_url": "http://127.0.0.1:9/"}, "before", {}) == Verdict(False)
    assert await judged({}, "before", {}) == Verdict(True)

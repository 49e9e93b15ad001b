"""The playground and compare in a real browser, against real HTTP to a fake vendor."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text

from core.api_tokens import create_token
from core.configuration.provider_configs import NewProvider
from core.configuration.route_configs import NewRoute
from core.configuration.service import Configuration
from db.usage import recent_usage
from tests.admin.panel import Panel
from tests.browser.conftest import set_up
from tests.fakes.llm import FAULTS, FakeLLM, Healthy, fake_llm

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MARKDOWN = """# Tides

The **moon** pulls <img src=x onerror=alert(1)>:

- water
- [rock](javascript:alert(1))

```
x = 1
```"""


@pytest.fixture
async def vendor() -> AsyncIterator[FakeLLM]:
    async with fake_llm() as llm:
        yield llm


async def connect(panel: Panel, vendor: FakeLLM) -> None:
    """Two providers at the fake vendor and a route over both."""

    async def seal(aad: str, text: str) -> str:
        return f"sealed:{aad}"

    configuration = Configuration(panel.database, seal, panel.orchestrator.reconcile)
    for name in ("one", "two"):
        new = NewProvider(
            id=name, kind="openai-compatible", base_url=vendor.url, keys=[f"sk-{name}-0123456789"]
        )
        await configuration.providers.create("ann", new)
        panel.orchestrator.keys[name] = [f"sk-{name}-0123456789"]
    route = NewRoute(id="default", name="Main", candidates=["one:model-a", "two:model-b"])
    await configuration.routes.create("ann", route)


async def used(panel: Panel, source: str) -> list[tuple[str, str]]:
    """Attempts of a source with their outcomes, oldest first."""
    async with panel.database.reading() as conn:
        rows = await recent_usage(conn, 0)
    return [
        (row.provider_id, row.outcome)
        for row in sorted(rows, key=lambda row: row.attempt)
        if row.source == source
    ]


async def test_an_answer_streams_in_and_shows_who_failed_before(
    panel: Panel, page: Page, vendor: FakeLLM
) -> None:
    vendor.script("model-a", FAULTS["error_500"])
    vendor.script("model-b", Healthy(MARKDOWN, chunks=12, delay=0.05, thinking="The sea, hm"))
    await set_up(panel, page)
    await connect(panel, vendor)
    await page.goto(panel.url + "/playground")
    await page.get_by_label("Instructions").fill("You are a sailor.")
    await page.get_by_label("Your question").fill("What makes tides?")
    await page.keyboard.press("Enter")
    answer = page.locator(".play-answer")
    await expect(answer.locator(".step-item").first).to_contain_text("one:model-a")
    await expect(answer.locator(".step-item").first).to_contain_text("failed for a moment")
    await expect(answer.locator(".step-item").nth(1)).to_contain_text("answered")
    await expect(answer.locator("[data-part=facts]")).to_contain_text("two:model-b")
    await expect(answer.locator("h3")).to_have_text("Tides")
    await expect(answer.locator("strong")).to_have_text("moon")
    await expect(answer.locator("pre")).to_contain_text("x = 1")
    await expect(answer.locator("img")).to_have_count(0)
    await expect(answer.locator(".md a")).to_have_count(0)
    await answer.get_by_text("How it thought").click()
    await expect(answer.get_by_text("The sea, hm")).to_be_visible()
    sent = vendor.requests[-1].body["messages"]
    assert [one["role"] for one in sent] == ["system", "user"]

    await page.get_by_label("Your question").fill("And why?")
    await page.get_by_role("button", name="Ask", exact=True).click()
    await expect(page.locator(".play-answer").nth(1).locator("[data-part=facts]")).to_contain_text("model-b")
    assert [one["role"] for one in vendor.requests[-1].body["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert (await used(panel, "playground"))[0] == ("one", "transient")
    await page.get_by_role("button", name="Clear the talk").click()
    await expect(page.locator(".play-answer")).to_have_count(0)


async def test_stop_closes_the_call_within_a_second(panel: Panel, page: Page, vendor: FakeLLM) -> None:
    vendor.script("model-a", Healthy("word " * 400, chunks=400, delay=0.1))
    await set_up(panel, page)
    await connect(panel, vendor)
    await page.goto(panel.url + "/playground")
    await page.get_by_label("Your question").fill("Go on for long")
    await page.keyboard.press("Enter")
    await expect(page.locator(".play-answer .md")).to_contain_text("word word")
    began = time.monotonic()
    await page.get_by_role("button", name="Stop").click()
    await vendor.wait_disconnect()
    assert time.monotonic() - began < 1
    await expect(page.locator(".play-answer")).to_contain_text("Stopped.")
    await expect(page.locator(".play-answer .step-item")).to_contain_text("was stopped")
    async with asyncio.timeout(5):
        while await used(panel, "playground") != [("one", "cancelled")]:
            await asyncio.sleep(0.05)


async def test_what_went_wrong_is_said_in_words(panel: Panel, page: Page, vendor: FakeLLM) -> None:
    vendor.script("model-a", FAULTS["bad_key_401"])
    await set_up(panel, page)
    await connect(panel, vendor)
    await page.goto(panel.url + "/playground")
    await page.get_by_label("Route or model").fill("one:model-a")
    await page.get_by_label("Your question").fill("Hello")
    await page.keyboard.press("Enter")
    await expect(page.locator(".play-answer")).to_contain_text("Nobody answered")
    await expect(page.locator(".play-answer .step-item").first).to_contain_text("the key was refused")
    await page.get_by_label("Route or model").fill("defualt")
    await page.get_by_label("Your question").fill("Hello")
    await page.keyboard.press("Enter")
    await expect(page.locator(".play-answer").nth(1)).to_contain_text("default")


async def test_several_answer_side_by_side(panel: Panel, page: Page, vendor: FakeLLM) -> None:
    vendor.script("model-a", Healthy("The first answer", chunks=4, delay=0.05))
    vendor.script("model-x", FAULTS["bad_key_401"])
    await set_up(panel, page)
    await connect(panel, vendor)
    await page.goto(panel.url + "/compare")
    await page.get_by_label("Prompt").fill("Who are you?")
    await page.get_by_role("button", name="Add one").click()
    fields = page.get_by_label("Route or model")
    for place, name in enumerate(("one:model-a", "two:model-b", "one:model-x")):
        await fields.nth(place).fill(name)
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator(".compare-column").nth(0).locator(".md")).to_have_text("The first answer")
    await expect(page.locator(".compare-column").nth(1).locator(".md")).to_contain_text("model-b answers")
    await expect(page.locator(".compare-column").nth(2)).to_contain_text("Nobody answered")
    await expect(page.locator("#results tr")).to_have_count(3)
    await expect(page.locator("#results tr").nth(2)).to_contain_text("did not answer")
    assert sorted(await used(panel, "compare")) == [("one", "credential"), ("one", "ok"), ("two", "ok")]


async def test_a_key_is_made_shown_once_and_revoked(panel: Panel, page: Page, vendor: FakeLLM) -> None:
    await set_up(panel, page)
    await connect(panel, vendor)
    await page.goto(panel.url + "/keys")
    await page.get_by_label("Who uses it?").fill("Shop")
    await page.get_by_label("What may it use?").select_option("some")
    await page.get_by_role("button", name="Make a key").click()
    await expect(page.locator("#e-routes")).to_be_visible()
    await page.get_by_role("checkbox", name="Main").check()
    await page.get_by_role("button", name="Make a key").click()
    key = await page.locator("#fresh").inner_text()
    assert key.startswith("sk-by-")
    await expect(page.locator("#curl")).to_contain_text(f"{panel.url}/v1/chat/completions")
    answer = await panel.client.post(
        "/v1/chat/completions",
        json={"model": "default", "messages": [{"role": "user", "content": "Hi"}]},
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200, answer.text
    await page.goto(panel.url + "/keys")
    assert key not in await page.content()
    await page.get_by_role("button", name="Revoke Shop").click()
    await page.get_by_role("button", name="Yes, do it").click()
    await expect(page.get_by_text("No key yet")).to_be_visible()
    refused = await panel.client.get("/v1/models", headers={"authorization": f"Bearer {key}"})
    assert refused.status_code == 401


async def test_who_hangs_up_on_a_comparison_stops_it(panel: Panel, vendor: FakeLLM) -> None:
    vendor.script("model-a", Healthy("word " * 400, chunks=400, delay=0.1))
    await connect(panel, vendor)
    token, _ = await create_token(panel.database, "ann", "test")
    asked = {"prompt": "Hi", "models": ["one:model-a"]}
    headers = {"authorization": f"Bearer {token}"}
    with pytest.raises(httpx.ReadTimeout):
        await panel.client.post("/api/v1/compare", json=asked, headers=headers, timeout=1)
    await vendor.wait_disconnect(1.0)


async def test_a_picture_goes_along(panel: Panel, page: Page, vendor: FakeLLM) -> None:
    await set_up(panel, page)
    await connect(panel, vendor)
    await page.goto(panel.url + "/playground")
    await page.locator("#f-picture").set_input_files(
        {"name": "dot.png", "mimeType": "image/png", "buffer": base64.b64decode(DOT)}
    )
    await expect(page.get_by_alt_text("The chosen picture")).to_be_visible()
    await page.get_by_label("Your question").fill("What is this?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".play-answer [data-part=facts]")).to_contain_text("model-a")
    await expect(page.locator(".play-said img")).to_be_visible()
    words, picture = vendor.requests[0].body["messages"][0]["content"]
    assert words["text"] == "What is this?"
    assert picture["image_url"]["url"] == f"data:image/png;base64,{DOT}"


async def test_a_key_can_be_switched_off_and_viewers_only_read(
    panel: Panel, page: Page, vendor: FakeLLM
) -> None:
    await set_up(panel, page)
    await connect(panel, vendor)
    await page.goto(panel.url + "/keys")
    await page.get_by_label("Who uses it?").fill("Shop")
    await page.get_by_label("Last day").fill("2030-01-31")
    await page.get_by_role("button", name="Make a key").click()
    await page.locator("#fresh").wait_for()
    await page.get_by_role("link", name="Shop").click()
    await expect(page.get_by_label("Last day")).to_have_value("2030-01-31")
    await page.get_by_label("Switched on").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".head")).to_contain_text("Off")
    async with panel.database.transaction() as conn:
        await conn.execute(text("UPDATE operator SET role = 'viewer'"))
    for room in ("playground", "compare", "usage", "keys"):
        await page.goto(f"{panel.url}/{room}")
        await expect(page.locator("main form[method=post]")).to_have_count(0)
    await page.goto(f"{panel.url}/playground")
    await expect(page.get_by_text("Your role allows reading")).to_be_visible()
    answer = await page.request.post(f"{panel.url}/playground/answer", data="{}")
    assert answer.status in (400, 403)

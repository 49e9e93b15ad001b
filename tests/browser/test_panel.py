"""The panel as people use it, in a real browser."""

import re

from playwright.async_api import Page, expect

from tests.admin.panel import PASSWORD, Panel
from tests.admin.seed import fill, token
from tests.browser.conftest import set_up


async def test_from_the_set_up_link_to_a_running_bot(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("Login").fill("Anna")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    await page.get_by_role("link", name="New bot").first.click()
    await page.get_by_label("Name").fill("Support desk")
    await page.get_by_label("Id", exact=True).fill("support")
    await page.get_by_label("Token").fill("nonsense")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("Is not a bot token")).to_be_visible()
    await page.get_by_label("Token").fill(token(1))
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("#state")).to_contain_text("Running")
    await expect(page.get_by_role("status").filter(has_text="Created.")).to_be_visible()
    assert "done=" not in page.url


async def test_states_are_seen_as_they_change(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await fill(panel)
    await page.goto(panel.url + "/")
    row = page.locator("tr").filter(has_text="Docs helper")
    await expect(row).to_contain_text("Running")
    await row.get_by_role("button", name="Stop").click()
    await expect(row).to_contain_text("Stopped", timeout=2000)
    await expect(page.locator(".toast")).to_contain_text("Stopping.")
    await row.get_by_role("button", name="Start").click()
    await expect(row).to_contain_text("Running", timeout=2000)
    await panel.orchestrator.park("docs", "401 Unauthorized")
    await expect(row).to_contain_text("Parked", timeout=2000)
    await expect(page.locator("#chart canvas")).to_be_visible()


async def test_deleting_asks_first(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await fill(panel)
    await page.goto(panel.url + "/bots/docs")
    await page.get_by_role("button", name="Delete the bot").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page).to_have_url(panel.url + "/bots/docs")
    await page.get_by_role("button", name="Delete the bot").click()
    await page.get_by_role("button", name="Yes, do it").click()
    await expect(page).to_have_url(panel.url + "/bots")
    await expect(page.locator("tbody")).not_to_contain_text("Docs helper")


async def test_a_routes_order_is_changed_by_buttons(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await fill(panel)
    await page.goto(panel.url + "/routes/default")
    await page.get_by_role("button", name="Move up").nth(3).click()
    await page.get_by_role("button", name="Take out").nth(1).click()
    await page.get_by_role("button", name="Add a candidate").click()
    await page.keyboard.type("openai:auto")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_load_state()
    values = await page.locator("#candidates input").evaluate_all("all => all.map(one => one.value)")
    assert values == ["openai:gpt-4o-mini", "knowledge", "ollama:auto", "openai:auto"]


async def test_a_candidate_is_dragged(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await fill(panel)
    await page.goto(panel.url + "/routes/default")
    await (
        page.locator(".grip").nth(3).drag_to(page.locator(".cand").nth(0), target_position={"x": 20, "y": 4})
    )
    values = await page.locator("#candidates input").evaluate_all("all => all.map(one => one.value)")
    assert values[0] == "knowledge"
    await expect(page.get_by_text("Not saved yet")).to_be_visible()
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_load_state()


async def test_an_answer_is_watched_and_an_operator_writes(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await fill(panel)
    await page.goto(panel.url + "/conversations")
    await page.locator("tbody a").first.click()
    await page.wait_for_url(re.compile(r"/conversations/[0-9a-f-]{36}"))
    conversation = page.url.rpartition("/")[2]
    event = {"topic": "conversation", "conversation_id": conversation, "event": "delta", "message_id": "m"}
    await expect(page.locator("#talk")).to_contain_text("onerror")
    panel.orchestrator.server.publish({**event, "event": "message", "role": "user", "text": "Which one?"})
    await expect(page.locator("#writing .user")).to_contain_text("Which one?")
    panel.orchestrator.server.publish({**event, "text": "Let me "})
    await expect(page.locator("#writing")).to_contain_text("Let me")
    panel.orchestrator.server.publish({**event, "text": "see <b>"})
    await expect(page.locator("#writing")).to_contain_text("Let me see <b>")
    panel.orchestrator.server.publish({**event, "event": "end"})
    await expect(page.locator("#writing")).not_to_be_visible()
    await page.get_by_label("Write as an operator").fill("This is Anna")
    await page.keyboard.press("Enter")
    await expect(page.locator("#talk article").last).to_contain_text("This is Anna")


async def test_a_log_is_followed_and_filtered(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    lines = [{"id": 1, "at": 1.0, "level": "INFO", "text": "started"},
             {"id": 2, "at": 2.0, "level": "ERROR", "text": "<img src=x onerror=alert(1)>"}]  # fmt: skip
    panel.orchestrator.lines = lines
    await page.goto(panel.url + "/logs?of=web")
    await expect(page.locator("#log p")).to_have_count(2)
    await page.get_by_label("Level").select_option("ERROR")
    await expect(page.locator("#log p:visible")).to_have_count(1)
    lines.append({"id": 3, "at": 3.0, "level": "ERROR", "text": "it burns"})
    panel.orchestrator.server.publish({"topic": "log", "channel_id": "web", "line": "it burns"})
    await expect(page.locator("#log p:visible")).to_have_count(2)
    await page.get_by_label("Search in the log").fill("burns")
    await expect(page.locator("#log p:visible")).to_have_count(1)


async def test_the_palette_and_the_keyboard(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await fill(panel)
    await page.goto(panel.url + "/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("luna, comp")
    await expect(page.locator("#found a").first).to_contain_text("Luna, companion")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(panel.url + "/bots/luna")


async def test_theme_and_language_stay(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await page.get_by_role("button", name="Light or dark").click()
    await expect(page.locator("html")).to_have_class("dark")
    await page.get_by_role("link", name="Русский").click()
    await expect(page.locator("html")).to_have_attribute("lang", "ru")
    await page.goto(panel.url + "/bots")
    await expect(page.locator("html.dark")).to_have_attribute("lang", "ru")
    await expect(page.get_by_role("heading", name="Боты")).to_be_visible()


async def test_the_menu_of_a_phone(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(panel.url + "/")
    bots = page.get_by_role("navigation").get_by_role("link", name="Bots")
    await expect(bots).not_to_be_visible()
    await page.get_by_role("button", name="Menu", exact=True).click()
    await expect(bots).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(bots).not_to_be_visible()
    await page.get_by_role("button", name="Menu", exact=True).click()
    await bots.click()
    await expect(page).to_have_url(panel.url + "/bots")
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


async def test_leaving_a_form_that_was_not_saved_is_asked(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    asked: list[str] = []

    async def answer(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        await dialog.accept()  # type: ignore[attr-defined]

    page.on("dialog", answer)
    await page.goto(panel.url + "/characters/new")
    await page.get_by_label("Name").fill("Luna")
    await page.goto(panel.url + "/bots")
    assert asked == ["beforeunload"]

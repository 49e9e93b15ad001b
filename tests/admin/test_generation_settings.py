"""Generation settings in the panel's forms."""

import re

from db.conversations import close_conversation, get_conversation, list_conversations
from db.routes import Route
from db.slugs import get_one
from tests.admin.panel import Panel
from tests.admin.seed import fill


async def test_a_character_has_them_all(owned: Panel) -> None:
    values = {
        "id": "ada", "prompt": "Kind.", "temperature": "0,7", "top_p": "0.9", "top_k": "40",
        "length": "short",
        "frequency_penalty": "-1", "presence_penalty": "0.5", "max_tokens": "900",
    }  # fmt: skip
    made = await owned.post("/characters/new", values)
    assert made.status_code == 303, made.text
    page = (await owned.client.get("/characters/ada")).text
    for name, value in {**values, "temperature": "0.7"}.items():
        if name not in ("id", "prompt", "length"):
            assert f'name="{name}" type="text" value="{value}"' in page
    assert '<option value="short" selected>' in page
    cleared = await owned.post("/characters/ada", {"prompt": "Kind."})
    assert cleared.status_code == 303
    assert 'name="top_k" type="text" value=""' in (await owned.client.get("/characters/ada")).text


async def test_what_is_wrong_opens_the_fold(owned: Panel) -> None:
    answer = await owned.post("/characters/new", {"id": "ada", "temperature": "3", "top_k": "many"})
    assert answer.status_code == 422
    assert "<details open>" in answer.text and 'id="e-temperature"' in answer.text and "many" in answer.text


async def test_a_conversation_has_its_own(owned: Panel) -> None:
    await fill(owned)
    async with owned.database.reading() as conn:
        row = (await list_conversations(conn))[0]
    url = f"/conversations/{row.id}"
    saved = await owned.post(f"{url}/settings", {"length": "long", "temperature": "0,2"})
    assert saved.status_code == 303
    async with owned.database.reading() as conn:
        assert (await get_conversation(conn, row.id)).settings == {"length": "long", "temperature": 0.2}
    page = (await owned.client.get(url)).text
    assert '<option value="long" selected>' in page and 'value="0.2"' in page
    wrong = await owned.post(f"{url}/settings", {"top_p": "2"})
    assert wrong.status_code == 422 and 'id="e-top_p"' in wrong.text
    async with owned.database.transaction() as conn:
        await close_conversation(conn, row.channel_id, row.chat_key, "new")
    await owned.post(f"{url}/settings", {"length": "short"})
    async with owned.database.reading() as conn:
        assert (await get_conversation(conn, row.id)).settings["length"] == "long"
    assert f'action="{url}/settings"' in (await owned.client.get(url)).text


async def test_saving_a_route_as_it_is_shown_changes_nothing(owned: Panel) -> None:
    settings = {
        "temperature": "0,7", "top_k": "40", "length": "short", "token_budget": "1234567", "deadline": "90",
        "first_token": "2.5", "content_fallback": "false", "local_only": "true", "show_reasoning": "true",
    }  # fmt: skip
    made = await owned.post("/routes/new", {"id": "main", "candidates": "knowledge", **settings})
    assert made.status_code == 303, made.text
    page = (await owned.client.get("/routes/main")).text
    fields = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', page))
    chosen = r'<select[^>]* name="(\w+)"[^>]*>(?:(?!</select>).)*?<option value="([^"]*)" selected>'
    fields |= dict(re.findall(chosen, page, re.DOTALL))
    assert 'type="hidden" name="local_only"' not in page
    before = await _settings(owned)
    assert before["local_only"] is True and before["deadline"] == 90
    saved = await owned.post("/routes/main", {**fields, "candidates": "knowledge"})
    assert saved.status_code == 303, saved.text
    assert await _settings(owned) == before


async def _settings(panel: Panel) -> dict[str, object]:
    async with panel.database.reading() as conn:
        found: dict[str, object] = (await get_one(conn, Route, "main")).settings
    return found

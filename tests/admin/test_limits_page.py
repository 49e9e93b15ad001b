"""The limits' room: sentences and bars with names, changes by owners only, and what binds a key."""

import re

from core.configuration.service import Configuration
from core.gateway_keys import GatewayKeys
from db.limits import add_limit
from db.media import MediaRoute
from db.slugs import save_one
from tests.admin.panel import PASSWORD, Panel
from tests.admin.seed import fill, limited

FORM = {"subject": "user", "measure": "messages", "amount": "20", "period": "hour", "action": "free"}


async def made(owned: Panel, **values: str) -> str:
    """A limit of the form; its id."""
    answer = await owned.post("/limits", {**FORM, **values})
    assert answer.status_code == 303, answer.text
    found = re.findall(r'href="/limits/([0-9a-f-]{32,36})"', (await owned.client.get("/limits")).text)
    return str(found[-1])


async def test_a_limit_is_made_changed_and_deleted(owned: Panel) -> None:
    assert "No limit yet" in (await owned.client.get("/limits")).text
    limit = await made(owned)
    page = (await owned.client.get("/limits")).text
    assert "Each user: at most 20 messages an hour, then free models" in page
    assert "Nothing is used of it now." in page
    changed = {**FORM, "subject": "all", "measure": "money", "amount": "2,5", "action": "stop"}
    assert (await owned.post(f"/limits/{limit}", changed)).status_code == 303
    page = (await owned.client.get(f"/limits/{limit}")).text
    assert "All together: at most $2.50 an hour, then nothing answers" in page
    assert 'name="enabled" value="on">' in page  # it was not ticked, so it is off
    assert (await owned.post(f"/limits/{limit}/delete")).status_code == 303
    assert (await owned.client.get(f"/limits/{limit}")).status_code == 404


async def test_pictures_and_videos_have_measures_of_their_own(owned: Panel) -> None:
    await made(owned, measure="pictures", amount="10", period="day", action="stop")
    await made(owned, measure="videos", amount="1", period="day")
    page = (await owned.client.get("/limits")).text
    assert "Each user: at most 10 pictures a day, then nothing answers" in page
    assert "Each user: at most 1 video a day" in page


async def test_a_limit_of_the_fleet_file_is_not_changed_here(owned: Panel) -> None:
    async with owned.database.transaction() as conn:
        values = {"subject_kind": "all", "measure": "money", "amount": 1, "period": "day", "action": "stop"}
        await add_limit(conn, id="budget", managed="file", **values)
    page = (await owned.client.get("/limits/budget")).text
    assert "Managed by the fleet file" in page and "Delete the limit" not in page
    for path in ("/limits/budget", "/limits/budget/delete"):
        assert (await owned.post(path, FORM)).status_code == 422
    assert (await owned.client.get("/limits/budget")).status_code == 200


async def test_a_key_may_be_for_routes_of_pictures(owned: Panel) -> None:
    async with owned.database.transaction() as conn:
        row = {"name": "Art", "makes": "image", "candidates": ["auto"], "settings": {}, "managed": ""}
        await save_one(conn, MediaRoute, "art", **row)
    assert '<input type="checkbox" name="routes" value="art"' in (await owned.client.get("/keys")).text
    await owned.post("/keys", {"name": "Press", "scope": "some", "routes": "art"})
    (key,) = await GatewayKeys(owned.database).all()
    assert key.routes == ("art",)
    assert "All routes" in (await owned.client.get(f"/keys/{key.id}")).text


async def test_what_is_wrong_is_said_at_its_field(owned: Panel) -> None:
    for wrong, place in (({"amount": "many"}, "amount"), ({"subject": "provider:nobody"}, "subject")):
        answer = await owned.post("/limits", {**FORM, **wrong})
        assert answer.status_code == 422
        assert f'id="e-{place}"' in answer.text
    assert "No limit yet" in (await owned.client.get("/limits")).text


async def test_bars_have_names_and_the_largest_comes_first(owned: Panel) -> None:
    configuration: Configuration = await fill(owned)
    limit, _ = await limited(owned)
    bars = (await owned.client.get("/limits/uses")).text
    assert "<html" not in bars
    for words in ("20 of 20", "4 of 20", "$4.20 of $5.00", "31,400 of 100,000", "Reports", "OpenAI"):
        assert words in bars
    assert bars.index("OpenAI</a>") < bars.index("Groq</a>")
    assert "Support desk · 7001" in (await owned.client.get(f"/limits/{limit}/uses")).text
    assert 'value="provider:groq"' in (await owned.client.get("/limits")).text
    assert len(await configuration.limits.all()) == 5


async def test_a_keys_page_shows_what_binds_it(owned: Panel) -> None:
    await fill(owned)
    limit, key = await limited(owned)
    page = (await owned.client.get(f"/keys/{key}")).text
    assert "Each API key: at most 100,000 tokens a month, then nothing answers" in page
    assert "31,400 of 100,000" in page
    assert "All together: at most $5.00 a day" in page
    assert f"/limits/{limit}" not in page  # that one is for users


async def test_only_owners_change(owned: Panel) -> None:
    limit = await made(owned)
    form = {"login": "olga", "role": "operator", "password": PASSWORD}
    assert (await owned.post("/people", form)).status_code in (200, 303)
    async with owned.new_client() as olga:
        await olga.post("/sign-in", data={"login": "olga", "password": PASSWORD})
        page = (await olga.get(f"/limits/{limit}")).text
        assert "Each user: at most 20 messages" in page
        assert "Delete the limit" not in page
        assert "New limit" not in (await olga.get("/limits")).text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found is not None
        for path in ("/limits", f"/limits/{limit}", f"/limits/{limit}/delete"):
            answer = await olga.post(path, data={"csrf": found[1], **FORM, "amount": "1"})
            assert answer.status_code == 403
    assert "at most 20 messages" in (await owned.client.get(f"/limits/{limit}")).text

"""What people change in forms: it is made, woken up, audited; or refused beside the field."""

import re

import httpx
import pytest
from sqlalchemy import text

from db.inbox import add_update
from db.outbox import add_outbound, mark
from tests.admin.panel import Panel
from tests.admin.seed import fill, token
from tests.fakes.llm import fake_llm


async def scalar(panel: Panel, query: str) -> object:
    async with panel.database.reading() as conn:
        return (await conn.execute(text(query))).scalar()


async def new_bot(panel: Panel, **values: str) -> httpx.Response:
    return await panel.post("/bots/new", {"id": "shop", "name": "Shop", "token": token(1), **values})


async def test_a_new_bot_is_sealed_started_and_audited(owned: Panel) -> None:
    answer = await new_bot(owned)
    assert answer.status_code == 303 and answer.headers["location"] == "/bots/shop?done=created"
    assert "wake" in [name for name, _ in owned.orchestrator.asked]
    assert str(await scalar(owned, "SELECT secret FROM channel")).startswith("sealed:channel.secret.")
    assert await scalar(owned, "SELECT action FROM audit WHERE target = 'shop'") == "bot.create"
    page = await owned.client.get("/bots/shop?done=created")
    assert "Running" in page.text and "Created." in page.text
    assert token(1) not in page.text


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"token": "nonsense"}, "token", "Is not a bot token"),
        ({"id": "Not good"}, "id", "Must have 1 to 32 characters"),
        ({"api_base": "ftp://x"}, "api_base", "Must be an http:// or https:// address"),
        ({"route": "nowhere"}, "route", "Names the route nowhere, which does not exist"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(
    owned: Panel, values: dict[str, str], field: str, words: str
) -> None:
    answer = await new_bot(owned, **values)
    assert answer.status_code == 422
    assert re.search(rf'id="e-{field}">.*?{re.escape(words)}', answer.text, re.S), answer.text
    assert 'value="Shop"' in answer.text  # what was typed stays
    assert token(1) not in answer.text and "nonsense" not in answer.text.replace("e-token", "")
    assert await scalar(owned, "SELECT count(*) FROM channel") == 0


async def test_a_taken_id_is_said_above_the_form_in_russian(owned: Panel) -> None:
    await new_bot(owned)
    owned.client.cookies.set("language", "ru", domain="127.0.0.1")
    answer = await new_bot(owned, token=token(2))
    assert answer.status_code == 422 and "выберите другой id" in answer.text


async def test_stop_start_restart_and_delete(owned: Panel) -> None:
    await new_bot(owned)
    for action, state in (("stop", "STOPPED"), ("start", "READY"), ("restart", "READY")):
        answer = await owned.post(f"/bots/shop/{action}", headers={"hx-request": "true"})
        assert answer.status_code == 204 and "toast" in answer.headers["hx-trigger"]
        assert await scalar(owned, "SELECT state FROM channel") == state
    assert (await owned.post("/bots/shop/delete")).headers["location"] == "/bots?done=deleted"
    assert (await owned.client.get("/bots/shop")).status_code == 404
    assert (await owned.post("/bots/shop/start")).status_code == 404


async def test_a_saved_token_stays_when_it_is_left_out(owned: Panel) -> None:
    await new_bot(owned)
    answer = await owned.post("/bots/shop", {"name": "Renamed", "token": ""})
    assert answer.status_code == 303
    assert await scalar(owned, "SELECT name FROM channel") == "Renamed"
    assert await scalar(owned, "SELECT secret FROM channel") is not None


async def test_rows_of_the_fleet_file_can_only_be_read(owned: Panel) -> None:
    await new_bot(owned)
    async with owned.database.transaction() as conn:
        await conn.execute(text("UPDATE channel SET managed = 'file'"))
    page = (await owned.client.get("/bots/shop")).text
    assert "Managed by the fleet file" in page and "Delete the bot" not in page
    answer = await owned.post("/bots/shop", {"name": "Other"})
    assert answer.status_code == 422 and "managed by the fleet file" in answer.text
    assert (await owned.post("/bots/shop/delete")).status_code == 422


async def test_a_silent_supervisor_is_said_and_nothing_is_lost(owned: Panel) -> None:
    owned.orchestrator.server.close()
    answer = await new_bot(owned)
    assert answer.status_code == 422 and "The supervisor does not answer" in answer.text
    assert "states may be old" in (await owned.client.get("/")).text


async def test_a_widget_gets_its_snippet(owned: Panel) -> None:
    form = {"id": "site", "origins": "https://example.com\nhttps://*.example.org", "color": "#2563EB"}
    assert (await owned.post("/widgets/new", form)).status_code == 303
    page = (await owned.client.get("/widgets/site")).text
    assert f"&lt;script src=&#34;{owned.url}/w/site.js&#34; defer&gt;" in page
    bad = await owned.post("/widgets/site", {"origins": "https://example.com/path\nhttps://ok.example"})
    assert bad.status_code == 422 and "1: must be an origin without a path" in bad.text


async def test_a_provider_is_tested_with_its_key(owned: Panel) -> None:
    async with fake_llm() as llm:
        form = {
            "id": "mine",
            "kind": "openai-compatible",
            "base_url": llm.url,
            "keys": "k-123456789012",
            "enabled": "on",
        }
        assert (await owned.post("/providers/new", form)).status_code == 303
        owned.orchestrator.keys["mine"] = ["k-123456789012"]
        found = await owned.post("/providers/mine/test")
        assert "It answers, and lists" in found.text
        await llm.down()
        assert "There is no connection" in (await owned.post("/providers/mine/test")).text
    page = (await owned.client.get("/providers/mine")).text
    assert "…9012" in page and "k-123456789012" not in page


async def test_a_provider_keeps_its_headers_limits_models_and_proxies(owned: Panel) -> None:
    form = {"kind": "openai", "headers": "X-Team: blue\nX-B: c:d", "gap": "7,5", "cooldown": "9",
            "models": "own:7b quality=70 price_in=0.5 price_out=1 vision no-tools", "private": "on",
            "enabled": "on", "whole_only": "on"}  # fmt: skip
    made = await owned.post("/providers/new", {"id": "a", "proxies": "socks5://u:geheim1@h:1", **form})
    assert made.status_code == 303
    page = (await owned.client.get("/providers/a")).text
    for shown in ("X-B: c:d", 'value="7.5"', "own:7b quality=70 price_in=0.5 price_out=1 vision no-tools"):
        assert shown in page
    assert "socks5://u@h:1" in page and "geheim1" not in page
    owned.orchestrator.proxies["a"] = ["socks5://u:geheim1@h:1"]
    wrong = await owned.post("/providers/a/proxies", {"proxy": "socks5://u:geheim2@h"})
    assert wrong.status_code == 422 and "an address with a port" in wrong.text and "geheim2" not in wrong.text
    assert (await owned.post("/providers/a/proxies", {"proxy": "http://h:2"})).status_code == 303
    assert "http://h:2" in (await owned.client.get("/providers/a")).text
    assert (await owned.post("/providers/a/proxies/1/delete")).status_code == 303
    assert (await owned.post("/providers/a/proxies/9/delete")).status_code == 404
    bad = await owned.post("/providers/a", {**form, "headers": "Cookie: x", "models": "a b=1"})
    assert (
        bad.status_code == 422 and "ust not hold Cookie" in bad.text and "1: is not known" in bad.text.lower()
    )


async def test_a_wrong_key_and_a_dead_proxy_say_what_to_do(owned: Panel) -> None:
    async with fake_llm() as llm:
        form = {"id": "m", "kind": "openai-compatible", "base_url": llm.url, "enabled": "on",
                "keys": "k-123456789012", "proxies": "http://127.0.0.1:9"}  # fmt: skip
        assert (await owned.post("/providers/new", form)).status_code == 303
        owned.orchestrator.keys["m"] = ["k-123456789012"]
        owned.orchestrator.proxies["m"] = ["http://127.0.0.1:9"]
        dead = await owned.post("/providers/m/test", {"proxy": "1"})
        assert "proxy" in dead.text and 'role="alert"' in dead.text
        gone = await owned.post("/providers/m/test", {"proxy": "2"})
        assert "This proxy cannot be opened" in gone.text


async def test_keys_are_added_and_removed(owned: Panel) -> None:
    await owned.post(
        "/providers/new", {"id": "a", "kind": "openai", "keys": "sk-aaaaaaaaaaaa1111", "enabled": "on"}
    )
    bad = await owned.post("/providers/a/keys", {"key": "with space"})
    assert bad.status_code == 422 and "copy it again" in bad.text
    assert (await owned.post("/providers/a/keys", {"key": "sk-aaaaaaaaaaaa2222"})).status_code == 303
    page = (await owned.client.get("/providers/a")).text
    first = re.search(r"/providers/a/keys/([0-9a-f-]{36})/delete", page)
    assert first is not None and "…2222" in page
    assert (await owned.post(f"/providers/a/keys/{first[1]}/delete")).status_code == 303
    assert "…1111" not in (await owned.client.get("/providers/a")).text


async def test_a_route_keeps_its_order(owned: Panel) -> None:
    await owned.post("/providers/new", {"id": "a", "kind": "openai", "enabled": "on"})
    form = {"id": "r", "candidates": ["a:x", "", "knowledge", "a:auto"], "temperature": "0,5"}
    assert (await owned.post("/routes/new", form)).status_code == 303
    page = (await owned.client.get("/routes/r")).text
    assert re.findall(r'name="candidates" value="([^"]+)"', page) == ["a:x", "knowledge", "a:auto"]
    assert 'value="0.5"' in page
    bad = await owned.post("/routes/r", {"candidates": ["b:x"]})
    assert bad.status_code == 422 and "names the provider b" in bad.text
    assert (await owned.post("/providers/a/delete")).status_code == 422  # still in use


async def test_faq_documents_and_the_test_box(owned: Panel) -> None:
    await owned.post("/bases/new", {"id": "shop"})
    faq = {"match": "wildcard", "question": "return*", "answer": "Within 30 days."}
    assert (await owned.post("/bases/shop/faq/new", faq)).status_code == 303
    bad = await owned.post("/bases/shop/faq/new", {**faq, "match": "regex", "question": "("})
    assert bad.status_code == 422 and 'id="e-question"' in bad.text
    files = {"file": ("hours.md", b"# Opening hours\n\nThe warehouse opens at nine.", "text/markdown")}
    assert (await owned.post("/bases/shop/documents", files=files)).status_code == 303
    page = (await owned.client.get("/bases/shop")).text
    assert "hours.md" in page and "return*" in page
    questions = ("return it?", "When does the warehouse open?", "What is the meaning of life?")
    answers = [(await owned.post("/bases/shop/ask", {"question": q})).text for q in questions]
    assert "The FAQ answers at once" in answers[0]
    assert "hours.md" in answers[1] and "would answer" in answers[1]
    assert "Nothing here answers that" in answers[2] or "too unlike" in answers[2]
    fake = {"file": ("fake.pdf", b"\x89PNG not a pdf", "application/pdf")}
    refused = await owned.post("/bases/shop/documents", files=fake)
    assert refused.status_code == 422 and "cannot be read" in refused.text
    document = re.search(r'href="(/bases/shop/documents/[0-9a-f-]+)"', page)
    entry = re.search(r'href="(/bases/shop/faq/[0-9a-f-]{36})"', page)
    assert document is not None and entry is not None
    assert "The warehouse opens at nine" in (await owned.client.get(document[1])).text
    for path in (document[1], entry[1]):
        assert (await owned.post(f"{path}/delete")).status_code == 303
    assert "hours.md" not in (await owned.client.get("/bases/shop")).text


async def test_an_operator_writes_into_a_conversation(owned: Panel) -> None:
    await fill(owned)
    page = (await owned.client.get("/conversations?instance=bots/support")).text
    link = re.search(r'href="(/conversations/[0-9a-f-]+)"', page)
    assert link is not None and "Shop widget" not in page.partition("<tbody>")[2]
    shown = (await owned.client.get(link[1])).text
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert (await owned.post(link[1], {"text": "Hello from Ann"})).status_code == 303
    payload = str(await scalar(owned, "SELECT payload FROM outbox WHERE status = 'new'"))
    assert "Hello from Ann" in payload
    assert any(name == "wake" and args["what"] == "outbox" for name, args in owned.orchestrator.asked)
    assert "Hello from Ann" in (await owned.client.get(link[1])).text


async def test_a_token_of_the_panel_opens_the_api_until_it_is_revoked(owned: Panel) -> None:
    page = (await owned.post("/tokens", {"name": "CI"})).text
    made = re.search(r"by_[\w-]+", page)
    assert made is not None
    async with owned.new_client(authorization=f"Bearer {made[0]}") as client:
        assert (await client.get("/api/v1/bots")).status_code == 200
        listed = (await owned.client.get("/tokens")).text
        assert made[0] not in listed
        row = re.search(r"/tokens/([0-9a-f]{64})/delete", listed)
        assert row is not None
        await owned.post(f"/tokens/{row[1]}/delete")
        assert (await client.get("/api/v1/bots")).status_code == 401


async def test_an_offer_becomes_a_provider(owned: Panel) -> None:
    await fill(owned)
    assert "LM Studio" in (await owned.client.get("/welcome")).text
    assert (await owned.post("/welcome/offers/studio")).headers["location"].startswith("/providers/studio")
    assert "LM Studio" not in (await owned.client.get("/welcome")).text
    assert (await owned.post("/welcome/offers/studio")).status_code == 404


async def test_people_are_added_and_removed(owned: Panel) -> None:
    form = {"login": "olga", "role": "viewer", "password": "a long password"}
    assert (await owned.post("/people", form)).status_code == 303
    twice = await owned.post("/people", form)
    assert twice.status_code == 422 and "Somebody has this login already." in twice.text
    row = re.search(r"/people/([0-9a-f-]{36})/delete", (await owned.client.get("/people")).text)
    assert row is not None
    assert (await owned.post(f"/people/{row[1]}/delete")).status_code == 303
    own = await scalar(owned, "SELECT id FROM operator")
    assert (await owned.post(f"/people/{own}/delete")).status_code == 400


async def test_what_was_set_aside_is_shown(owned: Panel) -> None:
    await new_bot(owned)
    channel = str(await scalar(owned, "SELECT id FROM channel"))
    async with owned.database.transaction() as conn:
        await add_update(conn, channel, "1", "42", "{}", "new")
        await conn.execute(text("UPDATE inbox SET status = 'dead', error = '<no> text'"))
        row = await add_outbound(conn, channel, "43", {}, None)
        await mark(conn, row, status="dead", error="chat not found")
    page = (await owned.client.get("/bots/shop")).text
    assert "Messages that could not be handled" in page and "&lt;no&gt; text" in page
    assert "Messages that could not be sent" in page and "chat not found" in page

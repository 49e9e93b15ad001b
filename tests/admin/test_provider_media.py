"""Providers that make pictures and videos, in the panel."""

from core.configuration.provider_configs import NewProvider
from core.configuration.service import Configuration
from tests.admin.panel import Panel

OPTIONS = {"media_poll": 2.5, "media_deadline": 900, "media_answer": 60, "media_largest": 50 << 20}
FORM = {
    "kind": "vertex", "name": "Veo", "enabled": "on", "media_poll": "2.5", "media_deadline": "900",
    "media_answer": "60", "media_largest": "50", "result_hosts": "store.lan:9000\nstore.lan",
    "location": "us-central1",
}  # fmt: skip


def configuration(panel: Panel) -> Configuration:
    async def seal(aad: str, text: str) -> str:
        return f"sealed:{aad}"

    return Configuration(panel.database, seal, panel.orchestrator.reconcile)


async def test_options_of_pictures_are_edited_and_kept(owned: Panel) -> None:
    new = NewProvider(id="veo", kind="vertex", keys=["k" * 20], **OPTIONS, location="us-central1")
    await configuration(owned).providers.create("ann", new)
    page = (await owned.client.get("/providers/veo")).text
    for name, value in (("media_poll", "2.5"), ("media_largest", "50"), ("location", "us-central1")):
        assert f'id="f-{name}" name="{name}" type="text" value="{value}"' in page
    assert (await owned.post("/providers/veo", FORM)).status_code == 303
    row = await configuration(owned).providers.get("veo")
    assert {name: getattr(row, name) for name in OPTIONS} == OPTIONS
    assert row.result_hosts == ["store.lan:9000", "store.lan"] and row.location == "us-central1"
    for name, value in (("media_largest", "many"), ("media_poll", "0"), ("result_hosts", "http://x/y")):
        wrong = await owned.post("/providers/veo", {**FORM, name: value})
        assert wrong.status_code == 422 and f'id="e-{name}"' in wrong.text, name


async def test_who_only_makes_pictures_says_so(owned: Panel) -> None:
    for kind in ("recraft", "openai", "engine", "groq"):
        base_url = "http://127.0.0.1:9/v1" if kind == "engine" else None
        new = NewProvider(id=kind, kind=kind, keys=["k" * 20], base_url=base_url)
        await configuration(owned).providers.create("ann", new)
    page = (await owned.client.get("/providers/recraft")).text
    assert "Makes pictures and videos only" in page and "recraft:" in page and "first_token" not in page
    page = (await owned.client.get("/providers/openai")).text
    assert "Makes pictures or videos too" in page and "openai:gpt-image" in page and "first_token" in page
    page = (await owned.client.get("/providers/engine")).text
    assert 'href="/engines"' in page and "An engine host" in page
    page = (await owned.client.get("/providers/groq")).text
    assert "media_poll" not in page and "Makes pictures" not in page
    assert (await owned.client.get("/providers")).text.count("pictures and videos only") == 1
    assert "pictures and videos only" in (await owned.client.get("/providers/new")).text

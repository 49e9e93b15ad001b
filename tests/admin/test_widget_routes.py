"""What websites load: loader, configuration, code, and the demo page."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from db import channels, routes, slugs
from tests.widget.stage import SLUG, Stage, staged


@pytest.fixture
async def widget(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("BOTYARD_HOME", str(tmp_path))
    async with staged(sqlite_url, tmp_path, tmp_path / "cache") as one:
        yield one


@pytest.fixture
async def http(widget: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=widget.url) as client:
        yield client


async def test_loader_and_code_are_cached_and_open_to_any_page(http: httpx.AsyncClient) -> None:
    loader = await http.get(f"/w/{SLUG}.js")
    assert loader.status_code == 200 and loader.headers["access-control-allow-origin"] == "*"
    assert loader.headers["cache-control"] == "public, max-age=300, stale-while-revalidate=86400"
    assert loader.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await http.get(f"/w/{SLUG}.js", headers={"if-none-match": loader.headers["etag"]})
    assert again.status_code == 304
    config = (await http.get(f"/w/{SLUG}/config")).json()
    core = await http.get(f"/w/{config['core']}")
    assert "immutable" in core.headers["cache-control"] and core.headers["access-control-allow-origin"] == "*"
    assert re.fullmatch(r"assets/[0-9a-f]{12}/core\.js", config["core"])
    assert not re.findall(r"https?://[a-z0-9](?!ww\.w3\.org/)", loader.text + core.text)


async def test_config_needs_no_process(widget: Stage, http: httpx.AsyncClient) -> None:
    await widget.kill_channel()
    ada = {"name": "Ada L.", "greeting": " Hi! ", "prompt": ""}
    async with widget.database.transaction() as conn:
        await slugs.save_one(conn, routes.Character, "ada", **ada)
        row = await channels.find_channel(conn, "widget", SLUG)
        await channels.change_channel(conn, row.id, character_id="ada", config={"origins": []})
    answer = await http.get(f"/w/{SLUG}/config", headers={"origin": widget.url})
    assert answer.headers["access-control-allow-origin"] == widget.url
    config = answer.json()
    assert (config["title"], config["greeting"], config["accent"]["ink"]) == ("Ada L.", "Hi!", "#ffffff")
    same = await http.get(f"/w/{SLUG}/config", headers={"if-none-match": answer.headers["etag"]})
    assert same.status_code == 304
    down = await http.get(f"/w/{SLUG}/messages")
    assert (down.status_code, down.headers["retry-after"]) == (503, "1")
    await widget.start_channel()


async def test_foreign_pages_are_refused(widget: Stage, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/w/{SLUG}/config?lang=ru", headers={"origin": widget.foreign})
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    assert answer.json()["error"]["message"] == "Этого сайта нет в списке сайтов виджета."
    assert (await http.get(f"/w/{SLUG}/config", headers={"origin": widget.site})).status_code == 200


@pytest.mark.parametrize("slug", ["nobody", "NOBODY", "a" * 33, "..%2f..%2fetc", "%00", "a.b"])
async def test_unknown_widgets(http: httpx.AsyncClient, slug: str) -> None:
    for path in (f"/w/{slug}.js", f"/w/{slug}/config", f"/w/{slug}/messages"):
        answer = await http.get(path)
        assert answer.status_code == 404, path
    script = await http.get("/w/nobody.js")
    assert script.text.startswith("console.warn(") and script.headers["content-type"].startswith(
        "text/javascript"
    )


async def test_a_stopped_widget_says_so(widget: Stage, http: httpx.AsyncClient) -> None:
    await widget.kill_channel()
    async with widget.database.transaction() as conn:
        row = await channels.find_channel(conn, "widget", SLUG)
        await channels.change_channel(conn, row.id, enabled=False)
    for path in (f"/w/{SLUG}.js", f"/w/{SLUG}/config", f"/w/{SLUG}/messages"):
        assert (await http.get(path)).status_code == 404
    await widget.start_channel()


async def test_the_demo_page(widget: Stage, http: httpx.AsyncClient) -> None:
    page = await http.get("/demo")
    assert page.status_code == 200 and "One program." in page.text
    policy = page.headers["content-security-policy"]
    assert "'unsafe" not in policy and "require-trusted-types-for 'script'" in policy
    assert not re.findall(r"<script(?! src)|\sstyle=|\son[a-z]+=", page.text)
    assert "/w/demo.js" in page.text and "&lt;script src=" in page.text
    assert not re.findall(r'(?:src|href)="https?:', page.text)
    russian = await http.get("/demo", headers={"accept-language": "ru"})
    assert "Одна программа." in russian.text and 'lang="ru"' in russian.text
    assert f"/w/{SLUG}.js" in (await http.get(f"/demo?widget={SLUG}")).text
    assert "/w/demo.js" in (await http.get('/demo?widget="><script>')).text

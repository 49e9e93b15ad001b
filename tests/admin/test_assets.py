"""What the panel ships: vendored files as fetched, texts complete, pages light."""

import re
from pathlib import Path

from admin import i18n, vendor
from admin.assets import Assets
from tests.admin.panel import Panel

TEMPLATES = Path(i18n.__file__).parent / "templates"
FIRST_LOAD = 60_000
EXAMPLES = {"example.com", "*.example.com", "127.0.0.1:8081", "127.0.0.1:11434"}


def test_vendored_files_are_what_was_fetched() -> None:
    assert vendor.changed() == []
    notices = vendor.NOTICES.read_text()
    for package in vendor.packages():
        assert f"## {package['name']} {package['version']}" in notices


def test_the_sprite_has_every_icon_that_a_page_names() -> None:
    sprite = (TEMPLATES.parent / "static" / "icons.svg").read_text()
    sources = [path.read_text() for path in TEMPLATES.glob("*.html")]
    named = {name for text in sources for name in re.findall(r'ui\.icon\("([a-z0-9-]+)"', text)}
    assert named
    assert {name for name in named if f'id="{name}"' not in sprite} == set()


def test_no_text_is_without_russian_and_none_is_unused() -> None:
    assert list(i18n.missing("ru")) == []
    used = {message.id for message in i18n.extracted()}
    assert {message.id for message in i18n.catalog_of("ru")} - used == set()


def test_the_compiled_catalogue_is_fresh() -> None:
    compiled = i18n.FOLDER / "ru" / "LC_MESSAGES" / "messages.mo"
    assert compiled.read_bytes() == i18n.compiled("ru"), "run `python -m admin.i18n`"


def test_numbers_and_plurals_follow_the_language() -> None:
    russian, english = i18n.SPOKEN["ru"], i18n.SPOKEN["en"]
    assert english.number(12847) == "12,847"
    assert russian.number(0.84, 2) == "0,84"
    words = [russian.plural("1 message", "%(num)s messages", number) for number in (1, 3, 11, 21)]
    assert words == ["1 сообщение", "3 сообщения", "11 сообщений", "21 сообщение"]


def test_no_template_names_another_site() -> None:
    for path in TEMPLATES.glob("*.html"):
        found = {name.rstrip(".") for name in re.findall(r"https?://([\w.*:-]+)", path.read_text())}
        assert found <= EXAMPLES, path.name


def test_a_changed_file_gets_another_address(tmp_path: Path) -> None:
    assets = Assets(tmp_path)
    css = assets.files["base.css"].bodies[""].decode()
    assert assets.url("inter-latin.woff2") in css
    assert re.fullmatch(r"/static/[0-9a-f]{8}/app\.js", assets.url("app.js"))


async def test_the_first_load_is_light(owned: Panel) -> None:
    page = await owned.client.get("/", headers={"accept-encoding": "br"})
    sizes = {"/": int(page.num_bytes_downloaded)}
    for url in set(re.findall(r"/static/[0-9a-f]{8}/[\w.-]+", page.text)):
        answer = await owned.client.get(url, headers={"accept-encoding": "br"})
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        if not url.endswith(".woff2"):
            assert answer.headers["content-encoding"] == "br"
            sizes[url] = answer.num_bytes_downloaded
    assert sum(sizes.values()) <= FIRST_LOAD, sizes
    assert page.headers["content-encoding"] == "br"

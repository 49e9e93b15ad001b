"""A fleet file's rows: idempotent, marked, never taken from the panel, never deleted."""

from pathlib import Path
from typing import Any

import pytest

from core.configuration.changes import SETUP
from core.configuration.configs import NewBot
from core.configuration.errors import ManagedByFile
from core.configuration.limit_configs import LimitInput
from core.configuration.media_routes import MediaRouteInput
from core.configuration.preset_configs import PresetInput
from core.configuration.provider_configs import NewProvider
from core.configuration.route_configs import NewRoute
from core.fleet.file import Fleet, FleetErrors, apply_fleet, parse_fleet
from core.instances import load_instance
from core.secrets import Vault
from db import channels, knowledge, limits, media, operators, providers, routes, settings, slugs
from db.database import Database
from tests.core.configuration_fixtures import OTHER_TOKEN, TOKEN, configuration_of

WHOLE = f"""
[[providers]]
id = "main"
kind = "openai"
keys = ["sk-aaaaaaaaaaaa", "sk-bbbbbbbbbbbb"]
[[routes]]
id = "default"
candidates = ["main:m", "knowledge"]
top_p = 0.5
[[characters]]
id = "anna"
prompt = "Be brief."
[[media_routes]]
id = "shop-pictures"
makes = "image"
candidates = ["main:gpt-image-1", "engine:auto"]
blocked_words = ["logo"]
[[presets]]
id = "quick"
models = "gpt-image-*"
values = {{ steps = 8 }}
limits = {{ steps = [1, 20] }}
[[limits]]
id = "shop-money"
subject_kind = "instance"
bot = "shop"
measure = "money"
amount = 2.5
period = "day"
action = "stop"
[[bots]]
id = "shop"
image_route = "shop-pictures"
video_route = "off"
token = "{TOKEN}"
character = "anna"
base = "tea"
[[widgets]]
id = "site"
origins = ["https://shop.example"]
[[faq]]
question = "First?"
answer = "One."
[[faq]]
question = "Second?"
answer = "Two."
base = "tea"
[[documents]]
path = "tea.md"
base = "tea"
"""


@pytest.fixture
def vault() -> Vault:
    return Vault(b"k" * 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tea.md").write_text("# Tea\n\nTea is served at five.")
    return tmp_path


def fleet_of(folder: Path, text: str = WHOLE) -> Fleet:
    (folder / "fleet.toml").write_text(text)
    return parse_fleet(folder / "fleet.toml", {})


def without(section: str, text: str = WHOLE) -> str:
    parts = text.split("\n[[")
    return "\n[[".join(part for part in parts if not part.startswith(section))


async def everything(database: Database) -> dict[str, Any]:
    async with database.reading() as conn:
        bases = [row.id for row in await knowledge.all_bases(conn)]
        return {
            "channels": {row.slug: row for row in await channels.all_channels(conn)},
            "providers": {row.id: row for row in await providers.all_providers(conn)},
            "keys": await providers.keys_of(conn),
            "routes": {row.id: row for row in await slugs.all_of(conn, routes.Route)},
            "characters": {row.id: row for row in await slugs.all_of(conn, routes.Character)},
            "media_routes": {row.id: row for row in await slugs.all_of(conn, media.MediaRoute)},
            "presets": {row.id: row for row in await slugs.all_of(conn, media.Preset)},
            "limits": {row.id: row for row in await limits.all_limits(conn)},
            "faq": {row.question: row for row in await knowledge.faqs_of(conn, bases)},
            "documents": {
                row.name: row for base in bases for row in await knowledge.documents_of(conn, base)
            },
            "version": await settings.get_setting(conn, settings.CONFIG_VERSION, 0),
        }


async def test_a_whole_file_becomes_rows(database: Database, folder: Path, vault: Vault) -> None:
    assert await apply_fleet(database, fleet_of(folder), vault) is True
    rows = await everything(database)
    shop, site = rows["channels"]["shop"], rows["channels"]["site"]
    assert vault.open(shop.secret, f"channel.secret.{shop.id}") == TOKEN
    assert len(vault.open(site.secret, f"channel.secret.{site.id}")) > 30
    assert (shop.enabled, shop.managed, shop.base_ids) == (True, "file", ["tea", "fleet"])
    assert (site.config["origins"], site.base_ids) == (["https://shop.example"], ["fleet"])
    keys = [vault.open(key.secret, f"provider_key.secret.{key.id}") for key in rows["keys"]]
    assert keys == ["sk-aaaaaaaaaaaa", "sk-bbbbbbbbbbbb"]
    assert rows["routes"]["default"].settings == {"top_p": 0.5}
    assert rows["media_routes"]["shop-pictures"].settings == {"blocked_words": ["logo"]}
    assert (shop.config["image_route"], shop.config["video_route"]) == ("shop-pictures", "off")
    assert (rows["presets"]["quick"].values, rows["presets"]["quick"].standard) == ({"steps": 8}, True)
    bound = rows["limits"]["shop-money"]
    assert (bound.subject, bound.amount, bound.action, bound.enabled) == (shop.id, 2.5, "stop", True)
    assert {row.managed for part in rows.values() if isinstance(part, dict) for row in part.values()} == {
        "file"
    }
    async with database.reading() as conn:
        instance = await load_instance(conn, shop.id, {})
        audit = await operators.recent_audit(conn)
    assert instance is not None and instance.character.prompt == "Be brief."
    assert [entry.answer for entry in instance.faqs] == ["One.", "Two."]
    assert [entry.actor for entry in audit] == ["fleet file"]
    assert TOKEN not in str(audit) and "sk-" not in str(audit)


async def test_the_second_time_nothing_changes(database: Database, folder: Path, vault: Vault) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    before = await everything(database)
    assert await apply_fleet(database, fleet_of(folder), vault) is False
    assert await everything(database) == before


async def test_only_what_changed_is_written(database: Database, folder: Path, vault: Vault) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    before = await everything(database)
    text = (
        WHOLE.replace("Be brief.", "Be kind.")
        .replace("One.", "1.")
        .replace("sk-bbbbbbbbbbbb", "sk-cccccccccccc")
    )
    (folder / "tea.md").write_text("# Tea\n\nTea is served at six.")
    assert await apply_fleet(database, fleet_of(folder, text), vault) is True
    after = await everything(database)
    assert after["version"] == before["version"] + 1
    assert after["channels"] == before["channels"]
    assert after["characters"]["anna"].prompt == "Be kind."
    assert after["faq"]["First?"].answer == "1."
    assert after["faq"]["First?"].id == before["faq"]["First?"].id
    assert after["faq"]["Second?"] == before["faq"]["Second?"]
    assert [key.hint for key in after["keys"]] == ["aaaa", "cccc"]
    assert list(after["documents"]) == ["tea.md"]
    assert after["documents"]["tea.md"].digest != before["documents"]["tea.md"].digest


async def test_a_new_token_is_sealed_again(database: Database, folder: Path, vault: Vault) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    await apply_fleet(database, fleet_of(folder, WHOLE.replace(TOKEN, OTHER_TOKEN)), vault)
    shop = (await everything(database))["channels"]["shop"]
    assert vault.open(shop.secret, f"channel.secret.{shop.id}") == OTHER_TOKEN
    assert shop.config["token_hint"] == "987654321"


async def test_another_secret_key_seals_everything_again(
    database: Database, folder: Path, vault: Vault
) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    other = Vault(b"o" * 32)
    assert await apply_fleet(database, fleet_of(folder), other) is True
    shop = (await everything(database))["channels"]["shop"]
    assert other.open(shop.secret, f"channel.secret.{shop.id}") == TOKEN


async def test_what_the_file_stops_naming_is_stopped_and_marked(
    database: Database, folder: Path, vault: Vault
) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    before = await everything(database)
    assert await apply_fleet(database, fleet_of(folder, ""), vault) is True
    gone = await everything(database)
    parts = [part for part in gone.values() if isinstance(part, dict)]
    assert {row.managed for part in parts for row in part.values()} == {"file-gone"}
    assert [len(part) for part in parts] == [len(p) for p in before.values() if isinstance(p, dict)]
    off = (*gone["channels"].values(), *gone["providers"].values(), *gone["limits"].values())
    assert not any(row.enabled for row in off) and not gone["presets"]["quick"].standard
    async with database.reading() as conn:
        instance = await load_instance(conn, gone["channels"]["shop"].id, {})
        base = await knowledge.get_base(conn, "tea")
    assert instance is not None and instance.faqs == ()
    assert base is not None and base.managed == "file-gone"
    assert await apply_fleet(database, fleet_of(folder, ""), vault) is False
    assert await apply_fleet(database, fleet_of(folder), vault) is True
    back = await everything(database)
    assert {row.managed for part in back.values() if isinstance(part, dict) for row in part.values()} == {
        "file"
    }
    assert back["channels"]["shop"].id == before["channels"]["shop"].id
    assert back["channels"]["shop"].secret == before["channels"]["shop"].secret
    assert back["channels"]["shop"].enabled and back["providers"]["main"].enabled
    assert back["limits"]["shop-money"].enabled and back["presets"]["quick"].standard


async def test_what_the_file_manages_is_not_changed_elsewhere(
    database: Database, folder: Path, vault: Vault
) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    panel = configuration_of(database)
    bound = LimitInput(subject_kind="all", measure="money", amount=1, period="day")
    changes = [
        panel.media_routes.change("ann", "shop-pictures", MediaRouteInput(makes="image")),
        panel.presets.change("ann", "quick", PresetInput()), panel.presets.delete("ann", "quick"),
        panel.limits.change("ann", "shop-money", bound), panel.limits.delete("ann", "shop-money"),
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(ManagedByFile):
            await change
    assert (await panel.limits.get("shop-money")).managed == "file"
    await apply_fleet(database, fleet_of(folder, ""), vault)
    assert (await panel.limits.change("ann", "shop-money", bound)).managed == ""
    assert await apply_fleet(database, fleet_of(folder, ""), vault) is False


async def test_a_limit_of_a_key_that_is_not_there(database: Database, folder: Path, vault: Vault) -> None:
    text = """
        [[limits]]
        id = "k"
        subject_kind = "key"
        subject = "nobody"
        measure = "messages"
        amount = 1
        period = "day"
    """
    with pytest.raises(FleetErrors) as caught:
        await apply_fleet(database, fleet_of(folder, text), vault)
    assert caught.value.lines() == ["limits[0].subject: names the key nobody, which does not exist"]


async def test_this_machines_engine_host_stays_it(database: Database, folder: Path, vault: Vault) -> None:
    address = "http://127.0.0.1:8009/v1"
    async with database.transaction() as conn:
        await providers.save_provider(
            conn, "engine", kind="engine", name="e", base_url=address, config={"here": True}, enabled=True,
            managed=SETUP,
        )  # fmt: skip
    text = f'[[providers]]\nid = "engine"\nkind = "engine"\nbase_url = "{address}"\n'
    for expected in (True, False):
        assert await apply_fleet(database, fleet_of(folder, text), vault) is expected
    row = (await everything(database))["providers"]["engine"]
    assert (row.managed, row.config) == ("file", {"here": True})


async def test_one_section_less(database: Database, folder: Path, vault: Vault) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    await apply_fleet(database, fleet_of(folder, without("documents", without("widgets"))), vault)
    rows = await everything(database)
    assert (rows["channels"]["site"].managed, rows["channels"]["shop"].managed) == ("file-gone", "file")
    assert rows["documents"]["tea.md"].managed == "file-gone"


async def test_order_of_faq_follows_the_file(database: Database, folder: Path, vault: Vault) -> None:
    one, two = ('[[faq]]\nquestion = "a*"\nanswer = "1"\nmatch = "wildcard"\n',
                '[[faq]]\nquestion = "ab*"\nanswer = "2"\nmatch = "wildcard"\n')  # fmt: skip
    for text, order in (
        (one + two, ["1", "2"]),
        (two + one, ["2", "1"]),
        (one, ["1"]),
        (two + one, ["2", "1"]),
    ):
        assert await apply_fleet(database, fleet_of(folder, text), vault) is True
        assert await apply_fleet(database, fleet_of(folder, text), vault) is False
        faq = (await everything(database))["faq"]
        assert [row.answer for row in faq.values() if row.managed == "file"] == order


async def test_what_was_stopped_in_the_panel_stays_stopped(
    database: Database, folder: Path, vault: Vault
) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    await configuration_of(database).bots.stop("ann", "shop")
    assert await apply_fleet(database, fleet_of(folder), vault) is False
    assert not (await everything(database))["channels"]["shop"].enabled
    text = WHOLE.replace('id = "shop"', 'id = "shop"\nenabled = true')
    assert await apply_fleet(database, fleet_of(folder, text), vault) is True
    assert (await everything(database))["channels"]["shop"].enabled


async def test_rows_of_the_panel_are_not_taken_over(database: Database, folder: Path, vault: Vault) -> None:
    configuration = configuration_of(database)
    await configuration.providers.create("ann", NewProvider(id="main", kind="openai"))
    await configuration.routes.create("ann", NewRoute(id="default", candidates=["knowledge"]))
    await configuration.bots.create("ann", NewBot(id="other", token=TOKEN))
    before = await everything(database)
    with pytest.raises(FleetErrors) as caught:
        await apply_fleet(database, fleet_of(folder), vault)
    taken = "was made in the panel already: choose another id, or delete it there"
    assert caught.value.lines() == [
        f"providers[0].id: {taken}",
        f"routes[0].id: {taken}",
        "bots[0].token: is used by the bot other already: one bot, one instance",
    ]
    assert await everything(database) == before


async def test_rows_of_the_set_up_may_be_taken_over(database: Database, folder: Path, vault: Vault) -> None:
    async with database.transaction() as conn:
        await slugs.save_one(
            conn, routes.Route, "default", name="d", candidates=["knowledge"], settings={}, managed=SETUP
        )
    await apply_fleet(database, fleet_of(folder), vault)
    assert (await everything(database))["routes"]["default"].candidates == ["main:m", "knowledge"]


async def test_a_token_moves_to_another_bot_of_the_file(
    database: Database, folder: Path, vault: Vault
) -> None:
    await apply_fleet(database, fleet_of(folder), vault)
    await apply_fleet(database, fleet_of(folder, WHOLE.replace(' = "shop"', ' = "store"')), vault)
    rows = (await everything(database))["channels"]
    assert (rows["shop"].managed, rows["store"].managed) == ("file-gone", "file")


async def test_a_document_that_cannot_be_read_stops_everything(
    database: Database, folder: Path, vault: Vault
) -> None:
    (folder / "tea.md").write_bytes(b"  ")
    fleet = fleet_of(folder)
    with pytest.raises(FleetErrors) as caught:
        await apply_fleet(database, fleet, vault)
    assert caught.value.lines()[0].startswith("documents[0].path: cannot be used")
    assert (await everything(database))["channels"] == {}
    (folder / "tea.md").unlink()
    with pytest.raises(FleetErrors):
        await apply_fleet(database, fleet, vault)

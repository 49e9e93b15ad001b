"""What a provider can be set to, and that its proxies' passwords stay sealed."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from core.configuration.errors import NotFound, problems_of
from core.configuration.provider_configs import NewProvider, ProviderInput
from core.configuration.service import Configuration
from core.configuration.texts import problem_text
from core.first_studio import add_studio
from core.fleet.file_apply import apply_fleet
from core.fleet.file_entries import Fleet
from core.provider_secrets import ProviderSecrets
from core.routing.book import provider_config
from core.secrets import Vault
from db import media, operators, providers, slugs
from db.database import Database
from tests.core.configuration_fixtures import configuration_of
from tests.core.test_configuration import refused

PROXIES = ["socks5://ann:p4ssw0rd@127.0.0.1:1080", "http://127.0.0.1:3128"]
SHOWN = ["socks5://ann@127.0.0.1:1080", "http://127.0.0.1:3128"]
EVERYTHING: dict[str, Any] = {
    "headers": {"X-Team": "blue"},
    "connect": 1.5,
    "first_token": 9,
    "gap": 8,
    "whole": 30,
    "stream": False,
    "cooldown": 5,
    "private": True,
    "billed": True,
    "models": [
        {"name": "own:7b", "quality": 70, "context": 8192, "json": True, "price_in": 1, "price_out": 2}
    ],
    "media_poll": 0.5,
    "media_deadline": 600,
    "media_answer": 60,
    "media_largest": 1 << 20,
    "result_hosts": ["store.lan:9000", "[fd00::1]:443", "files.lan"],
    "location": "europe-west4",
}


@pytest.fixture
def configuration(database: Database) -> Configuration:
    return configuration_of(database)


async def stored(database: Database, provider_id: str = "a") -> Any:
    async with database.reading() as conn:
        return await providers.get_provider(conn, provider_id)


async def test_every_setting_is_kept_and_reaches_the_provider(
    configuration: Configuration, database: Database
) -> None:
    made = await configuration.providers.create("ann", NewProvider(id="a", kind="openai", **EVERYTHING))
    assert {name: getattr(made, name) for name in EVERYTHING} == EVERYTHING
    config = provider_config(await stored(database), ProviderSecrets())
    assert config.options == EVERYTHING
    plain = await configuration.providers.change("ann", "a", ProviderInput(kind="openai"))
    assert (plain.headers, plain.models, plain.stream, plain.gap) == ({}, [], True, None)
    assert (await stored(database)).config == {}


async def test_proxies_are_sealed_and_shown_without_passwords(
    configuration: Configuration, database: Database
) -> None:
    new = NewProvider(id="a", kind="openai", proxies=PROXIES)
    assert (await configuration.providers.create("ann", new)).proxies == SHOWN
    row = await stored(database)
    assert row.proxies == "sealed[provider.proxies.a]" + json.dumps(PROXIES)
    async with database.reading() as conn:
        audit = await operators.recent_audit(conn)
    assert audit and "p4ssw0rd" not in f"{row.config} {audit}"
    kept = await configuration.providers.change("ann", "a", ProviderInput(kind="openai", name="A"))
    assert kept.proxies == SHOWN and (await stored(database)).proxies == row.proxies
    gone = await configuration.providers.change("ann", "a", ProviderInput(kind="openai", proxies=[]))
    assert gone.proxies == [] and (await stored(database)).proxies is None
    await configuration.providers.set_proxies("ann", "a", PROXIES[1:])
    assert (await configuration.providers.get("a")).proxies == SHOWN[1:]
    with pytest.raises(NotFound):
        await configuration.providers.set_proxies("ann", "b", PROXIES)


async def test_a_new_address_asks_for_the_proxies_again(configuration: Configuration) -> None:
    await configuration.providers.create("ann", NewProvider(id="a", kind="openai", proxies=PROXIES))
    moved = ProviderInput(kind="openai", base_url="http://203.0.113.9/v1")
    assert await refused(configuration.providers.change("ann", "a", moved)) == [("proxies", "secret_again")]
    again = moved.model_copy(update={"proxies": PROXIES})
    assert (await configuration.providers.change("ann", "a", again)).base_url == moved.base_url


async def test_keys_change_places(configuration: Configuration) -> None:
    keys = ["sk-aaaaaaaa1111", "sk-aaaaaaaa2222", "sk-aaaaaaaa3333"]
    made = await configuration.providers.create("ann", NewProvider(id="a", kind="openai", keys=keys))
    await configuration.providers.move_key("ann", "a", made.keys[2].id)
    assert [key.hint for key in (await configuration.providers.get("a")).keys] == ["1111", "3333", "2222"]
    with pytest.raises(NotFound):
        await configuration.providers.move_key("ann", "a", "nobody")


@pytest.mark.parametrize(
    ("values", "place", "key"),
    [
        ({"headers": {"authorization": "x"}}, "headers", "header_reserved"),
        ({"headers": {"Cookie": "x"}}, "headers", "header_reserved"),
        ({"headers": {"X-A": "b\r\nHost: c"}}, "headers", "header"),
        ({"headers": {"X A": "b"}}, "headers", "header"),
        ({"headers": {"X-A": "b" * 1001}}, "headers", "header"),
        ({"headers": {f"X-{n}": "b" for n in range(21)}}, "headers", "too_many"),
        ({"proxies": ["ftp://u:geheim@h:1"]}, "proxies[0]", "proxy"),
        ({"proxies": ["socks5://u:geheim@h"]}, "proxies[0]", "proxy"),
        ({"proxies": ["http://h:1/path"]}, "proxies[0]", "proxy"),
        ({"proxies": ["http://h:99999"]}, "proxies[0]", "proxy"),
        ({"gap": 0}, "gap", "too_small"),
        ({"whole": float("inf")}, "whole", "too_big"),
        ({"cooldown": 1e9}, "cooldown", "too_big"),
        ({"media_poll": 0}, "media_poll", "too_small"),
        ({"media_deadline": 1e6}, "media_deadline", "too_big"),
        ({"media_answer": float("inf")}, "media_answer", "too_big"),
        ({"media_largest": 1.5}, "media_largest", "number"),
        ({"media_largest": 1 << 40}, "media_largest", "too_big"),
        ({"result_hosts": ["https://store.lan"]}, "result_hosts[0]", "host"),
        ({"result_hosts": ["store.lan", "*.lan"]}, "result_hosts[1]", "host"),
        ({"result_hosts": ["store.lan/files"]}, "result_hosts[0]", "host"),
        ({"result_hosts": ["store.lan:99999"]}, "result_hosts[0]", "host"),
        ({"result_hosts": ["store.lan:0"]}, "result_hosts[0]", "host"),
        ({"result_hosts": ["ann@store.lan"]}, "result_hosts[0]", "host"),
        ({"result_hosts": ["a b"]}, "result_hosts[0]", "host"),
        ({"location": "us/../central1"}, "location", "location"),
        ({"models": [{"name": "a"}, {"name": "a"}]}, "models", "model_twice"),
        ({"models": [{"name": "a", "price_in": 1}]}, "models[0]", "price_pair"),
        ({"models": [{"name": "a", "quality": 101}]}, "models[0].quality", "too_big"),
        ({"models": [{"name": "a", "speed": 1}]}, "models[0].speed", "unknown_field"),
    ],
)
def test_what_cannot_be_set_is_said(values: dict[str, Any], place: str, key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ProviderInput(kind="openai", **values)
    problems = problems_of(caught.value.errors())
    assert [(one.place, one.key) for one in problems] == [(place, key)]
    for language in ("en", "ru"):
        assert "geheim" not in problem_text(problems[0], language)


async def test_the_fleet_file_sets_them_and_changes_nothing_twice(database: Database) -> None:
    vault = Vault(b"k" * 32)
    entry = NewProvider(id="a", kind="openai", proxies=PROXIES, **EVERYTHING)
    assert await apply_fleet(database, Fleet(providers=(entry,)), vault)
    row = await stored(database)
    assert json.loads(vault.open(row.proxies, "provider.proxies.a")) == PROXIES
    assert (await configuration_of(database).providers.get("a")).proxies == SHOWN
    assert not await apply_fleet(database, Fleet(providers=(entry,)), vault)
    assert await apply_fleet(database, Fleet(providers=(NewProvider(id="a", kind="openai"),)), vault)
    assert (await stored(database)).proxies is None


async def test_this_machines_engine_host_is_made_once_and_stays_it(
    configuration: Configuration, database: Database
) -> None:
    async def seal(aad: str, text: str) -> str:
        return f"sealed:{aad}"

    async with database.transaction() as conn:
        vendors = {"name": "Mine", "makes": "image", "candidates": ["openai:auto"], "settings": {}}
        await slugs.save_one(conn, media.MediaRoute, "images", managed="panel", **vendors)
    await configuration.providers.create("ann", NewProvider(id="engine", kind="ollama"))
    assert await add_studio(database, seal, 8003) == "this-machine"
    assert await add_studio(database, seal, 8003) == ""
    async with database.reading() as conn:
        routes = {row.id: row.candidates for row in await slugs.all_of(conn, media.MediaRoute)}
    assert routes == {"images": ["openai:auto"], "videos": ["this-machine:auto"]}
    values = {"kind": "engine", "base_url": "http://127.0.0.1:8003/v1", "name": "Ours"}
    await configuration.providers.change("ann", "this-machine", ProviderInput(**values))
    assert (await stored(database, "this-machine")).config == {"here": True}
    values |= {"base_url": "http://gpu.example:8003/v1", "keys": ["a-token-of-sixteen"]}
    await configuration.providers.change("ann", "this-machine", ProviderInput(**values))
    assert (await stored(database, "this-machine")).config == {}

"""A secret goes only where it was entered for: a new address asks for it again."""

import asyncio

import pytest

from core.configuration.configs import BotConfig, NewBot
from core.configuration.provider_configs import NewProvider, ProviderInput
from core.configuration.route_configs import NewRoute
from core.configuration.service import Configuration
from core.instances import load_instance
from core.routing.route import AllCandidatesFailed, Router
from db.database import Database
from providers.types import ChatRequest, ChatTurn
from tests.core.configuration_fixtures import TOKEN, Seams, configuration_of
from tests.core.test_configuration import refused
from tests.fakes.llm import fake_llm

KEY = "sk-test-0123456789"
HERE, THERE = "http://127.0.0.1:9000/v1", "http://203.0.113.9/v1"


@pytest.fixture
def configuration(database: Database) -> Configuration:
    return configuration_of(database, Seams())


async def test_a_providers_new_address_asks_for_its_keys_again(configuration: Configuration) -> None:
    kind = "openai-compatible"
    await configuration.providers.create("ann", NewProvider(id="a", kind=kind, base_url=HERE, keys=[KEY]))
    change = configuration.providers.change
    moved = ProviderInput(kind=kind, base_url=THERE)
    assert await refused(change("ann", "a", moved)) == [("keys", "secret_again")]
    assert await refused(change("ann", "a", ProviderInput(kind="openai"))) == [("keys", "secret_again")]
    assert (await configuration.providers.get("a")).base_url == HERE
    await change("ann", "a", ProviderInput(kind=kind, base_url=HERE, name="Renamed"))
    assert (await change("ann", "a", moved.model_copy(update={"keys": [KEY]}))).base_url == THERE


async def test_a_provider_without_keys_may_move(configuration: Configuration) -> None:
    kind = "openai-compatible"
    await configuration.providers.create("ann", NewProvider(id="a", kind=kind, base_url=HERE))
    moved = await configuration.providers.change("ann", "a", ProviderInput(kind=kind, base_url=THERE))
    assert moved.base_url == THERE


async def test_a_bots_new_server_asks_for_its_token_again(configuration: Configuration) -> None:
    await configuration.bots.create("ann", NewBot(id="a", token=TOKEN))
    moved = BotConfig(api_base="http://203.0.113.9")
    assert await refused(configuration.bots.change("ann", "a", moved)) == [("token", "secret_again")]
    assert (await configuration.bots.get("a")).api_base is None
    changed = await configuration.bots.change("ann", "a", moved.model_copy(update={"token": TOKEN}))
    assert changed.api_base == "http://203.0.113.9"


async def test_headers_stay_at_the_old_address(configuration: Configuration) -> None:
    kind, headers = "openai-compatible", {"X-Tenant-Token": "t0p"}
    await configuration.providers.create(
        "ann", NewProvider(id="a", kind=kind, base_url=HERE, headers=headers)
    )
    moved = ProviderInput(kind=kind, base_url=THERE, headers=headers)
    assert await refused(configuration.providers.change("ann", "a", moved)) == [("headers", "headers_again")]
    await configuration.providers.change("ann", "a", ProviderInput(kind=kind, base_url=THERE))


async def test_a_provider_whose_proxies_cannot_be_opened_is_not_called_past_them(
    configuration: Configuration, database: Database
) -> None:
    async with fake_llm() as vendor:
        new = NewProvider(
            id="main", kind="openai-compatible", base_url=vendor.url, proxies=["socks5://u:pw@127.0.0.1:9"]
        )
        await configuration.providers.create("ann", new)
        await configuration.routes.create("ann", NewRoute(id="r", candidates=["main:m"]))
        bot = await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN, route="r"))
        async with database.reading() as conn:
            instance = await load_instance(conn, bot.channel_id, {})
        assert instance is not None
        router = Router()
        deadline = asyncio.get_running_loop().time() + 5
        with pytest.raises(AllCandidatesFailed):
            async for _ in router.open(instance.route, ChatRequest((ChatTurn("user", "hi"),)), deadline):
                pass
        assert vendor.requests == []
        await router.close()

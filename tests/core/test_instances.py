"""Reading an instance from rows."""

from core.configuration.character_configs import NewCharacter
from core.configuration.configs import BotConfig, FaqInput, NewBase, NewBot
from core.configuration.provider_configs import NewProvider
from core.configuration.route_configs import NewRoute
from core.instance import Character
from core.instances import load_instance
from core.provider_secrets import ProviderSecrets
from db import knowledge
from db.database import Database
from tests.core.configuration_fixtures import TOKEN, configuration_of


async def test_an_instance_with_everything(database: Database) -> None:
    configuration = configuration_of(database)
    for name in ("main", "spare", "off"):
        enabled = name != "off"
        new = NewProvider(id=name, kind="openai", base_url="http://127.0.0.1:1/v1", enabled=enabled)
        await configuration.providers.create("ann", new)
    candidates = ["spare:b", "off:c", "main:a:1", "spare:d", "knowledge"]
    await configuration.routes.create("ann", NewRoute(id="r", candidates=candidates, max_tokens=9))
    await configuration.characters.create("ann", NewCharacter(id="anna", prompt="Be brief."))
    await configuration.bases.create("ann", NewBase(id="docs"))
    shown = await configuration.faqs.create("ann", "docs", FaqInput(question="a", answer="b", match="exact"))
    gone = await configuration.faqs.create("ann", "docs", FaqInput(question="c", answer="d"))
    async with database.transaction() as conn:
        await knowledge.change_faq(conn, gone.id, managed="file-gone")
    bot = await configuration.bots.create(
        "ann", NewBot(id="shop", token=TOKEN, route="r", character="anna", bases=["docs"])
    )
    async with database.reading() as conn:
        instance = await load_instance(
            conn, bot.channel_id, {"main": ProviderSecrets(("k1", "k2"), ("socks5://p:1080",))}
        )
    assert instance is not None
    assert (instance.slug, instance.character.prompt, instance.version) == ("shop", "Be brief.", 9)
    assert instance.route.candidates == tuple(candidates)
    assert instance.route.settings == {"max_tokens": 9}
    assert [entry.id for entry in instance.faqs] == [shown.id]
    assert [(p.id, p.keys) for p in instance.route.providers] == [("spare", ()), ("main", ("k1", "k2"))]
    assert [p.proxies for p in instance.route.providers] == [(), ("socks5://p:1080",)]
    assert instance.base_ids == ("docs",)


async def test_auto_over_all_brings_every_enabled_provider_those_named_first(database: Database) -> None:
    configuration = configuration_of(database)
    for name in ("one", "two", "off"):
        new = NewProvider(id=name, kind="openai", enabled=name != "off")
        await configuration.providers.create("ann", new)
    await configuration.routes.create("ann", NewRoute(id="r", candidates=["auto", "two:m"]))
    bot = await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN, route="r"))
    async with database.reading() as conn:
        instance = await load_instance(conn, bot.channel_id, {"one": ProviderSecrets(("k",))})
    assert instance is not None
    assert [(p.id, p.keys) for p in instance.route.providers] == [("two", ()), ("one", ("k",))]


async def test_defaults(database: Database) -> None:
    configuration = configuration_of(database)
    bot = await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN))
    async with database.reading() as conn:
        bare = await load_instance(conn, bot.channel_id, {})
        assert await load_instance(conn, "nobody", {}) is None
    assert bare is not None
    assert (bare.route.id, bare.route.candidates, bare.character) == (None, (), Character())
    await configuration.routes.create("ann", NewRoute(id="default", candidates=["knowledge"]))
    await configuration.characters.create("ann", NewCharacter(id="default", name="Yard"))
    await configuration.bots.change("ann", "shop", BotConfig())
    async with database.reading() as conn:
        instance = await load_instance(conn, bot.channel_id, {})
    assert instance is not None
    assert (instance.route.id, instance.route.candidates, instance.character.name) == (
        "default",
        ("knowledge",),
        "Yard",
    )

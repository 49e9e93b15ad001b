"""The configuration service: every change, every refusal, and what goes with each."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from core.configuration.character_configs import CharacterInput, NewCharacter
from core.configuration.configs import BotConfig, FaqInput, NewBase, NewBot, NewWidget, WidgetConfig
from core.configuration.provider_configs import NewProvider, ProviderInput
from core.configuration.route_configs import NewRoute, RouteInput
from core.configuration.service import (
    Configuration,
    Conflict,
    DocumentRefused,
    Invalid,
    ManagedByFile,
    NotFound,
    error_text,
    problem_text,
)
from db import channels, operators, providers, routes, settings, slugs
from db.database import Database
from tests.core.configuration_fixtures import OTHER_TOKEN, TOKEN, Seams, configuration_of


@pytest.fixture
def seams() -> Seams:
    return Seams()


@pytest.fixture
def configuration(database: Database, seams: Seams) -> Configuration:
    return configuration_of(database, seams)


async def refused(action: Awaitable[Any]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        await action
    assert error_text(caught.value, "ru")
    for problem in caught.value.problems:
        assert problem_text(problem, "en") and problem_text(problem, "ru")
    return [(problem.place, problem.key) for problem in caught.value.problems]


async def manage(database: Database, slug: str, managed: str) -> None:
    async with database.transaction() as conn:
        row = next(row for row in await channels.all_channels(conn) if row.slug == slug)
        await channels.change_channel(conn, row.id, managed=managed)


async def test_a_bot_is_made_with_its_token_sealed_for_its_row(
    configuration: Configuration, database: Database, seams: Seams
) -> None:
    bot = await configuration.bots.create(
        "ann", NewBot(id="shop", token=TOKEN, api_base="http://127.0.0.1:1/")
    )
    assert (bot.id, bot.name, bot.enabled, bot.has_token, bot.token_hint) == (
        "shop",
        "shop",
        True,
        True,
        "123456789",
    )
    assert bot.api_base == "http://127.0.0.1:1"
    async with database.reading() as conn:
        row = await channels.get_channel(conn, bot.channel_id)
        audit = await operators.recent_audit(conn)
        version = await settings.get_setting(conn, settings.CONFIG_VERSION)
    assert row.secret == f"sealed[channel.secret.{bot.channel_id}]{TOKEN}"
    assert [(entry.actor, entry.action, entry.target) for entry in audit] == [("ann", "bot.create", "shop")]
    assert TOKEN not in str(audit)
    assert (version, seams.wakes) == (1, 1)
    assert [one.id for one in await configuration.bots.all()] == ["shop"]
    assert await configuration.widgets.all() == []


async def test_a_bot_without_a_token_waits_for_one(configuration: Configuration) -> None:
    bot = await configuration.bots.create("ann", NewBot(id="later"))
    assert (bot.enabled, bot.has_token) == (False, False)
    with pytest.raises(Conflict) as caught:
        await configuration.bots.start("ann", "later")
    assert caught.value.key == "no_token"
    await configuration.bots.change("ann", "later", BotConfig(token=TOKEN))
    assert await configuration.bots.start("ann", "later") is True
    assert await configuration.bots.start("ann", "later") is False


async def test_a_change_keeps_a_token_that_is_left_out(
    configuration: Configuration, database: Database
) -> None:
    bot = await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN))
    changed = await configuration.bots.change("ann", "shop", BotConfig(name="Shop"))
    assert (changed.name, changed.token_hint, changed.has_token) == ("Shop", "123456789", True)
    changed = await configuration.bots.change("ann", "shop", BotConfig(token=OTHER_TOKEN))
    assert (changed.name, changed.token_hint) == ("shop", "987654321")
    async with database.reading() as conn:
        row = await channels.get_channel(conn, bot.channel_id)
    assert row.secret.endswith(OTHER_TOKEN)


async def test_stop_and_start_change_the_wanted_state_once(
    configuration: Configuration, seams: Seams
) -> None:
    await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN))
    assert await configuration.bots.stop("ann", "shop") is True
    assert await configuration.bots.stop("ann", "shop") is False
    assert (await configuration.bots.get("shop")).enabled is False
    assert seams.wakes == 2


async def test_names_that_refer_to_nothing_are_told_with_the_nearest(configuration: Configuration) -> None:
    await configuration.routes.create("ann", NewRoute(id="fast", candidates=["knowledge"]))
    wrong = NewBot(id="shop", token=TOKEN, route="fest", character="no", bases=["a", "b"])
    with pytest.raises(Invalid) as caught:
        await configuration.bots.create("ann", wrong)
    places = [(problem.place, problem.key) for problem in caught.value.problems]
    assert places == [(p, "no_such") for p in ("route", "character", "bases[0]", "bases[1]")]
    assert "did you mean fast?" in problem_text(caught.value.problems[0], "en")
    assert await configuration.bots.all() == []


async def test_two_bots_cannot_share_a_token(configuration: Configuration) -> None:
    await configuration.bots.create("ann", NewBot(id="one", token=TOKEN))
    assert await refused(configuration.bots.create("ann", NewBot(id="two", token=TOKEN))) == [
        ("token", "token_used")
    ]
    await configuration.bots.create("ann", NewBot(id="two", token=TOKEN, api_base="http://127.0.0.1:1"))
    assert await refused(configuration.bots.change("ann", "two", BotConfig())) == [("token", "token_used")]


async def test_a_taken_id_is_a_conflict_within_its_kind_only(configuration: Configuration) -> None:
    await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN))
    await configuration.widgets.create("ann", NewWidget(id="shop"))
    with pytest.raises(Conflict):
        await configuration.bots.create("ann", NewBot(id="shop", token=OTHER_TOKEN))


async def test_a_widget_gets_a_secret_of_its_own(configuration: Configuration, database: Database) -> None:
    one = await configuration.widgets.create("ann", NewWidget(id="a", origins=["https://Shop.example:443/"]))
    two = await configuration.widgets.create("ann", NewWidget(id="b", title="Ask", color="#ABCDEF"))
    assert (one.origins, two.title, two.color) == (["https://shop.example"], "Ask", "#abcdef")
    async with database.reading() as conn:
        secrets = [row.secret for row in await channels.all_channels(conn)]
    assert len(set(secrets)) == 2
    changed = await configuration.widgets.change("ann", "a", WidgetConfig())
    assert changed.origins == []
    async with database.reading() as conn:
        assert (await channels.get_channel(conn, one.channel_id)).secret == secrets[0]


async def test_what_the_file_manages_is_changed_there(
    configuration: Configuration, database: Database
) -> None:
    await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN))
    await manage(database, "shop", "file")
    for action in (
        configuration.bots.change("ann", "shop", BotConfig()),
        configuration.bots.delete("ann", "shop"),
    ):
        with pytest.raises(ManagedByFile) as caught:
            await action
        assert "shop" in error_text(caught.value, "ru")
    assert await configuration.bots.stop("ann", "shop")
    await manage(database, "shop", "file-gone")
    await configuration.bots.start("ann", "shop")
    assert (await configuration.bots.get("shop")).managed == ""


async def test_what_is_not_there_is_not_found(configuration: Configuration) -> None:
    faq = FaqInput(question="a", answer="b")
    for action in (
        configuration.bots.get("x"),
        configuration.bots.change("ann", "x", BotConfig()),
        configuration.bots.delete("ann", "x"),
        configuration.widgets.start("ann", "x"),
        configuration.providers.change("ann", "x", ProviderInput(kind="openai")),
        configuration.providers.delete_key("ann", "x", "y"),
        configuration.routes.delete("ann", "x"),
        configuration.characters.change("ann", "x", CharacterInput()),
        configuration.bases.get("x"),
        configuration.faqs.all("x"),
        configuration.faqs.create("ann", "x", faq),
        configuration.faqs.change("ann", "x", faq),
        configuration.documents.delete("ann", "x"),
        configuration.documents.add("ann", "x", "a.txt", b"text"),
    ):
        with pytest.raises(NotFound) as caught:
            await action
        assert "Not found" in error_text(caught.value, "en")


async def test_provider_keys_are_sealed_and_only_hinted_at(
    configuration: Configuration, database: Database
) -> None:
    keys = ["sk-abcdefghijkl", "short"]
    provider = await configuration.providers.create("ann", NewProvider(id="main", kind="openai", keys=keys))
    assert [key.hint for key in provider.keys] == ["ijkl", ""]
    async with database.reading() as conn:
        rows = await providers.keys_of(conn, "main")
    assert [row.secret for row in rows] == [
        f"sealed[provider_key.secret.{row.id}]{key}" for row, key in zip(rows, keys, strict=True)
    ]
    kept = await configuration.providers.change("ann", "main", ProviderInput(kind="openai", name="Main"))
    assert (kept.name, kept.keys) == ("Main", provider.keys)
    added = await configuration.providers.add_key("ann", "main", "sk-mnopqrstuvwx")
    await configuration.providers.delete_key("ann", "main", provider.keys[0].id)
    left = (await configuration.providers.get("main")).keys
    assert [key.id for key in left] == [provider.keys[1].id, added.id]
    assert (
        await configuration.providers.change("ann", "main", ProviderInput(kind="openai", keys=[]))
    ).keys == []


async def test_unknown_vendors_and_missing_addresses(configuration: Configuration) -> None:
    create = configuration.providers.create
    assert await refused(create("ann", NewProvider(id="a", kind="opanai"))) == [("kind", "provider_kind")]
    bare = NewProvider(id="a", kind="openai-compatible")
    assert await refused(create("ann", bare)) == [("base_url", "base_url_needed")]
    await create("ann", NewProvider(id="a", kind="openai-compatible", base_url="http://127.0.0.1:9/v1"))


async def test_routes_name_providers_and_hold_on_to_them(configuration: Configuration) -> None:
    wanted = NewRoute(id="r", candidates=["main:m:latest", "knowledge"], temperature=0.5)
    assert await refused(configuration.routes.create("ann", wanted)) == [("candidates[0]", "no_such")]
    await configuration.providers.create("ann", NewProvider(id="main", kind="openai"))
    route = await configuration.routes.create("ann", wanted)
    assert (route.candidates, route.temperature, route.top_p) == (["main:m:latest", "knowledge"], 0.5, None)
    with pytest.raises(Conflict) as caught:
        await configuration.providers.delete("ann", "main")
    assert caught.value.values["users"] == "r"
    await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN, route="r"))
    with pytest.raises(Conflict) as caught:
        await configuration.routes.delete("ann", "r")
    assert "shop" in error_text(caught.value, "en")
    await configuration.bots.change("ann", "shop", BotConfig())
    changed = await configuration.routes.change("ann", "r", RouteInput(candidates=["knowledge"]))
    assert changed.temperature is None
    await configuration.providers.delete("ann", "main")
    await configuration.routes.delete("ann", "r")
    assert await configuration.routes.all() == []


async def test_characters(configuration: Configuration) -> None:
    new = NewCharacter(id="anna", name="Анна", prompt="Be brief.", greeting="Hi", rating="adult")
    character = await configuration.characters.create("ann", new)
    assert (character.name, character.rating) == ("Анна", "adult")
    await configuration.widgets.create("ann", NewWidget(id="w", character="anna"))
    with pytest.raises(Conflict):
        await configuration.characters.delete("ann", "anna")
    await configuration.widgets.delete("ann", "w")
    await configuration.characters.delete("ann", "anna")
    assert await configuration.characters.all() == []


async def test_knowledge(configuration: Configuration) -> None:
    await configuration.bases.create("ann", NewBase(id="docs"))
    faq = await configuration.faqs.create("ann", "docs", FaqInput(question="When open?", answer="At nine."))
    changed = await configuration.faqs.change("ann", faq.id, FaqInput(question="When?", answer="At ten."))
    assert (changed.answer, changed.match) == ("At ten.", "close")
    document = await configuration.documents.add("ann", "docs", "prices.md", b"# Prices\n\nTea costs 3 euro.")
    assert (document.name, document.mime) == ("prices.md", "text/markdown")
    assert "Tea costs" in await configuration.documents.text(document.id)
    base = await configuration.bases.get("docs")
    assert (base.faqs, base.documents) == (1, 1)
    with pytest.raises(DocumentRefused) as caught:
        await configuration.documents.add("ann", "docs", "prices.pdf", b"no pdf")
    assert "prices.pdf" in error_text(caught.value, "ru")
    await configuration.bots.create("ann", NewBot(id="shop", token=TOKEN, bases=["docs"]))
    with pytest.raises(Conflict):
        await configuration.bases.delete("ann", "docs")
    await configuration.documents.delete("ann", document.id)
    await configuration.faqs.delete("ann", faq.id)
    await configuration.bots.delete("ann", "shop")
    await configuration.bases.delete("ann", "docs")


async def test_changes_at_the_same_moment_are_all_counted(
    configuration: Configuration, database: Database
) -> None:
    await configuration.characters.create("ann", NewCharacter(id="first"))
    names = [f"c{number}" for number in range(8)]
    await asyncio.gather(*(configuration.characters.create("ann", NewCharacter(id=name)) for name in names))
    async with database.reading() as conn:
        assert await settings.get_setting(conn, settings.CONFIG_VERSION) == 9
    results = await asyncio.gather(
        *(configuration.characters.create("ann", NewCharacter(id="same")) for _ in range(4)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Character"] + ["Conflict"] * 3


async def test_a_refused_change_changes_nothing(
    configuration: Configuration, database: Database, seams: Seams
) -> None:
    await refused(configuration.bots.create("ann", NewBot(id="shop", token=TOKEN, route="none")))
    async with database.reading() as conn:
        assert await settings.get_setting(conn, settings.CONFIG_VERSION) is None
        assert await operators.recent_audit(conn) == []
        assert await slugs.all_of(conn, routes.Route) == []
    assert seams.wakes == 0

"""A fleet with a past, for pages that have something to show."""

import math
import random
import time
from typing import Any

from sqlalchemy import insert

from core.configuration.character_configs import CharacterInput, NewCharacter
from core.configuration.configs import FaqInput, NewBase, NewBot, NewWidget
from core.configuration.limit_configs import LimitInput
from core.configuration.provider_configs import NewProvider
from core.configuration.route_configs import NewRoute
from core.configuration.service import Configuration
from core.gateway_keys import GatewayKeyInput, GatewayKeys
from core.limits.rule import period_of
from core.offers import Find, offer
from db.channels import all_channels
from db.conversations import add_conversation, add_messages
from db.cooldowns import CooldownFile, Rest
from db.limits import LimitUse
from db.usage import add_usage
from tests.admin.panel import Panel

BOTS = (("support", "Support desk"), ("luna", "Luna, companion"), ("sales", "Sales assistant"),
        ("docs", "Docs helper"), ("news", "News digest"))  # fmt: skip
WIDGETS = (("shop", "Shop widget", "https://shop.example.com"), ("blog", "Blog", "https://blog.example.com"))
TALK = (("user", "Hello! Do you deliver to Zürich?"), ("assistant", "Yes, within two days, free from 50 €."),
        ("user", "And can I return it?"), ("assistant", "Within 30 days. Shall I send you the form?"),
        ("user", "<img src=x onerror=alert(1)> please"))  # fmt: skip


def token(number: int) -> str:
    return f"{100_000_000 + number}:" + "A" * 35


async def fill(panel: Panel) -> Configuration:
    """Providers, a route, a character, a base, bots, widgets, conversations and usage."""

    async def seal(aad: str, text: str) -> str:
        return f"sealed:{aad}"

    configuration = Configuration(panel.database, seal, panel.orchestrator.reconcile)
    await _answers(configuration)
    for number, (slug, name) in enumerate(BOTS):
        await configuration.bots.create("ann", NewBot(id=slug, name=name, token=token(number)))
    for slug, name, origin in WIDGETS:
        await configuration.widgets.create("ann", NewWidget(id=slug, name=name, origins=[origin]))
    await configuration.bots.stop("ann", "news")
    await panel.orchestrator.park("sales", "Telegram refused the token (401 Unauthorized)")
    await _talks(panel)
    return configuration


async def _answers(configuration: Configuration) -> None:
    key = "sk-test-0123456789abcdef"
    await configuration.providers.create(
        "ann", NewProvider(id="openai", kind="openai", name="OpenAI", keys=[key])
    )
    await configuration.providers.create("ann", NewProvider(id="groq", kind="groq", name="Groq", keys=[key]))
    local = NewProvider(id="ollama", kind="ollama", name="Ollama", base_url="http://127.0.0.1:11434/v1")
    await configuration.providers.create("ann", local)
    candidates = ["openai:gpt-4o-mini", "groq:auto", "ollama:auto", "knowledge"]
    await configuration.routes.create("ann", NewRoute(id="default", name="Default", candidates=candidates))
    await configuration.routes.create(
        "ann", NewRoute(id="local", name="Local only", candidates=["ollama:auto"])
    )
    luna = CharacterInput(
        name="Luna", prompt="You are Luna, a curious companion who asks back.", greeting="Hi!"
    )
    await configuration.characters.create("ann", NewCharacter(id="luna", **luna.model_dump()))
    await configuration.bases.create("ann", NewBase(id="shop", name="Shop"))
    for question, answer, match in (
        ("How long does delivery take?", "Two days within Europe.", "close"),
        ("return*", "Within 30 days, with the form in your parcel.", "wildcard"),
        ("^(hi|hello)$", "Hello! How can I help?", "regex"),
    ):
        await configuration.faqs.create(
            "ann", "shop", FaqInput(question=question, answer=answer, match=match)
        )
    text = b"# Opening hours\n\nThe warehouse in Basel is open from nine to five, Monday to Friday.\n"
    await configuration.documents.add("ann", "shop", "hours.md", text)


async def _talks(panel: Panel) -> None:
    chance = random.Random(7)
    now = time.time()
    async with panel.database.transaction() as conn:
        channels = [row for row in await all_channels(conn) if row.state == "READY"]
        for number in range(24):
            channel = channels[number % len(channels)]
            title = chance.choice(("Anna K.", "Jonas", "Мария", "Visitor", "Lee"))
            conversation = await add_conversation(
                conn, channel_id=channel.id, chat_key=str(5000 + number), title=title
            )
            await add_messages(conn, conversation, list(_messages(chance, now, number)))
        await add_usage(conn, list(_usage(chance, now)))
        found = Find(
            "studio", "openai-compatible", "LM Studio", "http://127.0.0.1:1234/v1", models=("qwen3-14b",)
        )
        await offer(conn, [found], lambda text, aad: text)
    rests = CooldownFile(panel.home / "cooldown.db")
    await rests.update("key:groq:0", lambda _: Rest("quota", 1, now + 900, now))
    await rests.close()


def _messages(chance: random.Random, now: float, number: int) -> Any:
    minutes = sorted(chance.betavariate(1.5, 1) * 119 for _ in range(22))
    for place, minute in enumerate(minutes):
        role, text = TALK[place % len(TALK)]
        source = {} if role == "user" else {"source": "model", "source_id": "openai:gpt-4o-mini"}
        yield {"id": f"{number:03d}-{place:03d}", "role": role, "text": text, "status": "final",
               "created_at": now - 7100 + minute * 60, **source}  # fmt: skip


def _usage(chance: random.Random, now: float) -> Any:
    for number in range(420):
        provider = chance.choices(("openai", "groq", "ollama"), (6, 3, 1))[0]
        bad = provider == "groq" and chance.random() < 0.2
        wave = 300 + 500 * chance.random() * (0.5 + 0.4 * math.sin(number / 40))
        times = {"first_token_ms": wave, "total_ms": 900.0, "created_at": now - 7000 + number * 16.6}
        yield {"provider_id": provider, "model": "m", "outcome": "quota" if bad else "ok", **times}


async def limited(panel: Panel) -> tuple[str, str]:
    """Limits of a filled fleet with something used; one limit's id and an API key's id."""
    configuration = Configuration(panel.database, _no_seal, panel.orchestrator.reconcile)
    _, key = await GatewayKeys(panel.database).create("ann", GatewayKeyInput(name="Reports"))
    async with panel.database.reading() as conn:
        first, second = [row.id for row in await all_channels(conn)][:2]
    wanted: list[tuple[str, str, float, str, str, dict[str, float]]] = [
        ("user", "messages", 20, "hour", "free", {f"{first}/7001": 20, f"{second}/7002": 4}),
        ("all", "money", 5, "day", "stop", {"": 4.2}),
        ("key", "tokens", 100_000, "month", "stop", {key.id: 31_400}),
        ("provider", "messages", 30, "day", "warn", {"groq": 12, "openai": 28}),
        ("instance", "messages", 1, "day", "warn", {}),
    ]
    made = ""
    for kind, measure, amount, period, action, used in wanted:
        values = {"subject_kind": kind, "measure": measure, "amount": amount, "period": period}
        new = LimitInput.model_validate({**values, "action": action})
        limit = await configuration.limits.create("ann", new)
        made = made or limit.id
        since = period_of(period, time.time())[0]
        for subject, value in used.items():
            row = {"limit_id": limit.id, "subject": subject, "since": since, "used": value}
            async with panel.database.transaction() as conn:
                await conn.execute(insert(LimitUse).values(row))
    return made, key.id


async def _no_seal(aad: str, text: str) -> str:
    return f"sealed:{aad}"

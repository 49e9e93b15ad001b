"""What a new installation begins with: a default route and character, and the demo widget."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from pydantic import ValidationError

from core.configuration.changes import SETUP
from core.configuration.character_configs import NewCharacter
from core.configuration.configs import NewBot, NewWidget
from core.configuration.route_configs import NewRoute
from core.configuration.service import Configuration, ConfigurationError
from core.configuration.values import KNOWLEDGE
from core.first_studio import add_studio
from core.instances import DEFAULT
from core.knowledge.demo_base import DEMO, fill_demo_base
from db.database import Database
from db.knowledge import get_base
from db.settings import bump_config, get_setting, set_setting

SEEDED = "seeded"
ACTOR = "first start"
FIRST_BOT = "first"
DOCS = Path(__file__).parent.parent / "docs"
logger = logging.getLogger(__name__)


async def seed(
    database: Database, seal: Callable[[str, str], Awaitable[str]], bot_token: str, engine_port: int = 8003
) -> None:
    """Make the first rows once, and bring the demo's knowledge up to date at every start.

    `bot_token` makes a first bot, at the first start only. What people deleted stays deleted.
    """
    async with database.reading() as conn:
        seeded = await get_setting(conn, SEEDED, False)
    async with database.transaction() as conn:
        wanted = not seeded or await get_base(conn, DEMO) is not None
        if wanted and await fill_demo_base(conn, DOCS):
            await bump_config(conn)
    if not seeded:
        await _first_rows(Configuration(database, seal, _nobody_to_wake), bot_token)
        await add_studio(database, seal, engine_port)
        async with database.transaction() as conn:
            await set_setting(conn, SEEDED, True)


async def _first_rows(configuration: Configuration, bot_token: str) -> None:
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: configuration.routes.create(
            ACTOR, NewRoute(id=DEFAULT, name="Default", candidates=[KNOWLEDGE]), SETUP
        ),
        lambda: configuration.characters.create(
            ACTOR, NewCharacter(id=DEFAULT, name="Assistant", prompt=PROMPT), SETUP
        ),
        lambda: configuration.widgets.create(
            ACTOR, NewWidget(id=DEMO, name="Demo", title="Botyard", bases=[DEMO])
        ),
    ]
    if bot_token:
        steps.append(lambda: configuration.bots.create(ACTOR, NewBot(id=FIRST_BOT, token=bot_token)))
    for step in steps:
        try:
            await step()
        except ConfigurationError:
            logger.info("a first row is here already")  # the last first start was cut short
        except ValidationError:
            logger.error("TELEGRAM_BOT_TOKEN is no bot token: it looks like 123456:ABC-DEF...")


async def _nobody_to_wake() -> None:
    return None


PROMPT = (
    "You are a friendly, helpful assistant. Answer in the language of the question, briefly and plainly. "
    "Say so when you do not know something."
)

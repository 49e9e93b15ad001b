"""What the orchestrator prepares in the rows before and beside the first processes."""

import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from core.first_start import seed
from core.offers import Find, offer
from core.secrets import Vault
from db.database import Database
from providers.discovery import Offer, found_keys, found_servers

FIRST_BOT = "TELEGRAM_BOT_TOKEN"
logger = logging.getLogger(__name__)


async def prepare_rows(database: Database, vault: Vault, bot_token: str, engine_port: int = 8003) -> None:
    """The first rows of a new installation, and the demo's knowledge brought up to date."""

    async def seal(aad: str, text: str) -> str:
        return vault.seal(text, aad)

    await seed(database, seal, bot_token, engine_port)


async def offer_found(database: Database, vault: Vault, environ: Mapping[str, str]) -> None:
    """Offer keys of the environment and model servers of this machine in the panel."""
    finds = [_find(found, environ) for found in [*found_keys(environ), *await found_servers()]]
    try:
        async with database.transaction() as conn:
            await offer(conn, finds, vault.seal)
    except (SQLAlchemyError, OSError):
        logger.exception("what was found on this machine could not be offered")


def _find(found: Offer, environ: Mapping[str, str]) -> Find:
    return Find(
        id=found.kind,
        kind=found.kind,
        label=found.label,
        base_url=found.base_url if not found.key_env else "",
        key=environ.get(found.key_env, "").strip() if found.key_env else "",
        models=found.models,
    )

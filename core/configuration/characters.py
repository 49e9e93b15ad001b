"""Characters: who speaks."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core import sampling
from core.configuration.character_configs import CharacterInput, NewCharacter
from core.configuration.slugged import Slugged
from core.configuration.views import Character, managed_of
from db import channels
from db.routes import Character as Row


def character_values(character_id: str, config: CharacterInput) -> dict[str, Any]:
    """A character's columns."""
    return {
        "name": config.name or character_id,
        "prompt": config.prompt,
        "greeting": config.greeting,
        "rating": config.rating,
        "sampling": sampling.merged(config.model_dump()),
    }


class Characters(Slugged[Character, NewCharacter, CharacterInput]):
    """The characters; ids are slugs."""

    kind, what, audited = Row, "character", "character"

    async def _users(self, conn: AsyncConnection, row_id: str) -> list[str]:
        return [row.slug for row in await channels.all_channels(conn) if row.character_id == row_id]

    def _columns(self, row_id: str, config: CharacterInput) -> dict[str, Any]:
        return character_values(row_id, config)

    def _view(self, row: Any) -> Character:
        return Character(
            id=row.id,
            name=row.name,
            prompt=row.prompt,
            greeting=row.greeting,
            rating=row.rating,
            **{name: row.sampling.get(name) for name in sampling.FIELDS},
            managed=managed_of(row),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

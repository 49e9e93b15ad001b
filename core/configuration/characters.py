"""Characters: who speaks."""

from typing import Any

from core import sampling
from core.configuration.changes import PANEL, Changes, changeable, found, refuse_use
from core.configuration.character_configs import CharacterInput, NewCharacter
from core.configuration.errors import Conflict
from core.configuration.views import Character, managed_of
from db import channels, routes


def character_values(character_id: str, config: CharacterInput) -> dict[str, Any]:
    """A character's columns."""
    return {
        "name": config.name or character_id,
        "prompt": config.prompt,
        "greeting": config.greeting,
        "rating": config.rating,
        "sampling": sampling.merged(config.model_dump()),
    }


class Characters:
    """The characters; ids are slugs."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[Character]:
        """All of them, oldest first."""
        async with self._changes.database.reading() as conn:
            return [_character(row) for row in await routes.all_of(conn, routes.Character)]

    async def get(self, character_id: str) -> Character:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            row = await routes.get_one(conn, routes.Character, character_id)
        return _character(found(row, "character", character_id))

    async def create(self, actor: str, new: NewCharacter, managed: str = PANEL) -> Character:
        """Make one. Raises Conflict."""
        async with self._changes.begin(actor) as change:
            if await routes.get_one(change.conn, routes.Character, new.id):
                raise Conflict("taken", what="character", id=new.id)
            values = {**character_values(new.id, new), "managed": managed}
            await routes.save_one(change.conn, routes.Character, new.id, **values)
            await change.audit("character.create", new.id)
        return await self.get(new.id)

    async def change(self, actor: str, character_id: str, config: CharacterInput) -> Character:
        """Replace its settings. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            row = await routes.get_one(change.conn, routes.Character, character_id)
            changeable(row, "character", character_id)
            values = {**character_values(character_id, config), "managed": PANEL}
            await routes.save_one(change.conn, routes.Character, character_id, **values)
            await change.audit("character.change", character_id)
        return await self.get(character_id)

    async def delete(self, actor: str, character_id: str) -> None:
        """Delete it; refused while an instance names it."""
        async with self._changes.begin(actor) as change:
            row = await routes.get_one(change.conn, routes.Character, character_id)
            changeable(row, "character", character_id)
            rows = await channels.all_channels(change.conn)
            refuse_use("character", character_id, [r.slug for r in rows if r.character_id == character_id])
            await routes.delete_one(change.conn, routes.Character, character_id)
            await change.audit("character.delete", character_id)


def _character(row: Any) -> Character:
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

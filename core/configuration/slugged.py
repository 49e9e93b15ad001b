"""Things that people name by a slug, as people change them: routes, characters, media routes, presets."""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import PANEL, Changes, changeable, found, refuse, refuse_use
from core.configuration.configs import Config
from core.configuration.errors import Conflict, Problem
from db import slugs
from db.base import Row

View = TypeVar("View")
New = TypeVar("New", bound=Config)
Given = TypeVar("Given", bound=Config)


class Slugged(Generic[View, New, Given]):
    """All of one kind. `what` names it in errors, `audited` in the audit."""

    kind: ClassVar[type[Row]]
    what: ClassVar[str]
    audited: ClassVar[str]

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[View]:
        """All of them, oldest first."""
        async with self._changes.database.reading() as conn:
            return [self._view(row) for row in await slugs.all_of(conn, self.kind)]

    async def get(self, row_id: str) -> View:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            row = await slugs.get_one(conn, self.kind, row_id)
        return self._view(found(row, self.what, row_id))

    async def create(self, actor: str, new: New, managed: str = PANEL) -> View:
        """Make one. Raises Invalid or Conflict."""
        row_id = str(getattr(new, "id"))  # noqa: B009
        async with self._changes.begin(actor) as change:
            if await slugs.get_one(change.conn, self.kind, row_id):
                raise Conflict("taken", what=self.what, id=row_id)
            await self._save(change.conn, row_id, new, managed)
            await change.audit(f"{self.audited}.create", row_id)
        return await self.get(row_id)

    async def change(self, actor: str, row_id: str, config: Given) -> View:
        """Replace its settings. Raises NotFound, Invalid or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await slugs.get_one(change.conn, self.kind, row_id), self.what, row_id)
            await self._save(change.conn, row_id, config, PANEL)
            await change.audit(f"{self.audited}.change", row_id)
        return await self.get(row_id)

    async def delete(self, actor: str, row_id: str) -> None:
        """Delete it; refused while something names it. Raises NotFound, Conflict or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await slugs.get_one(change.conn, self.kind, row_id), self.what, row_id)
            refuse_use(self.what, row_id, await self._users(change.conn, row_id))
            await slugs.delete_one(change.conn, self.kind, row_id)
            await change.audit(f"{self.audited}.delete", row_id)

    async def _save(self, conn: AsyncConnection, row_id: str, config: Any, managed: str) -> None:
        refuse(await self._problems(conn, config))
        await slugs.save_one(conn, self.kind, row_id, **self._columns(row_id, config), managed=managed)

    async def _problems(self, conn: AsyncConnection, config: Any) -> Sequence[Problem]:
        """What is wrong with settings that are to be stored."""
        return ()

    async def _users(self, conn: AsyncConnection, row_id: str) -> Sequence[str]:
        """Who names it."""
        return ()

    def _columns(self, row_id: str, config: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _view(self, row: Any) -> View:
        raise NotImplementedError

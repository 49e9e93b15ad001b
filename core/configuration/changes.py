"""How every change of the configuration is made: checked, audited and counted in one transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.configs import ChannelConfig
from core.configuration.errors import Conflict, Invalid, ManagedByFile, NotFound, Problem, nearest
from core.media.routes import OFF
from db import knowledge, media, operators, routes, settings, slugs
from db.database import Database

Seal = Callable[[str, str], Awaitable[str]]
Wake = Callable[[], Awaitable[object]]

PANEL, FILE, GONE = "", "file", "file-gone"
SETUP = "setup"  # made at the first start and not changed since: a fleet file may take it over


def channel_secret(channel_id: str) -> str:
    """The place that an instance's sealed secret is bound to."""
    return f"channel.secret.{channel_id}"


def key_secret(key_id: str) -> str:
    """The place that a provider's sealed key is bound to."""
    return f"provider_key.secret.{key_id}"


def proxies_secret(provider_id: str) -> str:
    """The place that a provider's sealed proxies are bound to."""
    return f"provider.proxies.{provider_id}"


@dataclass(frozen=True, slots=True)
class Change:
    """A change under way."""

    conn: AsyncConnection
    actor: str

    async def audit(self, action: str, target: str, **detail: Any) -> None:
        """Record what was done; `detail` must hold no secret."""
        await operators.add_audit(self.conn, self.actor, action, target[:200], **detail)


class Changes:
    """Opens changes. `seal(aad, text)` seals a secret; `wake()` hints that the configuration changed."""

    def __init__(self, database: Database, seal: Seal, wake: Wake) -> None:
        self.database = database
        self.seal = seal
        self._wake = wake

    @asynccontextmanager
    async def begin(self, actor: str) -> AsyncIterator[Change]:
        """One change: its rows, its audit entry and the configuration's version are committed together."""
        try:
            async with self.database.transaction() as conn:
                yield Change(conn, actor[:120])
                await settings.bump_config(conn)
        except IntegrityError as error:
            raise Conflict("changed_meanwhile") from error
        await self._wake()


def found(row: Any | None, what: str, row_id: str) -> Any:
    """The row, or NotFound."""
    if row is None:
        raise NotFound(what, row_id[:64])
    return row


def changeable(row: Any | None, what: str, row_id: str) -> Any:
    """The row, or NotFound or ManagedByFile."""
    row = found(row, what, row_id)
    if row.managed == FILE:
        raise ManagedByFile(what, row_id)
    return row


def refuse(problems: Sequence[Problem]) -> None:
    """Raise Invalid when there are problems."""
    if problems:
        raise Invalid(problems)


def refuse_use(what: str, row_id: str, users: Iterable[str]) -> None:
    """Raise Conflict when something still uses the row."""
    names = list(users)
    if names:
        raise Conflict("in_use", what=what, id=row_id, users=", ".join(names))


def no_such(place: str, what: str, given: str, known: Iterable[str]) -> Problem:
    """The problem of a name that refers to nothing."""
    return Problem(place, "no_such", {"what": what, "id": given, "near": nearest(given, known)})


async def check_references(conn: AsyncConnection, config: ChannelConfig) -> list[Problem]:
    """Names in an instance's configuration that refer to nothing."""
    problems: list[Problem] = []
    for place, kind in (("route", routes.Route), ("character", routes.Character)):
        if given := getattr(config, place):
            known = [row.id for row in await slugs.all_of(conn, kind)]
            problems += [] if given in known else [no_such(place, place, given, known)]
    if config.image_route or config.video_route:
        rows = await slugs.all_of(conn, media.MediaRoute)
        for makes in ("image", "video"):
            given = getattr(config, f"{makes}_route")
            known = [row.id for row in rows if row.makes == makes]
            if given and given != OFF and given not in known:
                problems.append(no_such(f"{makes}_route", "media_route", given, known))
    if config.bases:
        known = [row.id for row in await knowledge.all_bases(conn)]
        problems += [
            no_such(f"bases[{position}]", "base", base, known)
            for position, base in enumerate(config.bases)
            if base not in known
        ]
    return problems

"""Reading an instance's whole configuration from rows: at a channel's start and every change."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.instance import Character, FaqEntry, Instance
from core.limits.rule import rules_of
from core.media.routes import chosen, media_routes
from core.provider_secrets import ProviderSecrets
from core.routing.book import AUTO, provider_config
from core.routing.spec import RouteSpec
from db import channels, knowledge, limits, routes, settings, slugs
from db.providers import Provider, all_providers
from providers.types import ProviderConfig

DEFAULT = "default"  # the route and the character of an instance that names none
GONE = "file-gone"  # rows that the fleet file no longer names are left out of answers


async def load_instance(
    conn: AsyncConnection, channel_id: str, secrets: Mapping[str, ProviderSecrets]
) -> Instance | None:
    """One instance with its character, route, FAQ and the providers on its route; None when it is deleted."""
    # Read first: what changes while the rest is read is then read again.
    version = int(await settings.get_setting(conn, settings.CONFIG_VERSION, 0))
    row = await channels.get_channel(conn, channel_id)
    if row is None:
        return None
    route = await slugs.get_one(conn, routes.Route, row.route_id or DEFAULT)
    candidates = tuple(route.candidates) if route else ()
    return Instance(
        id=row.id,
        kind=row.kind,
        slug=row.slug,
        name=row.name,
        config=dict(row.config),
        version=version,
        character=await _character(conn, row.character_id or DEFAULT),
        route=RouteSpec(
            id=route.id if route else None,
            candidates=candidates,
            settings=dict(route.settings) if route else {},
            providers=await _providers(conn, candidates, secrets),
        ),
        base_ids=tuple(row.base_ids),
        faqs=await _faqs(conn, row.base_ids),
        limits=rules_of(await limits.all_limits(conn)),
        media=chosen(await media_routes(conn), row.config),
    )


async def _character(conn: AsyncConnection, character_id: str) -> Character:
    row = await slugs.get_one(conn, routes.Character, character_id)
    if row is None:
        return Character()
    return Character(
        id=row.id,
        name=row.name,
        prompt=row.prompt,
        greeting=row.greeting,
        rating=row.rating,
        sampling=dict(row.sampling),
    )


async def _faqs(conn: AsyncConnection, base_ids: list[str]) -> tuple[FaqEntry, ...]:
    if not base_ids:
        return ()
    rows = await knowledge.faqs_of(conn, base_ids)
    return tuple(
        FaqEntry(id=row.id, question=row.question, answer=row.answer, match=row.match)
        for row in rows
        if row.managed != GONE
    )


async def _providers(
    conn: AsyncConnection, candidates: Iterable[str], secrets: Mapping[str, ProviderSecrets]
) -> tuple[ProviderConfig, ...]:
    none = ProviderSecrets()
    return tuple(provider_config(row, secrets.get(row.id, none)) for row in await _on_route(conn, candidates))


async def _on_route(conn: AsyncConnection, candidates: Iterable[str]) -> list[Any]:
    lines = list(candidates)
    named = [line.partition(":")[0] for line in lines if ":" in line]
    if AUTO in lines:
        rows = [row for row in await all_providers(conn) if row.enabled]
        return sorted(rows, key=lambda row: named.index(row.id) if row.id in named else len(named))
    if not named:
        return []
    query = select(Provider.__table__).where(Provider.id.in_(named), Provider.enabled.is_(True))
    return sorted((await conn.execute(query)).all(), key=lambda row: named.index(row.id))

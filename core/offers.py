"""Providers that Botyard found on this machine and offers; nothing is used before somebody accepts.

A found key is sealed at once, in the place that it will have as a row, so that no process needs the
environment later.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import PANEL, SETUP, Changes, found, key_secret
from core.configuration.providers import key_hint
from core.instances import DEFAULT
from db import providers, routes, slugs
from db.base import new_id
from db.settings import get_setting, set_setting

OFFERS = "offers"
SealNow = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Find:
    """A key of the environment, or a server on loopback. `models` are names for a route, best first."""

    id: str
    kind: str
    label: str
    base_url: str = ""
    key: str = ""
    models: tuple[str, ...] = ()


async def offer(conn: AsyncConnection, finds: Sequence[Find], seal: SealNow) -> None:
    """Replace the offers by these, without those that are providers already."""
    taken = {row.id for row in await providers.all_providers(conn)}
    offers = [_offer(find, seal) for find in finds if find.id not in taken]
    await set_setting(conn, OFFERS, offers)


async def open_offers(conn: AsyncConnection) -> list[dict[str, Any]]:
    """What is offered: id, kind, label, base_url, models, has_key; no secrets."""
    taken = {row.id for row in await providers.all_providers(conn)}
    offers = await get_setting(conn, OFFERS, [])
    return [
        {**{name: value for name, value in one.items() if name != "keys"}, "has_key": bool(one["keys"])}
        for one in offers
        if one["id"] not in taken
    ]


async def accept(changes: Changes, actor: str, offer_id: str) -> None:
    """Make an offer a provider, and its first model the first candidate of the default route.

    Raises NotFound when it is not offered any more.
    """
    async with changes.begin(actor) as change:
        offers = await get_setting(change.conn, OFFERS, [])
        one = found(next((one for one in offers if one["id"] == offer_id), None), "provider", offer_id)
        await providers.save_provider(
            change.conn, offer_id, kind=one["kind"], name=one["label"], base_url=one["base_url"] or None,
            config={}, enabled=True, managed="",
        )  # fmt: skip
        await providers.replace_keys(change.conn, offer_id, one["keys"])
        if one["models"]:
            await _put_first(change.conn, f"{offer_id}:{one['models'][0]}")
        await set_setting(change.conn, OFFERS, [other for other in offers if other["id"] != offer_id])
        await change.audit("provider.accept", offer_id)


async def _put_first(conn: AsyncConnection, candidate: str) -> None:
    route = await slugs.get_one(conn, routes.Route, DEFAULT)
    if route is not None and route.managed in (PANEL, SETUP) and candidate not in route.candidates:
        candidates = [candidate, *route.candidates]
        await slugs.save_one(conn, routes.Route, DEFAULT, candidates=candidates, managed=PANEL)


def _offer(find: Find, seal: SealNow) -> dict[str, Any]:
    data = asdict(find)
    key = data.pop("key")
    keys: list[dict[str, str]] = []
    if key:
        key_id = new_id()
        keys = [{"id": key_id, "secret": seal(key, key_secret(key_id)), "hint": key_hint(key)}]
    return {**data, "models": list(find.models[:20]), "keys": keys}

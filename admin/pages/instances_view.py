"""Instances as pages show them: what the rows want and what the orchestrator sees."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from admin.pages.page import room_of
from admin.services import Services, services_of
from core.fleet.control import ControlError
from db.base import now
from db.channels import all_channels
from db.dashboard import chats_by_channel

logger = logging.getLogger(__name__)
HOUR = 3600.0
PATIENCE = 1.0  # a page is shown from the rows rather than late
RUNNING = ("READY", "DEGRADED")


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One bot or widget as tables and pages show it."""

    id: str
    room: str
    slug: str
    name: str
    sub: str
    state: str
    reason: str
    since: float
    enabled: bool
    managed: str
    route_id: str
    chats: int
    pss_kb: int | None
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its page."""
        return f"/{self.room}/{self.slug}"

    @property
    def runs(self) -> bool:
        """True when it can be stopped."""
        return self.enabled and self.state not in ("STOPPED", "PARKED")


@dataclass(frozen=True, slots=True)
class Fleet:
    """All instances, and whether the orchestrator answered."""

    instances: list[InstanceView]
    reached: bool

    def count(self, *states: str) -> int:
        """How many are in one of these states."""
        return sum(one.state in states for one in self.instances)

    def of(self, room: str) -> list[InstanceView]:
        """The bots, or the widgets."""
        return [one for one in self.instances if one.room == room]


async def snapshot(services: Services) -> dict[str, Any] | None:
    """What the orchestrator sees; None when it does not answer."""
    try:
        return await asyncio.wait_for(services.control.snapshot(), PATIENCE)
    except (ControlError, TimeoutError) as error:
        logger.debug("no snapshot: %r", error)
        return None


async def fleet_of(services: Services) -> Fleet:
    """Every instance, oldest first."""
    seen = await snapshot(services)
    async with services.database.reading() as conn:
        rows = await all_channels(conn)
        chats = await chats_by_channel(conn, now() - HOUR)
    channels = (seen or {}).get("channels", {})
    views = [view_of(row, channels.get(row.id, {}), chats.get(row.id, 0)) for row in rows]
    return Fleet(views, seen is not None)


def view_of(row: Any, seen: dict[str, Any], chats: int) -> InstanceView:
    """A row beside what the orchestrator sees of it."""
    origins = row.config.get("origins") or []
    return InstanceView(
        id=row.id,
        room=room_of(row.kind),
        slug=row.slug,
        name=row.name or row.slug,
        sub=row.address or (origins[0].partition("://")[2] if origins else row.slug),
        state=str(seen.get("state") or row.state),
        reason=str(seen.get("reason") or row.state_reason or ""),
        since=float(seen.get("since") or row.state_since or 0),
        enabled=bool(row.enabled),
        managed=row.managed,
        route_id=row.route_id or "default",
        chats=chats,
        pss_kb=seen.get("pss_kb"),
        seen=seen,
    )


async def fleet(request: Request) -> Fleet:
    """Every instance, for a page."""
    return await fleet_of(services_of(request))

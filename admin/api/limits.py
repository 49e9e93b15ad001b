"""Limits: how much may be used by whom in which time."""

from collections.abc import Sequence

from admin.api.calls import Actor, Config, Id, api_router
from core.configuration.limit_configs import LimitInput
from core.configuration.limits import Limit

router = api_router("limits")


@router.get("/limits")
async def list_limits(configuration: Config) -> Sequence[Limit]:
    """Every limit with its use now, oldest first."""
    return await configuration.limits.all()


@router.post("/limits", status_code=201)
async def create_limit(new: LimitInput, configuration: Config, actor: Actor) -> Limit:
    """Make a limit; it counts from now on."""
    return await configuration.limits.create(actor, new)


@router.get("/limits/{limit_id}")
async def get_limit(limit_id: Id, configuration: Config) -> Limit:
    """One limit with its use now."""
    return await configuration.limits.get(limit_id)


@router.put("/limits/{limit_id}")
async def change_limit(limit_id: Id, config: LimitInput, configuration: Config, actor: Actor) -> Limit:
    """Replace a limit's settings; what was used stays."""
    return await configuration.limits.change(actor, limit_id, config)


@router.delete("/limits/{limit_id}", status_code=204)
async def delete_limit(limit_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a limit with its counters."""
    await configuration.limits.delete(actor, limit_id)

"""The state of the whole fleet."""

from typing import Any

from pydantic import BaseModel

from admin.api.calls import Parts, api_router

router = api_router("fleet")


class Status(BaseModel):
    """What runs: instances by their channel id, and Botyard's own processes by name."""

    started_at: float | None = None
    channels: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}


@router.get("/status")
async def status(parts: Parts) -> Status:
    """States, restarts, memory and counters, as the supervisor sees them now."""
    return Status.model_validate(await parts.control.snapshot())

"""Models: what every enabled provider is known to have, and how each is now."""

from collections.abc import Sequence

from admin.api.calls import Parts, api_router
from admin.known_models import Model, known_models

router = api_router("models")


@router.get("/models")
async def list_models(parts: Parts, provider: str = "", vendor: str = "") -> Sequence[Model]:
    """The known models of enabled providers, best first at each provider."""
    return await known_models(parts, provider, vendor)

"""The first page after set-up: what was found on this machine, a first bot, and the demo."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.pages.changes import actor, changed, errors_of
from admin.pages.page import back, show
from admin.services import Services, services_of
from admin.sign_in import MayChange, SignedIn
from core.configuration.changes import SETUP, Changes
from core.configuration.channels import BOT
from core.configuration.errors import ConfigurationError, NotFound
from core.fleet.control import ControlError
from core.offers import accept, open_offers
from db.channels import all_channels
from db.providers import all_providers

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Steps:
    """How far a new installation is."""

    offers: list[dict[str, Any]]
    has_provider: bool
    has_bot: bool

    @property
    def done(self) -> bool:
        """True when there is nothing left to show."""
        return self.has_provider and self.has_bot


async def first_steps(services: Services) -> Steps:
    """What a new owner still may want to do."""
    async with services.database.reading() as conn:
        offers = await open_offers(conn)
        providers = await all_providers(conn)
        bots = await all_channels(conn, BOT)
    own = [row for row in providers if row.managed != SETUP]  # this machine's demo painter came by itself
    return Steps(offers, bool(own), bool(bots))


@router.get("/welcome")
async def welcome(request: Request, _: SignedIn) -> Response:
    """The guided first page."""
    return await _welcome(request)


@router.post("/welcome/offers/{offer_id}")
async def take_offer(request: Request, offer_id: str, person: MayChange) -> Response:
    """Make a provider of something found."""
    services = services_of(request)
    try:
        changes = Changes(services.database, services.control.seal, services.control.wake)
        await accept(changes, actor(person), offer_id)
    except NotFound as error:
        raise HTTPException(404) from error
    except (ConfigurationError, ControlError) as error:
        return await _welcome(request, errors_of(error, language_of(request).code, request))
    changed(request)
    return back(f"/providers/{offer_id}", "created")


async def _welcome(request: Request, errors: dict[str, str] | None = None) -> Response:
    steps = await first_steps(services_of(request))
    status = 422 if errors else 200
    return await show(request, "welcome.html", "dashboard", status, steps=steps, errors=errors or {})

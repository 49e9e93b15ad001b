"""Providers: accounts at vendors and servers of one's own, with keys, proxies and a way to test them."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.pages.changes import Page, Values, actor, attempt, configuration_of, text_of, validated
from admin.pages.crud import Crud, add_forms, row_of
from admin.pages.figures import figures_of, is_about, midnight
from admin.pages.page import back, fragment, show
from admin.pages.provider_form import fill, read
from admin.pages.provider_tests import Tested, tested
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core.configuration.provider_configs import NewProvider, ProviderInput
from db.base import now
from providers.catalog import vendors
from providers.media.cards import vendor_cards
from providers.media.registry import makes_media

router = APIRouter()
MODEL_FROM = {"key-model": 3, "model": 3, "route": 4}  # where a scope names its model


@dataclass(frozen=True, slots=True)
class Resting:
    """A part of a provider that rests: its kind of scope, its model if it has one, why and until when."""

    kind: str
    model: str
    error_class: str
    until: float


async def catalogue(request: Request) -> Values:
    """The vendors to choose from."""
    known = list(vendors().values())
    return {
        "vendors": known, "asked": dict(request.query_params), "tested": Tested(done=False),
        "free": {one.kind for one in known if any(model.free for model in one.models)},
        "media": {one.kind for one in known if makes_media(one.kind)},
        "mutes": {one.kind for one in known if not one.chat}, "cards": vendor_cards(),
    }  # fmt: skip


async def health(request: Request, row: Any) -> Values:
    """How a provider did lately, and what of it rests now."""
    services = services_of(request)
    figures = await figures_of(services, midnight(request))
    rests = await services.router.cooldown.all()
    resting = [
        Resting(kind, ":".join(scope.split(":")[MODEL_FROM.get(kind, 99) :]), rest.error_class, rest.until)
        for scope, rest in rests.items()
        if is_about(scope, row.id) and rest.until > now()
        for kind in [scope.partition(":")[0]]
    ]
    return {
        "health": next((one for one in figures.providers if one.id == row.id), None),
        "resting": sorted(resting, key=lambda one: one.until),
    }


PROVIDERS = Crud(
    "providers",
    "provider.html",
    lambda c: c.providers,
    NewProvider,
    ProviderInput,
    read,
    fill,
    catalogue,
    health,
)


@router.get("/providers")
async def providers(request: Request, _: SignedIn) -> Response:
    """All providers with their health."""
    rows = await configuration_of(request).providers.all()
    figures = await figures_of(services_of(request), midnight(request))
    states = {one.id: one for one in figures.providers}
    labels = {vendor.kind: vendor.label for vendor in vendors().values()}
    mute = {vendor.kind for vendor in vendors().values() if not vendor.chat}
    return await show(
        request, "providers.html", "providers", rows=rows, health=states, labels=labels, mute=mute
    )


add_forms(router, PROVIDERS)


@router.post("/providers/{provider_id}/keys")
async def add_key(request: Request, provider_id: str, person: MayChange) -> Response:
    """Append a key."""
    row = await row_of(request, PROVIDERS, provider_id)
    key = text_of(await request.form(), "key")

    async def change() -> Response:
        given = validated(ProviderInput, {"kind": row.kind, "keys": [key]}).keys or []
        await configuration_of(request).providers.add_key(actor(person), provider_id, given[0])
        return back(f"/providers/{provider_id}", "saved")

    return await attempt(request, await _page(request, row), PROVIDERS.fill(row), change)


@router.post("/providers/{provider_id}/keys/{key_id}/delete")
async def delete_key(request: Request, provider_id: str, key_id: str, person: MayChange) -> Response:
    """Remove a key."""
    row = await row_of(request, PROVIDERS, provider_id)

    async def change() -> Response:
        await configuration_of(request).providers.delete_key(actor(person), provider_id, key_id)
        return back(f"/providers/{provider_id}", "deleted")

    return await attempt(request, await _page(request, row), PROVIDERS.fill(row), change)


@router.post("/providers/{provider_id}/keys/{key_id}/up")
async def move_key(request: Request, provider_id: str, key_id: str, person: MayChange) -> Response:
    """Put a key one place further to the front."""
    row = await row_of(request, PROVIDERS, provider_id)

    async def change() -> Response:
        await configuration_of(request).providers.move_key(actor(person), provider_id, key_id)
        return back(f"/providers/{provider_id}", "saved")

    return await attempt(request, await _page(request, row), PROVIDERS.fill(row), change)


@router.post("/providers/{provider_id}/proxies")
async def add_proxy(request: Request, provider_id: str, person: MayChange) -> Response:
    """Append a proxy."""
    row = await row_of(request, PROVIDERS, provider_id)
    address = text_of(await request.form(), "proxy")

    async def change() -> Response:
        given = validated(ProviderInput, {"kind": row.kind, "proxies": [address]}).proxies or []
        opened = (await services_of(request).control.provider_secrets(provider_id)).proxies
        providers = configuration_of(request).providers
        await providers.set_proxies(actor(person), provider_id, [*opened, *given])
        return back(f"/providers/{provider_id}", "saved")

    return await attempt(request, await _page(request, row), PROVIDERS.fill(row), change)


@router.post("/providers/{provider_id}/proxies/{number}/delete")
async def delete_proxy(request: Request, provider_id: str, number: int, person: MayChange) -> Response:
    """Remove the proxy at a place, counted from 1."""
    row = await row_of(request, PROVIDERS, provider_id)
    if not 1 <= number <= len(row.proxies):
        raise HTTPException(404)

    async def change() -> Response:
        opened = (await services_of(request).control.provider_secrets(provider_id)).proxies
        kept = [proxy for place, proxy in enumerate(opened, 1) if place != number]
        await configuration_of(request).providers.set_proxies(actor(person), provider_id, kept)
        return back(f"/providers/{provider_id}", "deleted")

    return await attempt(request, await _page(request, row), PROVIDERS.fill(row), change)


@router.post("/providers/{provider_id}/test")
async def test(request: Request, provider_id: str, _: MayChange) -> Response:
    """Ask the provider for its models with one key or through one proxy; without JavaScript on a page."""
    row = await row_of(request, PROVIDERS, provider_id)
    found = await tested(request, row, await request.form())
    if "hx-request" in request.headers:
        return fragment(request, "provider_parts.html", "tested", found)
    context = await (await _page(request, row)).context(request)
    shown = {**context, "tested": found, "values": PROVIDERS.fill(row), "errors": {}}
    return await show(request, "provider.html", "providers", **shown)


async def _page(request: Request, row: Any) -> Page:
    async def context(request: Request) -> Values:
        return {"row": row, **await catalogue(request), **await health(request, row)}

    return Page("provider.html", "providers", context)

"""Providers: accounts at vendors and servers of one's own, with their keys, and a way to test them."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.i18n import Language, language_of
from admin.pages.changes import Page, Values, actor, attempt, configuration_of, text_of, texts_of, validated
from admin.pages.crud import Crud, add_forms, row_of
from admin.pages.figures import figures_of, midnight
from admin.pages.page import back, fragment, show
from admin.provider_check import ADDRESS, Check, check, config_of
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core.configuration.provider_configs import NewProvider, ProviderInput
from core.fleet.control import ControlError
from providers.catalog import vendors
from providers.errors import ErrorClass

router = APIRouter()
MOST_MODELS = 300


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test of a provider found."""

    problem: str = ""
    detail: str = ""
    models: list[str] = field(default_factory=list)


async def catalogue(request: Request) -> Values:
    """The vendors to choose from."""
    return {"vendors": list(vendors().values()), "asked": dict(request.query_params)}


async def health(request: Request, row: Any) -> Values:
    """How a provider did lately."""
    figures = await figures_of(services_of(request), midnight(request))
    return {"health": next((one for one in figures.providers if one.id == row.id), None)}


def _read(form: FormData) -> Values:
    values = texts_of(form, "kind", "name", "base_url")
    if key := text_of(form, "keys"):
        values["keys"] = [key]
    return {**values, "enabled": text_of(form, "enabled") == "on"}


def _fill(row: Any) -> Values:
    enabled = "on" if row.enabled else ""
    return {"kind": row.kind, "name": row.name, "base_url": row.base_url or "", "enabled": enabled}


PROVIDERS = Crud(
    "providers",
    "provider.html",
    lambda c: c.providers,
    NewProvider,
    ProviderInput,
    _read,
    _fill,
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
    return await show(request, "providers.html", "providers", rows=rows, health=states, labels=labels)


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


@router.post("/providers/{provider_id}/test")
async def test(request: Request, provider_id: str, _: MayChange) -> Response:
    """Ask the provider for its models, as the *Test* button does."""
    row = await row_of(request, PROVIDERS, provider_id)
    t = language_of(request)
    try:
        config = await config_of(services_of(request), row.id)
        one = await check(config, config.keys[0] if config.keys else "")
        found = Tested(_words(t, one) if one.error else "", one.detail[:300], one.models[:MOST_MODELS])
    except ControlError:
        found = Tested(t("The supervisor does not answer. Try again in a moment."))
    return fragment(request, "provider_parts.html", "tested", found)


async def _page(request: Request, row: Any) -> Page:
    async def context(request: Request) -> Values:
        return {"row": row, **await catalogue(request), **await health(request, row)}

    return Page("provider.html", "providers", context)


def _words(t: Language, one: Check) -> str:
    words: dict[str, str] = {
        ErrorClass.CREDENTIAL: t("The key is refused. Check it, or make a new one."),
        ErrorClass.QUOTA: t("The account has no credit left."),
        ErrorClass.RATE_LIMIT: t("Too many requests for now. Try again later."),
        ErrorClass.CONNECT: t("There is no connection. Check the address, and that the server runs."),
        ErrorClass.TIMEOUT: t("It did not answer in time."),
        ADDRESS: t("This address cannot be used."),
        ErrorClass.OVERLOAD: t("The provider is overloaded for now."),
    }
    return words.get(one.error, t("The provider answered with an error."))

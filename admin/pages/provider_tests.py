"""The *Test* beside each key and each proxy of a provider, told in words that say what to do."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData

from admin.i18n import Language, language_of
from admin.pages.changes import text_of
from admin.provider_check import ADDRESS, Check, check, config_of
from admin.services import services_of
from core.fleet.control import ControlError
from providers.errors import ErrorClass

MOST_MODELS = 300


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test found, and beside what it is shown: a key's id, "proxy-1", or "" for the whole provider."""

    place: str = ""
    problem: str = ""
    detail: str = ""
    models: list[str] = field(default_factory=list)
    done: bool = True


async def tested(request: Request, row: Any, form: FormData) -> Tested:
    """Test the key or the proxy that the form names; the first key where it names none."""
    t = language_of(request)
    key_id, number = text_of(form, "key"), text_of(form, "proxy")
    place = f"proxy-{number}" if number else key_id
    try:
        config = await config_of(services_of(request), row.id)
    except ControlError:
        return Tested(place, t("The supervisor does not answer. Try again in a moment."))
    ids = [key.id for key in row.keys]
    if key_id and (key_id not in ids or len(config.keys) != len(ids)):
        return Tested(place, t("This key cannot be opened. Remove it and add it again."))
    key = config.keys[ids.index(key_id)] if key_id else next(iter(config.keys), "")
    proxy = ""
    if number:
        chosen = int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 4 else -1
        if not 0 <= chosen < len(config.proxies):
            return Tested("", t("This proxy cannot be opened. Remove it and add it again."))
        proxy = config.proxies[chosen]
    one = await check(config, key, proxy)
    problem = _words(t, one, bool(config.proxies)) if one.error else ""
    return Tested(place, problem, one.detail[:300], one.models[:MOST_MODELS])


def _words(t: Language, one: Check, proxied: bool) -> str:
    if proxied and "proxy" in one.detail.lower():
        return t("The proxy does not let it through. Check its address, name and password, and that it runs.")
    words: dict[str, str] = {
        ErrorClass.CREDENTIAL: t("The key is refused. Check it, or make a new one."),
        ErrorClass.QUOTA: t("The account has no credit left. Top it up, or use another key."),
        ErrorClass.RATE_LIMIT: t("Too many requests for now. Try again later."),
        ErrorClass.CONNECT: t("There is no connection. Check the address, and that the server runs."),
        ErrorClass.TIMEOUT: t("It did not answer in time. Check the address, or try again later."),
        ErrorClass.OVERLOAD: t("The provider is overloaded for now. Try again later."),
        ADDRESS: t("This address cannot be used. Check it."),
    }
    if proxied and one.error in (ErrorClass.CONNECT, ErrorClass.TIMEOUT):
        return t("There is no connection through the proxy. Check that it runs, and the provider's address.")
    return words.get(one.error, t("The provider answered with an error. Check the address and the key."))

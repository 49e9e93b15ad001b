"""Which web pages may talk to a widget."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from core.settings import Settings


def allowed(origins: Sequence[str], headers: Mapping[str, str], own: Sequence[str]) -> bool:
    """Whether a request comes from a listed origin or from Botyard's own pages (`own`).

    Browsers leave `Origin` out of same-origin GETs and of loads that are no CORS requests; the latter say
    so in `Sec-Fetch-Site`. A request without either is no page's: there an origin could be forged anyway.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") in (None, "same-origin", "none")
    return origin in own or any(_matches(origin, entry) for entry in origins)


def own_origins(headers: Mapping[str, str], scheme: str, settings: Settings) -> tuple[str, ...]:
    """The origins of Botyard's own pages: the public address, and the address this request came to."""
    public = urlsplit(settings.url)
    host = headers.get("x-forwarded-host") or headers.get("host", "")
    return f"{public.scheme}://{public.netloc}", f"{scheme}://{host}"


def _matches(origin: str, entry: str) -> bool:
    scheme, found, host = entry.partition("://*.")
    if not found:
        return origin == entry
    start = f"{scheme}://"
    name = origin.removeprefix(start).removesuffix(f".{host}")
    return origin.startswith(start) and origin.endswith(f".{host}") and bool(name) and "/" not in name

"""The demo page: what Botyard is, with a live widget; the first thing that a newcomer sees."""

import re
import tomllib
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from admin.i18n import language_of
from admin.pages.page import templates_of, theme_of
from admin.services import services_of

DEMO = "demo"
TEXTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("demo.toml").read_text("utf-8"))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)


async def demo(request: Request) -> Response:
    """The demo page; `?widget=` shows another widget of this installation."""
    language = language_of(request).code
    wanted = request.query_params.get("widget", DEMO)
    slug = wanted if re.fullmatch(r"[a-z0-9_-]{1,32}", wanted) else DEMO
    context: dict[str, Any] = {
        "say": TEXTS[language],
        "slug": slug,
        "theme": theme_of(request),
        "path": f"/demo?widget={slug}" if slug != DEMO else "/demo",
        "snippet": f'<script src="{services_of(request).settings.url}/w/{slug}.js" defer></script>',
    }
    html = templates_of(request).render(language, "demo.html", **context)
    headers = {
        "content-security-policy": POLICY,
        "cache-control": "no-store",
        "referrer-policy": "same-origin",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
    }
    return HTMLResponse(html, headers=headers)

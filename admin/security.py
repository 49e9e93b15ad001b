"""What protects the panel in the browser: headers, and whether a change was asked for by our own page."""

import hmac
import ipaddress
import re
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf"
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


SMALL, LARGE = 1 << 20, 21 << 20  # bytes of a form, and of one with a document or pictures
LARGE_ONES = ("/documents", "/playground/answer")
OTHERS = ("/api/", "/w/")  # these limit what they read themselves
# Browsers name no charset for forms; some of Python's decode to half characters, or fail.
FOREIGN_CHARSET = re.compile(r"charset[*0-9]*\s*=\s*\"?(?!utf-8\"?\s*(?:;|$))", re.IGNORECASE)


class BodyLimit:
    """Refuses bodies that no form of the panel has, before they fill memory or disk."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OTHERS):
            await self.app(scope, receive, send)
            return
        limit = LARGE if scope["path"].endswith(LARGE_ONES) else SMALL
        headers = Headers(scope=scope)
        if FOREIGN_CHARSET.search(headers.get("content-type", "")):
            await PlainTextResponse("Only UTF-8 is read here", 415)(scope, receive, send)
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            await PlainTextResponse("Too large", 413)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)


class Forged(Exception):
    """A change that did not come from our own page."""


class SecurityHeaders:
    """Gives each request a nonce, and each response the headers that cannot hurt anywhere.

    Pages add their own policy (`policy`); widgets and their pages have others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["nonce"] = secrets.token_urlsafe(16)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("x-content-type-options", "nosniff")
                headers.setdefault("referrer-policy", "strict-origin-when-cross-origin")
                if scope["scheme"] == "https":
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self.app(scope, receive, guarded)


def page_headers(nonce: str) -> dict[str, str]:
    """The headers of a page of the panel."""
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "permissions-policy": PERMISSIONS,
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
    }


def check_origin(request: Request) -> None:
    """Refuse a change that another site's page asked for."""
    site = request.headers.get("sec-fetch-site")
    if site in ("same-origin", "none"):
        return
    origin = request.headers.get("origin")
    if site is None and (origin is None or urlsplit(origin).netloc == request.headers.get("host")):
        return
    raise Forged


async def check_change(request: Request, token: str) -> None:
    """Refuse a change without the token that only our own pages know."""
    check_origin(request)
    given = request.headers.get(CSRF_HEADER) or str((await request.form()).get(CSRF_FIELD, ""))
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Forged


def keeps_secure_cookies(connection: HTTPConnection) -> bool:
    """True where a browser takes a `__Host-` cookie: over HTTPS and on loopback."""
    if connection.url.scheme == "https":
        return True
    host = connection.url.hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

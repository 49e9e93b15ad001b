"""People's sign-ins: passwords, the cookie, throttling, and who may change what."""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import HTTPConnection
from starlette.responses import Response

from admin.security import check_change, keeps_secure_cookies
from admin.services import services_of
from db.base import now
from db.operators import add_sign_in, delete_sign_in, find_operator, find_sign_in

SECURE_COOKIE = "__Host-botyard"
PLAIN_COOKIE = "botyard"
LASTS = 30 * 86400.0
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)  # OWASP's small argon2id
NOBODY = HASHER.hash(secrets.token_urlsafe())  # an unknown login costs as much as a known one
HASHING = asyncio.Semaphore(2)


class SignInNeeded(Exception):
    """The page is for people who are signed in."""


class Forbidden(Exception):
    """The person's role may not do this."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever is signed in. A viewer reads; an operator changes; the owner also gives out access."""

    sign_in_id: str
    operator_id: str
    login: str
    name: str
    role: str
    csrf: str

    @property
    def may_change(self) -> bool:
        """True for those who may change the configuration."""
        return self.role in ("owner", "operator")

    @property
    def owns(self) -> bool:
        """True for those who may give out access."""
        return self.role == "owner"


class Throttle:
    """Makes guessing slow: after five wrong tries a key waits, twice as long each time."""

    free = 5
    longest = 300.0
    remembered = 10_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.tries: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, *keys: str) -> float:
        """Seconds until the next try is allowed."""
        return max(0.0, *(self.tries.get(key, (0, 0.0))[1] - self.clock() for key in keys))

    def failed(self, *keys: str) -> None:
        """Count a wrong try."""
        for key in keys:
            count = self.tries.pop(key, (0, 0.0))[0] + 1
            pause = min(self.longest, 2.0 ** (count - self.free)) if count >= self.free else 0.0
            self.tries[key] = (count, self.clock() + pause)
        while len(self.tries) > self.remembered:
            self.tries.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget wrong tries."""
        for key in keys:
            self.tries.pop(key, None)


async def hash_password(password: str) -> str:
    """An argon2id hash."""
    async with HASHING:
        return await asyncio.to_thread(HASHER.hash, password)


async def is_password(hashed: str, password: str) -> bool:
    """True when the password made this hash."""
    async with HASHING:
        try:
            return await asyncio.to_thread(HASHER.verify, hashed, password)
        except (VerificationError, InvalidHashError):
            return False


async def check_password(conn: AsyncConnection, login: str, password: str) -> str | None:
    """The operator's id when login and password belong together."""
    operator = await find_operator(conn, login)
    matches = await is_password(operator.password if operator else NOBODY, password[:LONGEST_PASSWORD])
    return str(operator.id) if operator and matches else None


async def start_sign_in(conn: AsyncConnection, request: Request, operator_id: str) -> str:
    """A new sign-in; returns the cookie's value."""
    secret = secrets.token_urlsafe(32)
    await add_sign_in(
        conn,
        id=_hash(secret),
        operator_id=operator_id,
        csrf=secrets.token_urlsafe(24),
        agent=request.headers.get("user-agent", "")[:200],
        expires_at=now() + LASTS,
    )
    return secret


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Give the browser its sign-in."""
    secure = _takes_secure(request)
    name = SECURE_COOKIE if secure else PLAIN_COOKIE
    response.set_cookie(name, secret, max_age=int(LASTS), httponly=True, samesite="lax", secure=secure)


async def end_sign_in(conn: AsyncConnection, person: Person, request: Request, response: Response) -> None:
    """End the sign-in and take the cookie back."""
    await delete_sign_in(conn, person.sign_in_id)
    response.delete_cookie(SECURE_COOKIE, secure=True, httponly=True, samesite="lax")
    response.delete_cookie(PLAIN_COOKIE, httponly=True, samesite="lax")


async def find_person(connection: HTTPConnection) -> Person | None:
    """Whoever the cookie belongs to."""
    cookies = connection.cookies
    secret = cookies.get(SECURE_COOKIE) or cookies.get(PLAIN_COOKIE)
    if not secret or len(secret) > 100:
        return None
    async with services_of(connection).database.reading() as conn:
        row = await find_sign_in(conn, _hash(secret))
    if row is None:
        return None
    return Person(row.id, row.operator_id, row.login, row.name, row.role, row.csrf)


async def signed_in(request: Request) -> Person:
    """Dependency of every page: whoever reads it."""
    person = await find_person(request)
    if person is None:
        raise SignInNeeded
    request.state.person = person
    return person


SignedIn = Annotated[Person, Depends(signed_in)]


async def may_change(request: Request, person: SignedIn) -> Person:
    """Dependency of every change: asked for by our own page, and allowed for the role."""
    await check_change(request, person.csrf)
    if not person.may_change:
        raise Forbidden
    return person


MayChange = Annotated[Person, Depends(may_change)]


async def must_own(person: MayChange) -> Person:
    """Dependency of changes that give out access."""
    if not person.owns:
        raise Forbidden
    return person


MustOwn = Annotated[Person, Depends(must_own)]


def _takes_secure(request: Request) -> bool:
    agent = request.headers.get("user-agent", "")
    safari = "Safari/" in agent and "Chrome/" not in agent  # refuses Secure cookies on plain loopback
    return keeps_secure_cookies(request) and (request.url.scheme == "https" or not safari)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()

"""Pictures and videos under /v1 in OpenAI's shapes: who may, what the body says, and which answer it gets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from admin.gateway.access import Access
from admin.gateway.errors import ApiError, wrong
from admin.gateway.fields import integer, mapping, missing, not_a
from admin.gateway.http import header, read_body, read_json
from admin.gateway.images_desk import Ask, Desk, tell_uses
from admin.gateway.images_inputs import Given, from_data_url
from admin.gateway.images_reading import Caller
from admin.gateway.images_views import Showing, default_task, desk_of, showing_of
from admin.gateway.outlet import Outlet
from admin.services import services_of
from core.jobs.order import Wish
from providers.media.cards import LONGEST_SIDE
from providers.media.types import Task

MOST_FILES, MOST_FIELDS = 20, 60
LONGEST_FIELD = 4 << 20  # bytes of a form's field that is no file
LONGEST_KEY = 100
NAMES = {"width": "size", "height": "size", "count": "n", "negative": "negative_prompt", "image": "image"}
OWN = ("negative_prompt", "seed", "preset", "strength", "params")  # ours, beside OpenAI's own fields


@dataclass(frozen=True, slots=True)
class Call:
    """A request of somebody who was let in."""

    scope: Scope
    receive: Receive
    outlet: Outlet
    caller: Caller
    desk: Desk
    views: Showing

    @property
    def again(self) -> str:
        """Its Idempotency-Key."""
        key = header(self.scope, b"idempotency-key")
        if len(key) > LONGEST_KEY or not key.isprintable():
            raise wrong("Idempotency-Key", f"at most {LONGEST_KEY} printable characters.")
        return key

    async def body(self) -> "Body":
        """What it says, as JSON or as a form."""
        raw = await read_body(self.scope, self.receive)
        kind = header(self.scope, b"content-type").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            return await _form(self.scope, raw)
        return Body(read_json(raw), {}, False)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's fields, and its files by field. `texts` tells that numbers came as text."""

    fields: Mapping[str, Any]
    files: Mapping[str, list[bytes]]
    texts: bool

    def text(self, name: str, default: str | None = None) -> str:
        """A string; without a default it is required. Raises ApiError."""
        value = self.fields.get(name)
        if value is None:
            if default is None:
                raise missing(name)
            return default
        if not isinstance(value, str):
            raise not_a(name, str, value)
        if "\0" in value or not value.isascii() and not _is_text(value):
            raise wrong(name, "holds characters that are no text.")
        return value

    def whole(self, name: str, low: int, high: int) -> int | None:
        """An integer within bounds. Raises ApiError."""
        value = self.fields.get(name)
        if self.texts and isinstance(value, str):
            value = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else value
        return integer({name: value}, name, low, high)

    def amount(self, name: str, high: float) -> float | None:
        """A number above 0, also as text. Raises ApiError."""
        value = self.fields.get(name)
        if value is None:
            return None
        try:
            found = float(value) if isinstance(value, str | int | float) else math.nan
        except (ValueError, OverflowError):
            found = math.nan
        if not 0 < found <= high or isinstance(value, bool):
            raise wrong(name, f"must be a number above 0 and at most {high:g}.")
        return found

    def size(self) -> tuple[int | None, int | None]:
        """`size` as width and height. Raises ApiError."""
        given = self.text("size", "auto")
        if given == "auto":
            return None, None
        width, cross, height = given.partition("x")
        sides = [
            int(one) if one.isascii() and one.isdigit() and len(one) < 7 else 0 for one in (width, height)
        ]
        if not cross or not all(1 <= side <= LONGEST_SIDE for side in sides):
            text = f"must be WIDTHxHEIGHT with sides from 1 to {LONGEST_SIDE}, such as 1024x1024, or auto."
            raise wrong("size", text)
        return sides[0], sides[1]

    def params(self) -> dict[str, Any]:
        """`params`: further options that a model's card declares. Raises ApiError."""
        given = self.fields.get("params")
        if self.texts and isinstance(given, str):
            given = read_json(given.encode("utf-8", "replace"))
        found = mapping("params", given) if given is not None else {}
        for name, value in found.items():
            if isinstance(value, dict | list) or isinstance(value, str) and not _is_text(value):
                raise wrong(f"params.{name[:60]}", "must be text, a number, true or false.")
        return {name: value for name, value in found.items() if value is not None and _is_text(name)}

    def pictures(self, name: str, role: str = "image") -> list[Given]:
        """Pictures of a field: files of a form, or data: URLs. Raises ApiError."""
        bodies = [*self.files.get(name, ()), *self.files.get(f"{name}[]", ())]
        found = [Given(role, name, body=body) for body in bodies]
        given = self.fields.get(name, self.fields.get(f"{name}[image_url]"))
        for one in given if isinstance(given, list) else [given] if given is not None else []:
            if isinstance(one, dict):
                one = one.get("image_url") or one.get("url")
            if not isinstance(one, str):
                raise wrong(name, "must be a file, or a data: URL with base64.")
            found.append(from_data_url(role, name, one))
        return found


async def order_of(body: Body, makes: str, pictures: list[Given], hints: tuple[str, ...]) -> Ask:
    """The order in a body. Raises ApiError."""
    width, height = body.size()
    given = {name: body.text(name, "auto") for name in hints}
    wish = Wish(
        Task(default_task(makes, [one.role for one in pictures])), body.text("prompt"),
        body.text("negative_prompt", ""), width, height, body.whole("n", 1, 10) or 1,
        body.whole("seed", 0, 2**53), body.amount("seconds", 600), body.amount("strength", 1),
        body.params(), preset=body.text("preset", ""),
    )  # fmt: skip
    known = {name: value for name, value in given.items() if value != "auto"}
    return Ask(body.text("model", ""), wish, tuple(pictures), hints=known)


async def let_in(scope: Scope, receive: Receive, outlet: Outlet, access: Access) -> Call:
    """The call of whoever has a valid key. Raises ApiError."""
    caller = Caller(await access.key_of(scope))
    connection = Request(scope)
    await tell_uses(services_of(connection))
    return Call(scope, receive, outlet, caller, desk_of(connection), await showing_of(connection))


def renamed(error: ApiError) -> ApiError:
    """The error with the field's name as OpenAI has it."""
    name = NAMES.get(error.param or "")
    if name is not None:
        error.message = error.message.replace(f"'{error.param}':", f"'{name}':", 1)
        error.param = name
    return error


def _is_text(value: str) -> bool:
    """Whether it can be stored: no half characters, no zero."""
    return "\0" not in value and not any("\ud800" <= one <= "\udfff" for one in value)


async def _form(scope: Scope, raw: bytes) -> Body:
    """A form's fields and files. Raises ApiError."""

    async def replay() -> Message:
        return {"type": "http.request", "body": raw, "more_body": False}

    request = Request(scope, replay)
    limits = {"max_files": MOST_FILES, "max_fields": MOST_FIELDS, "max_part_size": LONGEST_FIELD}
    fields: dict[str, Any] = {}
    files: dict[str, list[bytes]] = {}
    try:
        async with request.form(**limits) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files.setdefault(name, []).append(await value.read())
                else:
                    fields[name] = value
    except (HTTPException, MultiPartException, UnicodeError, LookupError) as error:
        text = getattr(error, "detail", None) or getattr(error, "message", None) or "it cannot be read"
        raise ApiError(400, f"The form is broken: {text}.", code="invalid_form") from None
    return Body(fields, files, True)

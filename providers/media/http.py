"""Calls of a vendor's API: JSON or a form out, JSON in, to the address that the operator set and no other."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from providers.chat.openai_compatible import broken, read_bounded
from providers.chat.outbound import Outbound, Outgoing
from providers.classify import redact, to_error
from providers.errors import ErrorClass, ProviderError
from providers.media.refusals import as_refusal, without
from providers.surrogates import mend
from providers.types import ProviderConfig

CONNECT = 5.0  # seconds
ANSWER = 300.0  # for a submit: some vendors answer with the picture itself
ASKED = 30.0  # for a look at a task
LARGEST = 256 << 20  # bytes of an answer, which may hold files in base64
LONGEST_ERROR = 64 << 10
LARGE = 1 << 20  # from here on parsing is done beside the event loop

Classify = Callable[[int | None, Any], ErrorClass | None]


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `path` is below the vendor's address. `headers` hold the key; the body is `json`, a `form`
    or `raw` with its type. `secrets` are the key, its parts and the wish: no message shows them."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, Any] | None = field(default=None, repr=False)
    raw: tuple[bytes, str] | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    data: bytes = field(repr=False)
    mime: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said: an object of JSON, with a good status."""

    status: int
    headers: Mapping[str, str]
    data: dict[str, Any] = field(repr=False)


class Api:
    """A vendor's API at its address. `classify` tells what a vendor's own codes mean."""

    def __init__(self, config: ProviderConfig, base_url: str, classify: Classify | None = None) -> None:
        self.base_url = base_url
        self._config = config
        self._classify = classify
        self._outbound = self._fresh()
        options = config.options
        self._answer = float(options.get("media_answer") or ANSWER)
        self._asked = min(ASKED, self._answer)

    async def submit(self, call: Call) -> Answer:
        """Send what may cost money, once: on a connection of its own, because what fails on a kept one is
        sent again. Raises ProviderError; see providers/media/lost.py."""
        outbound = self._fresh()
        try:
            return await self._call(outbound, call, self._answer)
        finally:
            await outbound.close()

    async def ask(self, call: Call) -> Answer:
        """Send what may be repeated. Raises ProviderError."""
        return await self._call(self._outbound, call, self._asked)

    def failure(self, body: Any, secrets: tuple[str, ...] = (), told: int | None = None) -> ProviderError:
        """The error that is told inside a good answer, whose status is `told`, or in a finished task."""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, default=str)
        error = self._error(None, text, {}, secrets)
        return ProviderError(error.error_class, error.message, status=told, retry_after=error.retry_after)

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    def _fresh(self) -> Outbound:
        return Outbound(self._config.proxies, float(self._config.options.get("connect") or CONNECT))

    async def _call(self, outbound: Outbound, call: Call, patience: float) -> Answer:
        secret = call.secrets[0] if call.secrets else ""
        try:
            async with asyncio.timeout(patience):
                outgoing = await self._outgoing(call)
                async with await outbound.send(outgoing) as response:
                    return await self._read(response, call)
        except (aiohttp.ClientError, OSError) as error:
            raise _clean(broken(error, secret), call.secrets) from error

    async def _outgoing(self, call: Call) -> Outgoing:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "botyard"}
        body: bytes | None = None
        if call.json is not None:
            body = await asyncio.to_thread(_written, call.json)
            headers["Content-Type"] = "application/json"
        elif call.form is not None:
            body, headers["Content-Type"] = await _encoded(call.form)
        elif call.raw is not None:
            body, headers["Content-Type"] = call.raw
        headers.update(self._config.options.get("headers") or {})
        headers.update(call.headers)
        return Outgoing(call.method, self.base_url + call.path, headers, body)

    async def _read(self, response: aiohttp.ClientResponse, call: Call) -> Answer:
        if not 200 <= response.status < 300:
            text = (await read_bounded(response, LONGEST_ERROR)).decode("utf-8", "replace")
            raise self._error(response.status, text, response.headers, call.secrets)
        body = await read_bounded(response, LARGEST + 1)
        if len(body) > LARGEST:
            raise ProviderError(ErrorClass.TRANSIENT, f"the answer is longer than {LARGEST >> 20} MiB")
        return Answer(response.status, response.headers, await _object(body))

    def _error(
        self, status: int | None, text: str, headers: Mapping[str, str], secrets: tuple[str, ...]
    ) -> ProviderError:
        text = without(text, secrets)
        error = as_refusal(to_error(status, text, headers))
        own = self._classify(status, _parsed(text)) if self._classify else None
        if own is None or own == error.error_class:
            return error
        return ProviderError(own, error.message, status=error.status, retry_after=error.retry_after)


async def _object(body: bytes) -> dict[str, Any]:
    """A body as an object of JSON; an empty one is an empty object. Raises ProviderError."""
    if not body.strip():
        return {}
    try:
        data = json.loads(body) if len(body) < LARGE else await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError) as error:
        raise ProviderError(ErrorClass.TRANSIENT, "the answer is not JSON") from error
    if not isinstance(data, dict):
        raise ProviderError(ErrorClass.TRANSIENT, "the answer is JSON, but no object")
    return data


async def _encoded(form: Mapping[str, Any]) -> tuple[bytes, str]:
    """A form as multipart/form-data, with its content type; a list is a field several times."""
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in form.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, Upload):
                data.add_field(name, one.data, content_type=one.mime, filename=one.name)
            else:
                data.add_field(name, mend(str(one)))
    payload = data()
    return await payload.as_bytes(), payload.headers["Content-Type"]


def _written(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")


def _clean(error: ProviderError, secrets: tuple[str, ...]) -> ProviderError:
    message = redact(without(error.message, secrets))
    return ProviderError(error.error_class, message, status=error.status, retry_after=error.retry_after)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

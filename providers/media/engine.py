"""An engine host of ours (docs/engines.md): models on a GPU of one's own, behind the same MediaModel.

A submit costs nothing and is idempotent by its key, so that a host that was killed and forgot everything is
simply told again.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from providers.errors import ErrorClass, ProviderError
from providers.media.cards import BadMediaRequest, Card, card_of
from providers.media.kinds import mime_of
from providers.media.types import (
    EngineDied,
    Handle,
    Made,
    MadeFile,
    MediaInput,
    MediaRequest,
    Progress,
    Repeat,
)
from providers.types import ProviderConfig

TIMES = aiohttp.ClientTimeout(total=60, sock_connect=5)
UNHURRIED = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
CHUNK = 256 * 1024
HEAD = 64
SUFFIXES = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "video/mp4": ".mp4",
    "video/webm": ".webm",
}  # fmt: skip
PHASES = ("waiting", "loading", "running", "saving")


def create(config: ProviderConfig) -> "EngineHost":
    """An engine host at its address. Raises ValueError without one."""
    return EngineHost(config)


async def list_cards(config: ProviderConfig) -> list[Card]:
    """The cards of a host's media models that are on its disk. Raises ProviderError."""
    host = EngineHost(config)
    try:
        listed = await host.call("GET", "/models", config.keys[0] if config.keys else "")
        return [card_of(one["card"]) for one in listed["models"] if _usable(one)]
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(ErrorClass.TRANSIENT, "the list of models makes no sense") from error
    finally:
        await host.close()


def _usable(one: dict[str, Any]) -> bool:
    return bool(one.get("card")) and one.get("state") != "absent" and not one.get("unsafe")


class EngineHost:
    """Implements MediaProvider."""

    def __init__(self, config: ProviderConfig) -> None:
        self.base_url = config.base_url.rstrip("/").removesuffix("/v1")
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"provider {config.id!r} needs the address of an engine host")
        self._session: aiohttp.ClientSession | None = None

    def model(self, name: str, key: str) -> "EngineModel":
        """A model of this host."""
        return EngineModel(self, name, key)

    async def call(self, method: str, path: str, key: str, body: Any = None) -> Any:
        """JSON out, JSON in. Raises ProviderError."""
        async with self.request(method, path, key, body) as response:
            return await _answer(response)

    def request(
        self, method: str, path: str, key: str, body: Any = None, timeout: aiohttp.ClientTimeout = TIMES
    ) -> "_Request":
        """A request to be read inside `async with`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body} if body else {}
        headers = {"Authorization": f"Bearer {key}"}
        url = self.base_url + path
        return _Request(self._session.request(method, url, headers=headers, timeout=timeout, **sent))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
        self._session = None


class _Request:
    """A request whose network errors are ProviderErrors."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aenter__(self) -> aiohttp.ClientResponse:
        try:
            response: aiohttp.ClientResponse = await self._inner.__aenter__()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreachable(error) from error
        return response

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        await self._inner.__aexit__(kind, error, traceback)
        if isinstance(error, aiohttp.ClientError | TimeoutError):
            raise _unreachable(error) from error


class EngineModel:
    """Implements MediaModel."""

    repeat = Repeat.KEY

    def __init__(self, host: EngineHost, name: str, key: str) -> None:
        self._host = host
        self._name = name
        self._key = key

    async def submit(self, request: MediaRequest, key: str, folder: Path) -> Handle:
        """Send the inputs, then the request."""
        inputs = [await self._send(one) for one in request.inputs]
        names = (
            "prompt", "negative", "width", "height", "count", "seed", "seconds", "strength", "params",
        )  # fmt: skip
        asked = {name: getattr(request, name) for name in names}
        body = {
            "key": key, "model": self._name, "previews": True,
            "request": {**asked, "task": str(request.task), "inputs": inputs},
        }  # fmt: skip
        with _understood():
            answer = await self._host.call("POST", "/jobs", self._key, body)
            return {"id": str(answer["id"])}

    async def find(self, key: str) -> Handle | None:
        """Not needed: a submit can be repeated."""
        return None

    async def watch(self, handle: Handle) -> AsyncIterator[Progress]:
        """Follow the host's events."""
        path = f"/jobs/{handle['id']}/events"
        async with self._host.request("GET", path, self._key, timeout=UNHURRIED) as response:
            if response.status != 200:
                await _answer(response)
            async for line in _lines(response):
                if not line.startswith(b"data: "):
                    continue
                with _understood():
                    job = json.loads(line[6:])
                    if job["state"] == "done":
                        return
                    _raise_failed(job)
                    progress = _progress(job)
                yield progress
        raise ProviderError(ErrorClass.CONNECT, "the host hung up")

    async def fetch(self, handle: Handle, folder: Path) -> Made:
        """Download what was made."""
        with _understood():
            job = await self._host.call("GET", f"/jobs/{handle['id']}", self._key)
            names, settings = [str(one["id"]) for one in job["outputs"]], dict(job.get("settings") or {})
        files = [await self._download(one, folder / f"made-{at}") for at, one in enumerate(names)]
        return Made(tuple(files), 0.0, settings)

    async def discard(self, handle: Handle) -> None:
        """Let the host delete its files."""
        with _understood():
            job = await self._host.call("GET", f"/jobs/{handle['id']}", self._key)
            names = [str(one["id"]) for one in job["outputs"]]
        for one in names:
            async with self._host.request("DELETE", f"/outputs/{one}", self._key) as response:
                await response.read()

    async def cancel(self, handle: Handle) -> None:
        """Stop the work at its next step."""
        await self._host.call("POST", f"/jobs/{handle['id']}/cancel", self._key)

    async def _send(self, one: MediaInput) -> dict[str, str]:
        try:
            body = await asyncio.to_thread(one.path.read_bytes)
        except OSError as error:
            raise ProviderError(ErrorClass.CALLER, f"an input of role {one.role} cannot be read") from error
        digest = hashlib.sha256(body).hexdigest()
        await self._host.call("PUT", f"/inputs/{digest}", self._key, body)
        return {"digest": digest, "mime": one.mime, "role": one.role}

    async def _download(self, output: str, place: Path) -> MadeFile:
        part = place.with_suffix(".part")
        async with self._host.request("GET", f"/outputs/{output}", self._key, timeout=UNHURRIED) as response:
            if response.status != 200:
                await _answer(response)
            head = b""
            with _written(part):
                with part.open("wb") as file:
                    async for chunk in response.content.iter_chunked(CHUNK):
                        head = (head + chunk)[:HEAD] if len(head) < HEAD else head
                        file.write(chunk)
                mime = mime_of(head)
                path = place.with_suffix(SUFFIXES.get(mime, ".bin"))
                part.rename(path)
        return MadeFile(path, mime)


@contextmanager
def _understood() -> Iterator[None]:
    """What a host tells, taken apart. Raises ProviderError for what makes no sense."""
    try:
        yield
    except BadMediaRequest:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProviderError(ErrorClass.TRANSIENT, "what the engine host says makes no sense") from error


@contextmanager
def _written(part: Path) -> Iterator[None]:
    """A file that is whole or gone. Raises ProviderError where nothing can be written."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError):
        raise
    except OSError as error:
        raise ProviderError(ErrorClass.CALLER, f"it cannot be written here: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a stream. Raises ProviderError for one without an end."""
    with _understood():
        async for line in response.content:
            yield line


async def _answer(response: aiohttp.ClientResponse) -> Any:
    """A good answer's JSON; raises ProviderError for others."""
    try:
        body = await response.json(content_type=None)
    except ValueError:
        body = None
    if response.status < 400 and body is not None:
        return body
    told = body.get("error") if isinstance(body, dict) else None
    told = told if isinstance(told, dict) else {}
    raise _refused(response.status, told, response.headers.get("Retry-After", ""))


def _refused(status: int, told: dict[str, Any], after: str) -> Exception:
    words = str(told.get("reason") or told.get("message") or f"status {status}")[:500]
    if status == 400 and "allowed" in told:
        return BadMediaRequest(str(told.get("field")), words, str(told["allowed"]))
    if status == 507:
        need, have = told.get("need"), told.get("have")
        return ProviderError(ErrorClass.MODEL_GONE, f"it does not fit: needs {need} bytes, {have} can be had")
    classes = {
        400: ErrorClass.CALLER, 401: ErrorClass.CREDENTIAL, 404: ErrorClass.TRANSIENT, 413: ErrorClass.CALLER,
        409: ErrorClass.MODEL_GONE, 415: ErrorClass.CALLER, 503: ErrorClass.OVERLOAD,
    }  # fmt: skip
    unknown = status == 404 and told.get("field") == "model"
    found = ErrorClass.MODEL_GONE if unknown else classes.get(status, ErrorClass.TRANSIENT)
    return ProviderError(found, words, status=status, retry_after=float(after) if after.isdecimal() else None)


def _raise_failed(job: dict[str, Any]) -> None:
    if job["state"] == "cancelled":
        raise ProviderError(ErrorClass.CALLER, "the job was cancelled at the host")
    if job["state"] != "failed":
        return
    error = job.get("error") or {}
    kind, words = str(error.get("class")), str(error.get("message"))[:500]
    if kind == "died":
        raise EngineDied(ErrorClass.TRANSIENT, words)
    known = set(ErrorClass)
    # A failure that the host has settled is not asked about again: it would say the same.
    settled = ErrorClass.EMPTY if kind in ("transient", "connect") or kind not in known else ErrorClass(kind)
    raise ProviderError(settled, words)


def _progress(job: dict[str, Any]) -> Progress:
    preview = base64.b64decode(job["preview"]) if job.get("preview") else None
    state = str(job["state"])
    return Progress(
        phase=state if state in PHASES else "running", fraction=job.get("fraction"),
        step=job.get("step") or 0, steps=job.get("steps") or 0, position=job.get("position"),
        eta=job.get("eta"), preview=preview,
    )  # fmt: skip


def _unreachable(error: BaseException) -> ProviderError:
    return ProviderError(ErrorClass.CONNECT, f"the engine host cannot be reached ({type(error).__name__})")

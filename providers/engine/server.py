"""The engine host over HTTP: what docs/engines.md describes."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from providers.engine.answers import no_room, refusal
from providers.engine.ledger import Ledger
from providers.engine.models import Model
from providers.engine.residence import Residence
from providers.engine.resident import Resident
from providers.engine.setting_up import SettingUp
from providers.engine.text.memory import NoRoom
from providers.engine.text_host import TextHost
from providers.engine.work import ENDED, Full, Shop, Work
from providers.media.cards import BadMediaRequest, fit
from providers.media.types import MediaInput, MediaRequest, Task

LARGEST_INPUT = 64 * 1024 * 1024
LONGEST_BODY = 4 * 1024 * 1024
MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
OPEN = ("/live", "/health")  # without the token: they tell no one's work
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FIELDS = ("prompt", "negative", "width", "height", "count", "seed", "seconds", "strength", "params")
logger = logging.getLogger(__name__)


class Server:
    """The handlers around one host's parts."""

    def __init__(
        self,
        shop: Shop,
        residence: Residence,
        ledger: Ledger,
        token: str,
        text: TextHost,
        setting_up: SettingUp,
    ) -> None:
        self._shop = shop
        self._text = text
        self._setting_up = setting_up
        self._residence = residence
        self._ledger = ledger
        self._token = token

    def app(self) -> web.Application:
        """The application, every path but /live and /health behind the token."""
        app = web.Application(middlewares=[self._guard], client_max_size=LONGEST_BODY)
        app.router.add_get("/live", self._live)
        app.router.add_get("/health", self._health)
        app.router.add_get("/models", self._models)
        app.router.add_routes([*self._text.routes(), *self._setting_up.routes()])
        app.router.add_post("/models/{name:.+}/{what:load|unload|sleep|pin|unpin}", self._command)
        app.router.add_get("/memory", self._memory)
        app.router.add_put("/inputs/{digest:[0-9a-f]{64}}", self._input)
        app.router.add_post("/jobs", self._submit)
        app.router.add_get("/jobs/{id}", self._job)
        app.router.add_get("/jobs/{id}/events", self._events)
        app.router.add_post("/jobs/{id}/cancel", self._cancel)
        app.router.add_get("/outputs/{id}", self._output)
        app.router.add_delete("/outputs/{id}", self._discard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(errors="surrogateescape"), self._token.encode()):
                return refusal(401, "token", "the token is wrong")
        try:
            return await handler(request)
        except (ValueError, KeyError, TypeError) as error:
            return refusal(400, "body", f"the request cannot be read: {type(error).__name__}")

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _health(self, _request: web.Request) -> web.Response:
        proofs = self._residence.proofs
        return web.json_response(proofs.told(), status=200 if proofs.good else 503)

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"models": [*map(_shown, self._residence.all()), *self._text.models()]})

    async def _command(self, request: web.Request) -> web.Response:
        resident = self._residence.find(request.match_info["name"])
        if resident is None:
            return await self._text.ordered(request.match_info["name"], request.match_info["what"])
        match request.match_info["what"]:
            case "load":
                if no := _cannot(resident.model):
                    return no
                try:
                    await self._residence.load(resident, prove=True)
                except NoRoom as error:
                    return no_room(error)
                except Exception as error:  # process edge: an operator reads why
                    logger.exception("%s cannot be loaded", resident.model.name)
                    return refusal(409, "load", str(error) or type(error).__name__)
            case "unload" | "sleep":
                if not await self._residence.unload(resident):
                    return refusal(409, "in_use", "the model is in use")
            case what:
                self._residence.pin(resident, what == "pin")
        return web.json_response(_shown(resident))

    async def _memory(self, _request: web.Request) -> web.Response:
        ledger = self._ledger
        devices = [
            {**asdict(pool), "reserved": sum(one.on(place) for one in ledger.holdings)}
            for place, pool in enumerate(ledger.devices)
        ]
        resident = [
            {
                "model": one.model, "bytes": one.device, "device": list(one.devices),
                "host_bytes": one.host, "since": one.since, "pinned": one.pinned,
                "in_use": one.in_use,
            }
            for one in ledger.holdings
        ]  # fmt: skip
        host = {**asdict(ledger.host), "reserved": sum(one.host for one in ledger.holdings)}
        answer = {"devices": devices, "host": host, "resident": resident, "waiting": ledger.waiting}
        return web.json_response({**answer, "history": ledger.history[::-1]})

    async def _input(self, request: web.Request) -> web.Response:
        digest = request.match_info["digest"]
        folder = self._shop.folder / "inputs"
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{digest}.{id(request):x}.part"
        counted, seen = hashlib.sha256(), 0
        try:
            with part.open("wb") as file:
                async for chunk in request.content.iter_chunked(1 << 18):
                    seen += len(chunk)
                    if seen > LARGEST_INPUT:
                        return refusal(413, "input", f"at most {LARGEST_INPUT} bytes")
                    counted.update(chunk)
                    file.write(chunk)
            if counted.hexdigest() != digest:
                return refusal(400, "digest", "the bytes are not those of the digest")
            with part.open("rb") as file:
                if not file.read(8).startswith(MAGIC):
                    return refusal(415, "input", "not a PNG, JPEG, WebP or GIF")
            part.rename(folder / digest)
        except OSError as error:
            return refusal(507, "disk", f"the input cannot be stored: {error.strerror}")
        finally:
            part.unlink(missing_ok=True)
        return web.json_response({"digest": digest}, status=201)

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        resident = self._residence.find(str(body["model"]))
        if resident is None:
            return refusal(404, "model", "no such model")
        if no := _cannot(resident.model):
            return no
        asked = dict(body["request"])
        missing = [one["digest"] for one in asked.get("inputs", ()) if not self._has(str(one["digest"]))]
        if missing:
            return refusal(404, "inputs", ", ".join(missing))
        try:
            fitted = _fitted(asked, resident.model, self._shop.folder / "inputs")
        except BadMediaRequest as error:
            problem = {"field": error.field, "reason": error.reason, "allowed": error.allowed}
            return web.json_response({"error": problem}, status=400)
        try:
            self._residence.fitting.check(resident, fitted)
            job = self._shop.submit(str(body["key"]), resident.model.name, fitted, bool(body.get("previews")))
        except NoRoom as error:
            return no_room(error)
        except Full:
            return refusal(503, "full", "too many jobs wait", retry_after=5)
        return web.json_response({"id": job.id, "position": self._shop.position(job)}, status=202)

    async def _job(self, request: web.Request) -> web.Response:
        job = self._shop.find(request.match_info["id"])
        if job is None:
            return refusal(404, "job", "no such job here")
        return web.json_response(self._told(job))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        job = self._shop.find(request.match_info["id"])
        if job is None:
            return refusal(404, "job", "no such job here")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        preview = ""
        while True:
            changed, told = job.changed, self._told(job)
            if job.preview != preview:
                preview = job.preview
                told["preview"] = preview
            await response.write(b"data: " + json.dumps(told).encode() + b"\n\n")
            if job.state in ENDED or job.dropped:
                return response
            try:
                await asyncio.wait_for(changed.wait(), 5.0)
            except TimeoutError:
                continue

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._shop.find(request.match_info["id"])
        if job is None:
            return refusal(404, "job", "no such job here")
        self._shop.cancel(job)
        return web.json_response(self._told(job))

    async def _output(self, request: web.Request) -> web.StreamResponse:
        path = self._shop.output(request.match_info["id"])
        return web.FileResponse(path) if path else refusal(404, "output", "no such output here")

    async def _discard(self, request: web.Request) -> web.Response:
        self._shop.discard(request.match_info["id"])
        return web.Response(status=204)

    def _has(self, digest: str) -> bool:
        return len(digest) == 64 and digest.isalnum() and (self._shop.folder / "inputs" / digest).exists()

    def _told(self, job: Work) -> dict[str, Any]:
        fraction = job.step / job.steps if job.steps else None
        outputs = [{name: one[name] for name in ("id", "mime", "bytes")} for one in job.outputs]
        return {
            "id": job.id, "state": job.state, "step": job.step, "steps": job.steps, "fraction": fraction,
            "position": self._shop.position(job), "eta": self._shop.eta(job), "error": job.error,
            "outputs": outputs, "settings": job.settings, "killed_engine": job.killed,
        }  # fmt: skip


def _fitted(asked: dict[str, Any], model: Model, inputs: Path) -> dict[str, Any]:
    """The request as the model takes it, as JSON. Raises BadMediaRequest."""
    files = tuple(
        MediaInput(inputs / one["digest"], str(one.get("mime", "")), str(one.get("role", "image")))
        for one in asked.get("inputs", ())
    )
    values = {name: asked[name] for name in FIELDS if asked.get(name) is not None}
    try:
        request = MediaRequest(Task(asked["task"]), inputs=files, **values)
    except ValueError as error:
        raise BadMediaRequest("task", "task", ", ".join(model.card.tasks)) from error
    fitted = fit(request, model.card)
    known = {name: getattr(fitted, name) for name in FIELDS}
    return {**known, "task": str(fitted.task), "inputs": list(asked.get("inputs", ()))}


def _cannot(model: Model) -> web.Response | None:
    if model.unsafe:
        return refusal(409, "unsafe", model.unsafe)
    return None if model.there else refusal(409, "absent", "the model is not on this machine's disk")


def _shown(resident: Resident) -> dict[str, Any]:
    model = resident.model
    state = resident.state if model.there else "absent"
    return {
        "name": model.name, "family": _family(model), "kind": model.kind,
        "state": state, "resident_bytes": resident.lease.holding.device if resident.lease else 0,
        "pinned": resident.pinned, "in_use": resident.in_use, "since": resident.since, "why": resident.why,
        "card": {**asdict(model.card), "tasks": [str(task) for task in model.card.tasks]},
        "path": str(model.folder or ""), "size_bytes": model.bytes, "unsafe": model.unsafe,
        "options": resident.options, "profile": str(resident.manner),
        "repository": str(model.spec.get("repository", "")),
    }  # fmt: skip


def _family(model: Model) -> str:
    clips = all(task.makes == "video" for task in model.card.tasks)
    return "fake" if model.kind == "fake" else "video" if clips else "image"

"""All of text in an engine host: models on disk, their engines over the host's ledger, and downloads."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from providers.engine.answers import no_room, refusal
from providers.engine.families import environment
from providers.engine.hub.download import BadRepository, Downloads
from providers.engine.hub.found import TEXT, FoundModel
from providers.engine.hub.scan import scan, text_models
from providers.engine.ledger import Lease, Ledger
from providers.engine.process import reap_orphans
from providers.engine.text.calls import open_http
from providers.engine.text.gpu import GpuMemory
from providers.engine.text.launcher import spread
from providers.engine.text.memory import MemoryLease, NoRoom
from providers.engine.text.model import EngineBusy, EngineFailed, TextSettings
from providers.engine.text.proxy import TextProxy
from providers.engine.text.service import TextService, UnknownModel

LOG = logging.getLogger(__name__)
WITH_CLIENT = ("diffusers", "transformers", "vllm")  # each brings the hub's client


class LedgerLease:
    """A lease of the host's ledger, which evicts by calling back and looks at what is in use."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    @property
    def visible(self) -> str:
        """Its devices as CUDA_VISIBLE_DEVICES names them."""
        return self._lease.visible

    @property
    def device_total(self) -> int:
        """Bytes that each of its devices has."""
        return self._lease.device_total

    async def adjust(self, device: int, host: int, wait: bool = True) -> None:
        """Hold so much from now on. Raises NoRoom."""
        await self._lease.adjust(device, host, wait)

    def mark(self, in_use: int, pinned: bool) -> None:
        """What the ledger plans by."""
        holding = self._lease.holding
        if holding.in_use and not in_use:
            holding.used_at = time.monotonic()
        holding.in_use, holding.pinned = in_use, pinned

    async def release(self) -> None:
        """Nothing of the model is left."""
        await self._lease.release()


class LedgerMemory:
    """The host's ledger as text engines see it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._gpu = GpuMemory()
        self.service: TextService | None = None

    async def reserve(self, model: str, device: int, host: int = 0, devices: int = 1) -> MemoryLease:
        """Room, and from then on the ledger may ask for it back. Raises NoRoom."""
        lease = await self._ledger.reserve(model, device, host, devices)
        if self.service:
            lease.holding.evict = partial(self.service.free, model)
        return LedgerLease(lease)

    async def held(self, pids: Sequence[int]) -> int | None:
        """Bytes that processes hold on the devices; None where it cannot be told."""
        return await self._gpu.held(pids)


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How a host is told to do text. `cache` is HF_HOME/hub; `commands` replaces the families' own; `tried`
    hears what tries of models came to."""

    home: Path
    cache: Path
    folders: tuple[Path, ...]
    device: str  # cuda, or anything else for the CPU
    environment: Mapping[str, str]
    commands: Mapping[str, tuple[str, ...]] | None = None
    tried: Callable[[str, str], None] = lambda model, why: None


class TextHost:
    """Built when the host starts, inside its loop; `close` ends every engine and download."""

    def __init__(self, ledger: Ledger, options: TextOptions) -> None:
        self._options = options
        self._ledger = ledger
        self._memory = LedgerMemory(ledger)
        self._http = open_http()
        self.kind = "vllm" if options.device == "cuda" else "transformers"
        command = options.commands.__getitem__ if options.commands else _command
        settings = TextSettings(
            command, options.home / "text", options.environment,
            lora_folders=(options.cache, *options.folders), device="cuda" if self.kind == "vllm" else "cpu",
            tried=options.tried,
        )  # fmt: skip
        self.service = TextService(settings, self._memory, self._http)
        self._memory.service = self.service
        self.downloads = Downloads(_client, options.cache, options.environment)
        self.found: dict[str, FoundModel] = {}

    async def start(self) -> None:
        """End what an earlier life left, and look for models."""
        await asyncio.to_thread(reap_orphans, self._options.home / "text")
        await self.look()

    async def look(self) -> None:
        """Look for models again: after a download, or when an operator asks."""
        found = await asyncio.to_thread(scan, self._options.cache, self._options.folders)
        self.found = {one.name: one for one in found}
        models = text_models(found, self.kind)
        if self.kind == "vllm":
            totals = [pool.total for pool in self._ledger.devices]
            models = [spread(one, self.found[one.name].heads, totals) for one in models]
        self.service.offer(models)

    async def close(self) -> None:
        """End every engine and download."""
        await self.downloads.close()
        await self.service.close()
        await self._http.close()

    def routes(self) -> list[web.RouteDef]:
        """/v1/*, POST /models/download, GET /downloads and their cancel."""
        return [
            *TextProxy(self.service, self._http).routes(),
            web.post("/models/download", self._download),
            web.post("/downloads/cancel", self._cancel),
            web.get("/downloads", self._progress),
        ]

    def models(self) -> list[dict[str, Any]]:
        """Text models for GET /models, those that cannot be run among them, and what is being downloaded."""
        reports = {one.name: one for one in self.service.reports()}
        entries = []
        for name, one in self.found.items():
            if one.family != TEXT and name not in reports:
                continue
            report = reports.get(name)
            entries.append({
                "name": name, "family": TEXT, "kind": self.kind, "card": None, "path": str(one.folder),
                "state": report.state if report else "absent",
                "resident_bytes": report.resident_bytes if report else 0,
                "pinned": report.pinned if report else False, "in_use": report.in_use if report else 0,
                "since": report.since if report else None, "why": report.why if report else one.problem,
                "quantisation": one.quantisation, "size_bytes": one.size_bytes, "unsafe": one.unsafe,
                "lora": one.lora, "parameters": one.parameters, "context": one.context,
                "architecture": one.architecture,
            })  # fmt: skip
        return entries

    async def ordered(self, name: str, verb: str) -> web.Response:
        """POST /models/NAME/VERB for a text model, with a refusal that says why."""
        found = self.found.get(name)
        if found and not found.usable:
            return refusal(409, "unsafe" if found.unsafe else "absent", found.unsafe or found.problem)
        try:
            await self.command(name, verb)
        except UnknownModel:
            return refusal(404, "model", "no such model")
        except EngineBusy as error:
            return refusal(409, "in_use", str(error))
        except NoRoom as error:
            return no_room(error)
        except EngineFailed as error:
            return refusal(409, "load", str(error))
        return web.json_response(next(one for one in self.models() if one["name"] == name))

    async def command(self, name: str, verb: str) -> None:
        """load, unload, sleep, pin or unpin. Raises UnknownModel, EngineBusy, NoRoom, EngineFailed."""
        if verb in ("pin", "unpin"):
            self.service.pin(name, verb == "pin")
        else:
            orders = {"load": self.service.load, "unload": self.service.unload, "sleep": self.service.sleep}
            await orders[verb](name)

    async def _download(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            download = self.downloads.start(str(body["repo"]), str(body.get("revision", "main")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error) if isinstance(error, BadRepository) else "the request names no repository"
            return refusal(400, "repo", reason)
        return web.json_response(download.as_json(), status=202)

    async def _cancel(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self.downloads.cancel(str(body.get("repo", "")) if isinstance(body, dict) else "")
        return web.json_response({})

    async def _progress(self, _request: web.Request) -> web.Response:
        downloads = self.downloads.all()
        if any(one.state == "done" and one.repo not in self.found for one in downloads):
            await self.look()
        return web.json_response({"downloads": [one.as_json() for one in downloads]})


def _command(name: str) -> tuple[str]:
    """A family's own server, or the same one in the diffusers family, which has transformers too. Looked for
    at each start: families are set up while the host runs."""
    own = environment(name) / "bin" / name
    other = environment("diffusers") / "bin" / name
    return (str(other if other.exists() and not own.exists() else own),)


def _client() -> Path:
    """The interpreter of a family that has the hub's client; the first one's place where there is none."""
    pythons = [environment(name) / "bin" / "python" for name in WITH_CLIENT]
    return next((one for one in pythons if one.exists()), pythons[0])

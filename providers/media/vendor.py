"""What vendors of media share: a new one says how a wish is written, and how answers are read."""

import asyncio
import base64
import binascii
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from providers.errors import ErrorClass, ProviderError
from providers.media.cards import vendor_cards
from providers.media.download import Files, Remote, Wanted
from providers.media.http import Answer, Api, Call
from providers.media.inputs import Order, loaded
from providers.media.offers import base_url_of
from providers.media.polling import Pace, looked_late, pace_of, poll
from providers.media.types import Handle, Made, MadeFile, MediaRequest, Progress, Repeat, Task
from providers.types import ProviderConfig

KEPT = "results"  # in a handle: files and addresses that the submit's answer held already


@dataclass(frozen=True, slots=True)
class Results:
    """What a vendor made: bytes, or addresses to fetch. `cost` is in US dollars as it was told; `settings`
    are what was really used. `headers` go to the vendor's own address alone, with the key."""

    files: tuple[bytes | str, ...] = field(repr=False)
    cost: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Vendor(ABC):
    """An account at a vendor of media. Raises ValueError without a usable address."""

    pace: ClassVar[Pace] = Pace()

    def __init__(self, config: ProviderConfig) -> None:
        address = self.address(base_url_of(config).strip().rstrip("/"))
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"provider {config.id!r} needs a base_url that begins with http:// or https://")
        self.config = config
        self.api = Api(config, address, self.classify)
        self.files = Files(config, address)
        self.own_pace = pace_of(config, self.pace)

    def address(self, url: str) -> str:
        """The address below which its paths are, from the operator's or the catalogue's."""
        return url

    def classify(self, status: int | None, body: Any) -> ErrorClass | None:
        """What a vendor's own error codes mean; None where the usual reading will do."""
        return None

    @abstractmethod
    def model(self, name: str, key: str) -> "VendorModel":
        """A model, called with one key."""

    @abstractmethod
    def free_call(self, key: str) -> Call:
        """A request that costs nothing and needs the key."""

    async def check(self, key: str) -> list[str]:
        """The *Test* of a key: the models that the catalogue knows. Raises ProviderError."""
        await self.ask(self.free_call(key), key)
        return [card.name for card in vendor_cards().get(self.config.kind, ())]

    async def authorized(self, call: Call, key: str) -> Call:
        """A request with its key, for vendors where that takes asking first. Raises ProviderError."""
        return call

    async def ask(self, call: Call, key: str) -> Answer:
        """Send what may be repeated. Raises ProviderError."""
        return await self.api.ask(await self.authorized(call, key))

    async def close(self) -> None:
        """Close the connections."""
        await self.api.close()
        await self.files.close()


class VendorModel(ABC):
    """One model of a vendor, called with one key; see providers.media.types.MediaModel."""

    repeat: Repeat = Repeat.NEVER

    def __init__(self, vendor: Vendor, name: str, key: str) -> None:
        self.vendor = vendor
        self.name = name
        self.key = key

    @abstractmethod
    def order(self, order: Order) -> Call:
        """How a wish is written: the one request that may cost money."""

    @abstractmethod
    def begun(self, order: Order, answer: Answer) -> dict[str, Any] | Results:
        """What the answer to it says: the ids by which the task is known, or the results. Raises
        ProviderError for a refusal inside a good answer."""

    async def look(self, handle: Handle) -> Progress | Results:
        """How the task is; raises ProviderError when it failed (see polling.final) or asking did."""
        raise ProviderError(ErrorClass.EMPTY, "the handle knows no task")

    async def submit(self, request: MediaRequest, key: str, folder: Path) -> Handle:
        """Begin; one request, never sent twice."""
        order = await loaded(request, key)
        written = await asyncio.to_thread(self.order, order)  # files become text: that takes a while
        call = await self.vendor.authorized(written, self.key)
        secrets = dict.fromkeys((*call.secrets, self.key, request.prompt, request.negative))
        answer = await self.vendor.api.submit(replace(call, secrets=tuple(filter(None, secrets))))
        handle = new_handle(request.task, key)
        found = await asyncio.to_thread(self.begun, order, answer)
        return {
            **handle,
            **(await self._kept(found, handle, folder) if isinstance(found, Results) else found),
        }

    async def find(self, key: str) -> Handle | None:
        """The handle of an earlier submit, where the vendor can be asked for it."""
        return None

    async def watch(self, handle: Handle) -> AsyncIterator[Progress]:
        """Progress until it is done."""
        if KEPT in handle:
            return

        async def look() -> Progress | None:
            found = await self.look(handle)
            return None if isinstance(found, Results) else found

        async for progress in poll(look, self.vendor.own_pace, float(handle["at"])):
            yield progress

    async def fetch(self, handle: Handle, folder: Path) -> Made:
        """The results as files."""
        if KEPT in handle:
            known = handle[KEPT]
            files = [await self._again(one, handle, folder) for one in known["files"]]
            return Made(tuple(files), known["cost"], known["settings"])
        try:
            results = await self.look(handle)
        except ProviderError as error:
            raise looked_late(error) from error
        if not isinstance(results, Results):
            raise ProviderError(ErrorClass.TRANSIENT, "the task is not done yet")
        files = []
        for number, one in enumerate(_some(results)):
            wanted = _wanted(handle, folder, number)
            if isinstance(one, bytes):
                files.append(await self.vendor.files.keep(one, wanted))
            else:
                files.append(await self.vendor.files.fetch(Remote(one, results.headers), wanted))
        return Made(tuple(files), results.cost, dict(results.settings))

    async def discard(self, handle: Handle) -> None:
        """Nothing: most vendors forget by themselves."""
        return None

    async def cancel(self, handle: Handle) -> None:
        """Nothing: most vendors cannot."""
        return None

    async def _kept(self, results: Results, handle: Handle, folder: Path) -> dict[str, Any]:
        """Write what came inside the answer; addresses are fetched later."""
        files: list[dict[str, Any]] = []
        for number, one in enumerate(_some(results)):
            if isinstance(one, str):
                files.append({"url": one, "number": number})
                continue
            made = await self.vendor.files.keep(one, _wanted(handle, folder, number))
            files.append({"path": str(made.path), "mime": made.mime})
        return {KEPT: {"files": files, "cost": results.cost, "settings": dict(results.settings)}}

    async def _again(self, one: Mapping[str, Any], handle: Handle, folder: Path) -> MadeFile:
        if "url" in one:
            wanted = _wanted(handle, folder, one["number"])
            return await self.vendor.files.fetch(Remote(one["url"]), wanted)
        told = Path(one["path"])
        path = next((place for place in (folder / told.name, told) if place.is_file()), None)
        if path is None:
            raise ProviderError(ErrorClass.EMPTY, "the files of this answer are gone")
        return MadeFile(path, one["mime"])


def decoded(text: Any) -> bytes:
    """Bytes from base64, with or without a data: prefix. Raises ProviderError."""
    try:
        return base64.b64decode(str(text).rpartition("base64,")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProviderError(ErrorClass.EMPTY, "the result is not base64") from error


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where there is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def task_of(handle: Handle) -> Task:
    """What a handle's work was."""
    return Task(handle["task"])


def nonsense(what: str) -> ProviderError:
    """The error for an answer that lacks what it must have."""
    return ProviderError(ErrorClass.TRANSIENT, f"the answer has no {what}")


def refused(reasons: Any) -> ProviderError:
    """The error for a wish or a result that a vendor's moderation held back."""
    return ProviderError(ErrorClass.CONTENT, f"refused: {reasons}"[:500])


def _some(results: Results) -> tuple[bytes | str, ...]:
    if not results.files:
        raise ProviderError(ErrorClass.EMPTY, "the vendor made nothing")
    return results.files


def new_handle(task: Task, key: str) -> Handle:
    """What every handle holds: the task, since when, and the names of files to be."""
    stem = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return {"task": str(task), "at": time.time(), "stem": stem}


def _wanted(handle: Handle, folder: Path, number: int) -> Wanted:
    return Wanted(folder, f"{handle['stem']}-{number + 1}", task_of(handle).makes)

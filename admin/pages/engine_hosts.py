"""What engine hosts say of themselves (docs/engines.md), read strictly: an answer that makes no sense is told
apart from a host that does not run, keeps silent or refuses its key."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientConnectorError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from providers.errors import ErrorClass, ProviderError
from providers.media.engine import EngineHost
from providers.types import ProviderConfig

WITHIN = 5.0
STOPPED, SILENT, REFUSED, NONSENSE, ERROR = "stopped", "silent", "refused", "nonsense", "error"


class Told(BaseModel):
    """A part of an answer; what newer hosts add is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Pool(Told):
    """One device, or the host's RAM. `reserved` is what models hold of it, `external` what others do."""

    name: str
    kind: str = ""
    total: int = Field(gt=0)
    reserved: int = 0
    external: int = 0


class Resident(Told):
    """What one model holds: `bytes` on each of its devices (None: on all), `host_bytes` of RAM."""

    model: str
    bytes: int
    device: tuple[int, ...] | None = None
    host_bytes: int = 0
    since: float = 0.0


class Happened(Told):
    """A line of the memory's history."""

    at: float
    event: str
    model: str
    bytes: int = 0
    why: str = ""


class Memory(Told):
    """GET /memory. `waiting` are the models that wait for room, the first one first."""

    devices: tuple[Pool, ...]
    host: Pool
    resident: tuple[Resident, ...] = ()
    waiting: tuple[str, ...] = ()
    history: tuple[Happened, ...] = ()


class Card(Told):
    """What a media model does."""

    label: str = ""
    tasks: tuple[str, ...] = ()


class HostModel(Told):
    """An entry of GET /models."""

    name: str
    family: str = ""
    kind: str = ""
    state: str
    resident_bytes: int = 0
    pinned: bool = False
    in_use: int = 0
    since: float | None = None
    why: str = ""
    card: Card | None = None
    size_bytes: int | None = None
    unsafe: str = ""
    repository: str = ""
    profile: str = ""
    context: int | None = None
    quantisation: str | None = None


class Models(Told):
    """GET /models."""

    models: tuple[HostModel, ...]


class Download(Told):
    """A model on its way from a hub. `state` is waiting, downloading, done, failed or cancelled."""

    repo: str
    revision: str = "main"
    state: str
    bytes: int = 0
    total: int = 0
    fraction: float = 0.0
    kind: str = ""
    why: str = ""

    @property
    def runs(self) -> bool:
        """Whether it can be cancelled."""
        return self.state in ("waiting", "downloading")


class Downloads(Told):
    """GET /downloads."""

    downloads: tuple[Download, ...]


class SetUp(Told):
    """How setting a family up goes; `state` is running, done, failed or cancelled."""

    state: str
    lines: tuple[str, ...] = ()
    fraction: float | None = None
    why: str = ""


class Family(Told):
    """An environment for one kind of engine."""

    name: str
    about: str = ""
    installed: bool
    stale: bool = False
    download_mib: int = 0
    disk_mib: int = 0
    gpu: bool = False
    job: SetUp | None = None


class Families(Told):
    """GET /families."""

    families: tuple[Family, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that a host said."""

    memory: Memory
    models: tuple[HostModel, ...]
    downloads: tuple[Download, ...]
    families: tuple[Family, ...]


class NoAnswer(Exception):
    """Why there is nothing to show: STOPPED, SILENT, REFUSED, NONSENSE or ERROR, with the host's words."""

    def __init__(self, kind: str, words: str = "") -> None:
        super().__init__(words or kind)
        self.kind = kind
        self.words = words


async def ask(config: ProviderConfig) -> Answers:
    """Look at a host once. Downloads are asked for first: the host then knows what has just arrived.
    Raises NoAnswer."""
    host, key = EngineHost(config), key_of(config)
    try:
        async with asyncio.timeout(WITHIN):
            downloads = Downloads.model_validate(await host.call("GET", "/downloads", key)).downloads
            families = Families.model_validate(await host.call("GET", "/families", key)).families
            memory = Memory.model_validate(await host.call("GET", "/memory", key))
            models = Models.model_validate(await host.call("GET", "/models", key)).models
    except ValidationError as error:
        raise NoAnswer(NONSENSE) from error
    except TimeoutError as error:
        raise NoAnswer(SILENT) from error
    except ProviderError as error:
        raise _why(error) from error
    finally:
        await host.close()
    return Answers(memory, models, downloads, families)


async def tell(config: ProviderConfig, path: str, body: Any, within: float) -> bool:
    """Have a host do something. False when it is still at it after `within` seconds: it goes on with it.
    Raises NoAnswer, ERROR with its words when it will not."""
    host = EngineHost(config)
    try:
        async with asyncio.timeout(within):
            await host.call("POST", path, key_of(config), body)
    except TimeoutError:
        return False
    except ProviderError as error:
        raise _why(error) from error
    finally:
        await host.close()
    return True


def key_of(config: ProviderConfig) -> str:
    """The token that a host is asked with."""
    return config.keys[0] if config.keys else ""


def _why(error: ProviderError) -> NoAnswer:
    words = error.message[:300]
    if error.error_class == ErrorClass.CONNECT:
        if isinstance(error.__cause__, TimeoutError):
            return NoAnswer(SILENT)
        return NoAnswer(STOPPED if isinstance(error.__cause__, ClientConnectorError) else NONSENSE)
    if error.status in (401, 403):
        return NoAnswer(REFUSED)
    if error.status is not None and error.status < 500 and words == f"status {error.status}":
        return NoAnswer(NONSENSE)  # the host gives its reasons
    return NoAnswer(ERROR, words)

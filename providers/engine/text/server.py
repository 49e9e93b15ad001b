"""A text server that runs: the child, its address, and what it is asked."""

import asyncio
import secrets
import socket
import time
from pathlib import Path

import aiohttp

from providers.engine.process import Child, spawn
from providers.engine.text.calls import ServerCalls, ServerRefused
from providers.engine.text.launcher import INHERITED, LAUNCHERS, Start
from providers.engine.text.model import EngineFailed, TextModel, TextSettings

POLL = 0.1


class Server:
    """One child that serves one model. `why` is what the last try of a token said."""

    def __init__(self, model: TextModel, settings: TextSettings, child: Child, calls: ServerCalls) -> None:
        self.child = child
        self.calls = calls
        self.why = ""
        self._model = model
        self._settings = settings
        self._loras: set[str] = set()

    async def one_token(self) -> None:
        """A real answer. Raises ServerRefused."""
        name = LAUNCHERS[self._model.kind].upstream_name(self._model, "")
        await self.calls.one_token(name, self._model.embeds, self._settings.token_seconds)

    async def works(self) -> bool:
        """Whether it makes a token, tried now; a server that does not even listen is not asked for one."""
        if not await self.calls.healthy():
            return False
        try:
            await self.one_token()
        except ServerRefused as error:
            self.why = str(error)
            return False
        return True

    async def first_token(self) -> None:
        """Until it works. Raises EngineFailed when it ends or takes too long."""
        until = time.monotonic() + self._settings.start_seconds
        while not await self.works():
            if self.child.exit_code is not None:
                raise EngineFailed(f"ended with {self.child.exit_code}: {self.child.last_words()[-2000:]}")
            if time.monotonic() > until:
                raise EngineFailed(f"made no token in {self._settings.start_seconds:g} s; {self.why}")
            await asyncio.sleep(POLL)

    async def need_lora(self, name: str) -> None:
        """Have an adapter loaded. Raises EngineFailed for one outside the folders that were allowed."""
        if name in self._loras:
            return
        folder = await asyncio.to_thread(allowed_lora, self._model.loras[name], self._settings.lora_folders)
        if folder is None:
            raise EngineFailed(f"the adapter {name} is not in an allowed folder, or is none of safetensors")
        try:
            await self.calls.load_lora(name, str(folder), self._settings.token_seconds)
        except ServerRefused as error:
            raise EngineFailed(f"the adapter {name} could not be loaded: {error}") from error
        self._loras.add(name)


async def launch(
    model: TextModel, settings: TextSettings, http: aiohttp.ClientSession, share: float, visible: str
) -> Server:
    """Start a server with `share` of the memory of each visible device (as CUDA_VISIBLE_DEVICES names them;
    "" where there are none); it does not work yet. Raises EngineFailed."""
    launcher = LAUNCHERS[model.kind]
    start = Start(free_port(), share, settings.device, secrets.token_urlsafe(24))
    argv = [*settings.command(model.kind), *launcher.arguments(model, start)]
    inherited = {name: settings.environment.get(name) for name in INHERITED}
    environment = {name: value for name, value in inherited.items() if value is not None}
    environment |= launcher.environment(model, start)
    if visible:
        environment |= {"CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    try:
        child = await spawn(argv, environment, settings.folder)
    except OSError as error:
        raise EngineFailed(f"{argv[0]} cannot be run: {error}") from error
    return Server(model, settings, child, ServerCalls(http, f"http://127.0.0.1:{start.port}", start.key))


def allowed_lora(folder: Path, allowed: tuple[Path, ...]) -> Path | None:
    """The real place of an adapter's folder, if its weights are safetensors and all of it lies where adapters
    may be."""
    real = folder.resolve()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        file = (real / name).resolve()
        if not file.is_file() or not any(file.is_relative_to(one.resolve()) for one in allowed):
            return None
    return real


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

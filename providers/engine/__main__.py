"""The engine host's process: `python -m providers.engine --device auto|cuda|cpu|fake`.

Its token is BOTYARD_ENGINE_TOKEN, or the content of the file that `--token-file` names.
"""

import argparse
import asyncio
import fcntl
import logging
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from aiohttp import web

from providers.engine.devices import host_pool, pools
from providers.engine.family import ROOT, Family
from providers.engine.ledger import Ledger
from providers.engine.models import DIFFUSERS, FAKE, offered
from providers.engine.peaks import Peaks
from providers.engine.preload import preload
from providers.engine.residence import Residence
from providers.engine.server import Server
from providers.engine.setting_up import SettingUp
from providers.engine.text_host import TextHost, TextOptions
from providers.engine.work import Shop

BAD_CONFIGURATION = 78
ALREADY_RUNS = 75
logger = logging.getLogger("providers.engine")


async def serve(arguments: argparse.Namespace, token: str) -> None:
    """Serve until told to stop."""
    home: Path = arguments.home.resolve()
    shutil.rmtree(home / "outputs", ignore_errors=True)  # of jobs that nobody knows any more
    device = pools(arguments.device, arguments.fake_bytes)
    ledger = Ledger(device, host_pool())
    environ = _environment(home, device[0].kind)
    families = {
        FAKE: Family(FAKE, Path(sys.executable), environ),
        DIFFUSERS: Family(DIFFUSERS, arguments.diffusers, environ),
    }
    cache = Path(os.environ.get("HF_HOME", Path.home() / ".cache/huggingface")) / "hub"
    folders = [home / "models", *arguments.models, cache]
    peaks = Peaks(home / "peaks.json")
    residence = Residence(ledger, families, partial(offered, device[0].kind, folders), peaks)
    shop = Shop(residence, home, arguments.silent)
    inherited, tried = {**os.environ, **environ}, residence.proofs.tried
    options = TextOptions(home, cache, tuple(folders), device[0].kind, inherited, tried=tried)
    text = TextHost(ledger, options)
    await text.start()
    setting_up = SettingUp(home / "families", partial(renew, families))
    await setting_up.start()
    runner = web.AppRunner(Server(shop, residence, ledger, token, text, setting_up).app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, arguments.host, arguments.port, reuse_address=True)
    await site.start()
    logger.info("listening on %s port %s, device %s", arguments.host, arguments.port, device[0].name)
    loading = asyncio.create_task(preload(arguments.preload, residence, text))
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()
    await site.stop()
    loading.cancel()
    await asyncio.wait({loading})
    await shop.close()
    await setting_up.close()
    await runner.cleanup()
    await text.close()
    await residence.close()
    for family in families.values():
        await family.close()


def _environment(home: Path, kind: str) -> dict[str, str]:
    """What workers are told beside their order."""
    told = {
        "BOTYARD_ENGINE_LORAS": str(home / "loras"),
        "BOTYARD_ENGINE_DEVICE": kind,
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # a look for a GPU must not touch it in the parent that forks
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", ""),
    }
    return {name: value for name, value in told.items() if value}


def renew(families: Mapping[str, Family], name: str) -> None:
    """Have the next worker of a family come from the environment that was just made."""
    if name in families:
        families[name].retire()


def main(arguments: list[str]) -> int:
    """Read the command line and serve; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    chosen = parser().parse_args(arguments)
    token = os.environ.pop("BOTYARD_ENGINE_TOKEN", "")
    if chosen.token_file:
        token = chosen.token_file.read_text(encoding="utf-8").strip()
    if len(token) < 16:
        logger.error("BOTYARD_ENGINE_TOKEN or --token-file must give a token of at least 16 characters")
        return BAD_CONFIGURATION
    chosen.home.mkdir(parents=True, exist_ok=True)
    with (chosen.home / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # it would delete the other's results and kill its engines
            logger.error("another engine host runs in %s", chosen.home)
            return ALREADY_RUNS
        asyncio.run(serve(chosen, token))
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m providers.engine", description="Run models for Botyard.")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=8003)
    made.add_argument("--home", type=Path, default=Path("data/engine"), help="outputs, models, LoRAs")
    made.add_argument("--device", choices=("auto", "cuda", "cpu", "fake"), default="auto")
    made.add_argument("--fake-bytes", type=int, default=24 * 10**9, help="memory of the fake device")
    made.add_argument("--models", type=Path, action="append", default=[], help="a folder of models")
    made.add_argument(
        "--preload", action="append", default=[], metavar="NAME", help="a model that is loaded at the start"
    )
    made.add_argument("--diffusers", type=Path, default=ROOT / ".venv-diffusers/bin/python")
    made.add_argument("--silent", type=float, default=300.0, help="seconds without a step: hung")
    made.add_argument("--token-file", type=Path)
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

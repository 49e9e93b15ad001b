"""The official JavaScript client against the gateway, in node."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.llm import Healthy, answer_text
from tests.gateway.conftest import Site

FOLDER = Path(__file__).parent / "js"
CACHE = Path(__file__).parents[2] / ".cache" / "openai-js"
ANSWER = answer_text("model-a", "Hello there")


async def run(*command: str, folder: Path, **env: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-3000:]
    return out.decode()


@pytest.fixture
async def folder() -> Path:
    """A folder with the client, installed once for each lock file."""
    lock = (FOLDER / "package-lock.json").read_bytes()
    installed = CACHE / "installed-lock.json"
    if not installed.exists() or installed.read_bytes() != lock:
        CACHE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / name, CACHE / name)
        await run("npm", "ci", "--no-fund", "--no-audit", "--ignore-scripts", folder=CACHE)
        installed.write_bytes(lock)
    shutil.copy(FOLDER / "calls.mjs", CACHE / "calls.mjs")
    return CACHE


async def test_the_official_client(site: Site, folder: Path) -> None:
    await site.set_route("slow", ["one:model-slow"])
    site.vendor.script("model-slow", Healthy("a " * 500, chunks=500, delay=0.02))
    printed = await run("node", "calls.mjs", folder=folder, BASE=site.base, KEY=site.key)
    found: dict[str, Any] = json.loads(printed)
    assert found["total"] > 0
    del found["total"]
    assert found == {
        "whole": ANSWER,
        "finish": "stop",
        "streamed": ANSWER,
        "usage": True,
        "helper": ANSWER,
        "several": [ANSWER, ANSWER],
        "models": ["main", "pair", "shop", "slow", "auto", "one:auto", "two:auto"],
        "model": "two",
        "route": "pair; one:model-a; attempts=1; skipped=0",
        "unknown": {"name": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"},
        "bad": {"name": "BadRequestError", "status": 400, "code": "invalid_value", "param": "n"},
        "unauthorized": {
            "name": "AuthenticationError",
            "status": 401,
            "code": "invalid_api_key",
            "param": None,
        },
        "left": True,
    }
    assert (await site.vendor.wait_disconnect(2.0)).model == "model-slow"

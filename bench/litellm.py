"""LiteLLM's proxy as a peer, in an environment of its own that the first run installs."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.gateways import Gateway, listens
from tests.installation import ROOT, free_port

VERSION = "1.106.2"
HOME = ROOT / ".venv-litellm"


def install() -> None:
    """Make the environment, unless it is there already."""
    if (HOME / "bin" / "litellm").exists():
        return
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", "--clear", str(HOME)], check=True)
    python = str(HOME / "bin" / "python")
    subprocess.run([uv, "pip", "install", "-q", "--python", python, f"litellm[proxy]=={VERSION}"], check=True)


@contextmanager
def litellm(
    folder: Path, deployments: Mapping[str, str], fallbacks: Mapping[str, Sequence[str]]
) -> Iterator[Gateway]:
    """A running proxy over deployments ({"name", "base"}: models of that name at an address)."""
    install()
    key = f"sk-{secrets.token_hex(24)}"
    config = folder / "litellm.yaml"
    config.write_text(_config(key, deployments, fallbacks))
    port = free_port()
    command = [
        str(HOME / "bin" / "litellm"),
        "--config",
        str(config),
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
    ]
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with (folder / "litellm.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        gateway = Gateway(f"LiteLLM {VERSION}", f"http://127.0.0.1:{port}/v1", key, lambda: [process.pid])
        try:
            gateway.ready_in = listens(gateway, 120)
            yield gateway
        finally:
            process.terminate()
            process.wait(20)


def _config(key: str, deployments: Mapping[str, str], fallbacks: Mapping[str, Sequence[str]]) -> str:
    lines = ["model_list:"]
    for name, base in deployments.items():
        params = f"model: openai/{name}, api_base: '{base}', api_key: sk-upstream"
        lines += [f"  - model_name: {name}", f"    litellm_params: {{{params}}}"]
    pairs = ", ".join(f"{{{name}: [{', '.join(others)}]}}" for name, others in fallbacks.items())
    lines += ["litellm_settings:", "  telemetry: false", f"  fallbacks: [{pairs}]"]
    lines += ["general_settings:", f"  master_key: {key}"]
    return "\n".join(lines) + "\n"

"""Open WebUI, unchanged, in front of the gateway: its own API and its page in a browser. Not a measurement.

The first run installs it (about 2 GB) into an environment of its own, without CUDA: its models run elsewhere.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from bench.gateways import Gateway, botyard
from bench.report import table
from tests.fakes.remote import RemoteLLM
from tests.installation import ROOT, free_port, wait_until

VERSION = "0.12.4"
TORCH = "2.13.0"
HOME = ROOT / ".venv-open-webui"
UNNEEDED = ("nvidia-", "triton", "torch")
CHROMIUM = "/usr/bin/chromium"


def run() -> str:
    """Use it; returns a Markdown section."""
    _install()
    with tempfile.TemporaryDirectory(prefix="botyard-webui-") as folder, ExitStack() as stack:
        llm = stack.enter_context(RemoteLLM("--chunks", "30"))
        routes = {"shop": ["fake:model-a"], "fallback": ["dead:x", "fake:model-b"]}
        providers = {"fake": llm.url, "dead": f"http://127.0.0.1:{free_port()}/v1"}
        gateway = stack.enter_context(botyard(Path(folder), providers, routes))
        url = stack.enter_context(_open_webui(Path(folder), gateway))
        return table(("what Open WebUI does", "with the gateway"), [*_by_api(url), *_in_browser(url)])


def _by_api(url: str) -> list[tuple[str, str]]:
    token = _ask(f"{url}/api/v1/auths/signin", "", {"email": "", "password": ""})["token"]
    models = [one["id"] for one in _ask(f"{url}/api/models", token)["data"]]
    chat = {"model": "fallback", "messages": [{"role": "user", "content": "good morning"}]}
    answer = _ask(f"{url}/api/chat/completions", token, chat)["choices"][0]["message"]["content"]
    title = _ask(f"{url}/api/v1/tasks/title/completions", token, {**chat, "chat_id": "1"})
    return [
        ("lists models", ", ".join(models)),
        ("an answer in one piece, over a dead first candidate", answer[:60]),
        ("asks for a title", title["choices"][0]["message"]["content"][:60]),
    ]


def _in_browser(url: str) -> list[tuple[str, str]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{url}/?models=shop")
        page.locator("#chat-input").wait_for(timeout=60_000)
        for button in page.get_by_role("button", name="Okay, Let's Go!").all():
            button.click()
        page.locator("#chat-input").click()
        page.keyboard.type("what does the harbour look like")
        page.keyboard.press("Enter")
        said = page.get_by_text("model-a answers:").last
        said.wait_for(timeout=30_000)
        page.wait_for_timeout(1000)
        (ROOT / "bench" / "out").mkdir(exist_ok=True)
        page.screenshot(path=str(ROOT / "bench" / "out" / "open-webui.png"))
        text = said.inner_text()
        browser.close()
    return [("a streamed answer in its page", text[:80])]


@contextmanager
def _open_webui(folder: Path, gateway: Gateway) -> Iterator[str]:
    port = free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(folder / "webui"), "WEBUI_AUTH": "False", "OFFLINE_MODE": "True",
        "HF_HUB_OFFLINE": "1", "ENABLE_OLLAMA_API": "False", "RAG_EMBEDDING_ENGINE": "openai",
        "WEBUI_SECRET_KEY": "bench", "OPENAI_API_BASE_URL": gateway.url, "OPENAI_API_KEY": gateway.key,
    }  # fmt: skip
    (folder / "webui").mkdir()
    command = [str(HOME / "bin" / "open-webui"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "webui.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _well(url), 180, "Open WebUI answers")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _well(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _ask(url: str, token: str, body: Any = None) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
        return json.loads(answer.read())


def _install() -> None:
    if (HOME / "bin" / "open-webui").exists():
        return
    uv, python = str(Path(sys.executable).with_name("uv")), str(HOME / "bin" / "python")
    subprocess.run([uv, "venv", "-q", "--clear", "--seed", str(HOME)], check=True)
    wanted = subprocess.run(
        [uv, "pip", "compile", "-q", "--no-header", "--no-annotate", "-"],
        input=f"open-webui=={VERSION}", capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    thin = [line for line in wanted if not line.startswith(UNNEEDED)]
    subprocess.run([uv, "pip", "install", "-q", "--no-deps", "--python", python, *thin], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", f"torch=={TORCH}"], check=True)

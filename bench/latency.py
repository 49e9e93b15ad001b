"""From an injected update to the reply that a person sees, beside a bare aiogram echo bot in the same run."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bench.report import percentile, table
from bench.town import town
from tests.fakes.remote import RemoteBotApi, RemoteLLM
from tests.fleets import token
from tests.installation import wait_until

ROUNDS = 200
ECHO = token(500)


def run() -> str:
    """Measure; returns a Markdown section."""
    with RemoteLLM("--chunks", "64", "--delay", "0.01") as llm, town(1, llm=llm) as here:
        echo = subprocess.Popen([sys.executable, "-m", "bench.echo_bot", here.api.root, ECHO],
                                cwd=Path(__file__).parent.parent, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            wait_until(lambda: here.api.calls()["polls"].get(ECHO), 60, "the echo bot polls")
            here.warm_up(20)
            _closed_loop(here.api, ECHO, 50_000, "ping", 20)
            floor, faq = [], []
            for part in range(4):  # turn about, so that both see the same machine
                floor += _closed_loop(here.api, ECHO, 100_000 + 1000 * part, "ping", ROUNDS // 4)
                faq += _closed_loop(here.api, token(0), 200_000 + 1000 * part, "ping", ROUNDS // 4)
            first, final = _streamed(here.api, 30)
            alone = [_upstream_alone(llm) for _ in range(20)]
        finally:
            echo.terminate()
            echo.wait()
    rows = [_row("bare aiogram echo bot", floor), _row("Botyard, FAQ (first and final)", faq),
            _row("the model's stream alone, from request to end", alone),
            _row("Botyard, model: first visible (a draft, after 150 ms by design)", first),
            _row("Botyard, model: final", final)]  # fmt: skip
    added = (percentile(faq, 0.5) - percentile(floor, 0.5)) * 1000
    return (
        table(("reply", "median ms", "p95 ms", "p99 ms"), rows) + f"\n\nAdded at the median: {added:.1f} ms."
    )


def _closed_loop(api: RemoteBotApi, bot: str, first_chat: int, text: str, rounds: int) -> list[float]:
    times = []
    for chat in range(first_chat, first_chat + rounds):
        begun = time.monotonic()
        api.say(bot, chat, text)
        times.append(api.wait(chat)[0]["at"] - begun)
        time.sleep(0.04)  # a bot may send 30 messages a second
    return times


def _streamed(api: RemoteBotApi, rounds: int) -> tuple[list[float], list[float]]:
    first, final = [], []
    for chat in range(300_000, 300_000 + rounds):
        since = api.calls()["next"]
        begun = time.monotonic()
        api.say(token(0), chat, "tell me")
        final.append(api.wait(chat)[0]["at"] - begun)
        drafts = [call["at"] for call in api.calls(since)["calls"] if call["method"] == "sendMessageDraft"]
        first.append(min(drafts, default=begun + final[-1]) - begun)
    return first, final


def _upstream_alone(llm: RemoteLLM) -> float:
    body = {"model": "model", "stream": True, "messages": [{"role": "user", "content": "tell me"}]}
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-test-0123456789"}
    request = urllib.request.Request(f"{llm.url}/chat/completions", json.dumps(body).encode(), headers)
    begun = time.monotonic()
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
    return time.monotonic() - begun


def _row(name: str, times: list[float]) -> tuple[str, ...]:
    return (name, *(f"{percentile(times, share) * 1000:.1f}" for share in (0.5, 0.95, 0.99)))

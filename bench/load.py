"""How many FAQ replies a second twenty bots give, what one costs, and that none is lost or doubled."""

import subprocess
import sys
import time
from pathlib import Path

from bench.processes import cpu_seconds
from bench.report import percentile, table
from bench.town import town
from tests.fakes.remote import RemoteBotApi
from tests.fleets import token
from tests.installation import wait_until

BOTS, MESSAGES, BATCH = 20, 2000, 100


def run() -> str:
    """Measure; returns a Markdown section."""
    with town(BOTS) as here:
        here.warm_up(3)
        cpu = here.cpu()
        ours = _burst(here.api, [token(bot) for bot in range(BOTS)])
        cpu = (here.cpu() - cpu) / MESSAGES * 1000
    floor = _floor()
    rows = [("bare aiogram echo bot, 20 tokens, one process", *floor),
            ("Botyard, 20 bots, 20 processes, all in rows", *ours, f"{cpu:.1f}")]  # fmt: skip
    head = (
        "",
        "replies/s",
        "median ms",
        "p95 ms",
        "lost",
        "doubled",
        "API calls a reply",
        "CPU ms a message",
    )
    return table(head, rows)


def _floor() -> tuple[str, ...]:
    tokens = [token(500 + number) for number in range(BOTS)]
    with RemoteBotApi() as api:
        echo = subprocess.Popen([sys.executable, "-m", "bench.echo_bot", api.root, *tokens],
                                cwd=Path(__file__).parent.parent, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            wait_until(lambda: all(api.calls()["polls"].get(one) for one in tokens), 60, "polls")
            cpu = cpu_seconds(echo.pid)
            row = _burst(api, tokens)
            return (*row, f"{(cpu_seconds(echo.pid) - cpu) / MESSAGES * 1000:.1f}")
        finally:
            echo.terminate()
            echo.wait()


def _burst(api: RemoteBotApi, tokens: list[str]) -> tuple[str, ...]:
    since = api.calls()["next"]
    asked: dict[int, float] = {}
    begun = time.monotonic()
    for start in range(0, MESSAGES, BATCH):
        batch = [(tokens[chat % len(tokens)], chat + 1, "ping") for chat in range(start, start + BATCH)]
        asked.update({chat: time.monotonic() for _, chat, _ in batch})
        api.say_many(batch)
    for chat in asked:
        api.wait(chat, timeout=60)
    shown = {chat: api.visible(chat) for chat in asked}
    last = max(one["at"] for messages in shown.values() for one in messages)
    times = [messages[0]["at"] - asked[chat] for chat, messages in shown.items() if messages]
    lost = sum(not messages for messages in shown.values())
    doubled = sum(len(messages) > 1 for messages in shown.values())
    calls = [call for call in api.calls(since)["calls"] if call["chat_id"] is not None]
    return (f"{MESSAGES / (last - begun):.0f}", f"{percentile(times, 0.5) * 1000:.0f}",
            f"{percentile(times, 0.95) * 1000:.0f}", str(lost), str(doubled),
            f"{len(calls) / MESSAGES:.2f}")  # fmt: skip

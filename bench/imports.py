"""What importing costs: CPU and memory of a fresh process, beside what others import."""

import json
import subprocess
import sys
from pathlib import Path

from bench.report import table

WHAT = (
    ("bare Python with asyncio", "asyncio"),
    ("orchestrator", "core.fleet.command"),
    ("web process", "admin.__main__"),
    ("fork server before a rehearsal: bots", "bots.telegram, core.process"),
    ("fork server before a rehearsal: widgets", "widget.channel, core.process"),
    ("aiogram, for comparison", "aiogram"),
    ("anthropic SDK (only where such a route exists)", "anthropic"),
)
PROBE = """
import json, resource, sys, time
before = time.process_time()
import {modules}
cpu = time.process_time() - before
print(json.dumps([cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def run() -> str:
    """Measure; returns a Markdown section."""
    rows = []
    for name, modules in WHAT:
        cpu, memory = min(_probe(modules) for _ in range(3))
        rows.append((name, f"{cpu:.2f}", f"{memory:.0f}"))
    return table(("what", "import CPU s", "resident MB"), rows)


def _probe(modules: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(modules=modules)],
        cwd=Path(__file__).parent.parent, capture_output=True, check=True, text=True,
    )  # fmt: skip
    cpu, memory = json.loads(done.stdout)
    return float(cpu), float(memory)

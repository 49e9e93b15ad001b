"""`python -m bench [NAME ...]`: all of them when none is named."""

import importlib
import sys

from bench.report import machine

BENCHES = (
    "imports", "start", "memory", "latency", "load", "stream", "storm", "faults",
    "gateway", "gateway_faults", "many", "open_webui", "media", "media_storm",
    "engine_host", "vllm",
)  # fmt: skip


def main(names: list[str]) -> int:
    """Run benches and print Markdown."""
    unknown = set(names) - set(BENCHES)
    if unknown:
        print(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    print(machine(), flush=True)
    for name in names or BENCHES:
        module = importlib.import_module(f"bench.{name}")
        print(f"\n## {name}\n\n{module.run()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

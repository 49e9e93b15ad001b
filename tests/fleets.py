"""Fleet files for tests and benches."""

import json
from pathlib import Path


def token(number: int) -> str:
    """A token of the right shape."""
    return f"{100000 + number}:TEST-{'x' * 30}"


def write_fleet(path: Path, bots: int, api: str, llm: str = "", widgets: tuple[str, ...] = ()) -> Path:
    """A fleet of `bots` bots b0, b1, ...: FAQ answers "pong" to "ping", everything else goes to the model."""
    candidates = ["fake:model", "knowledge"] if llm else ["knowledge"]
    parts = []
    if llm:
        parts.append(
            '[[providers]]\nid = "fake"\nkind = "openai-compatible"\n'
            f'base_url = "{llm}"\nkeys = ["sk-test-0123456789"]'
        )
    parts.append(f'[[routes]]\nid = "main"\ncandidates = {json.dumps(candidates)}')
    for number in range(bots):
        parts.append(
            f'[[bots]]\nid = "b{number}"\ntoken = "{token(number)}"\napi_base = "{api}"\nroute = "main"'
        )
    for widget in widgets:
        parts.append(f'[[widgets]]\nid = "{widget}"\norigins = ["https://site.example"]\nroute = "main"')
    parts.append('[[faq]]\nquestion = "ping"\nanswer = "pong"\nmatch = "exact"')
    path.write_text("\n\n".join(parts) + "\n")
    return path

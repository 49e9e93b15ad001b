"""What a machine already has: vendors' keys in the environment, model servers on loopback."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from providers.catalog import Vendor, vendors

LONGEST_ANSWER = 256 << 10
MOST_MODELS = 50


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider that could be added with one click. `key_env` names the variable, never its value;
    `models` are in the order to try them."""

    kind: str
    label: str
    base_url: str
    key_env: str
    models: tuple[str, ...]


def found_keys(environment: Mapping[str, str]) -> list[Offer]:
    """Vendors whose key is in the environment, in the catalogue's order."""
    return [
        Offer(vendor.kind, vendor.label, vendor.base_url, vendor.key_env, _names(vendor))
        for vendor in vendors().values()
        if vendor.key_env and environment.get(vendor.key_env, "").strip()
    ]


async def found_servers(timeout: float = 0.5, ports: Mapping[str, int] | None = None) -> list[Offer]:
    """OpenAI-compatible servers that answer on loopback; `ports` replaces the catalogue's, by kind."""
    wanted = {kind: vendor.port for kind, vendor in vendors().items() if vendor.port}
    wanted.update(ports or {})
    found = await asyncio.gather(
        *(_probe(vendors()[kind], port, timeout) for kind, port in wanted.items() if port)
    )
    return [offer for offer in found if offer is not None]


def _names(vendor: Vendor) -> tuple[str, ...]:
    return tuple(model.name for model in vendor.best(len(vendor.models)))


async def _probe(vendor: Vendor, port: int, timeout: float) -> Offer | None:
    """Ask a port for its models; None when nobody answers, or something else does."""
    try:
        async with asyncio.timeout(timeout):
            answer = await _get("127.0.0.1", port, "/v1/models")
        listed = json.loads(answer)["data"]
        names = [item["id"] for item in listed if isinstance(item["id"], str)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return Offer(vendor.kind, vendor.label, f"http://127.0.0.1:{port}/v1", "", tuple(names[:MOST_MODELS]))


async def _get(host: str, port: int, path: str) -> bytes:
    """The body of a plain HTTP/1.0 answer with status 200. Raises OSError or ValueError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(
            f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: application/json\r\n\r\n".encode()
        )
        await writer.drain()
        answer = await _read(reader)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b"\r\n", 1)[0].split(b" ")[1:2] != [b"200"]:
        raise ValueError("not a model server")
    return body


async def _read(reader: asyncio.StreamReader) -> bytes:
    """All that comes, up to the limit."""
    parts, size = [], 0
    while size < LONGEST_ANSWER and (part := await reader.read(1 << 16)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)

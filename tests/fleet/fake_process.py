"""A stand-in for core.process: channels whose whole life is one way to behave, chosen by their kind."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from core.fleet.link import Link, LinkClosed


def preload() -> None:
    """Nothing to import."""


def rehearse_database(url: str) -> None:
    """Shows that the fork server was told the database."""
    print("INFO rehearsed", url.partition(":")[0])


def child_main(kind: str, descriptor: int) -> int:
    """Behave as the kind says."""
    return asyncio.run(_main(kind, descriptor))


async def _main(kind: str, descriptor: int) -> int:
    link = Link(descriptor)
    await link.open()
    link.send({"t": "hello", "pid": os.getpid()})
    start = await link.receive()
    if kind == "crash":
        raise RuntimeError("the crash of 123456789:AAHsecretsecretsecretsecretsecretse")
    if kind == "refused":
        link.send({"t": "state", "state": "PARKED", "reason": "the token was refused: \ud800\0"})
        return 77
    link.send({"t": "state", "state": "READY", "reason": "", "address": "@" + kind})
    print("INFO token", start["token"], "keys", sorted(start["providers"]), "env", *sorted(os.environ))
    beats = asyncio.create_task(_beat(link, kind))
    try:
        return await _serve(link, kind, start)
    except LinkClosed:
        return 1
    finally:
        beats.cancel()


async def _serve(link: Link, kind: str, start: dict[str, Any]) -> int:
    if kind == "blocked":
        time.sleep(60)  # noqa: ASYNC251 - the point of this kind
    if kind == "noisy":
        for number in range(20000):
            print(number, "x" * 100)
        _touch(start["home"])
    if kind == "worker":
        link.send({"t": "event", "event": "message", "text": "hello", "conversation_id": "c1"})
    while True:
        message = await link.receive()
        print("INFO heard", message["t"], message.get("what", ""))
        if message["t"] == "drain":
            if kind == "stubborn":
                continue
            return 0
        if message["t"] == "secrets":
            print("INFO keys now", {name: len(one["keys"]) for name, one in message["providers"].items()})
            print(
                "INFO proxies now", {name: len(one["proxies"]) for name, one in message["providers"].items()}
            )


def _touch(home: str) -> None:
    Path(home, "noisy-done").touch()


async def _beat(link: Link, kind: str) -> None:
    age = 0.0
    while True:
        age = age + 0.1 if kind == "deaf" else 0.0
        beat = {"lag_ms": 1.5, "queue": 0, "last_poll_age": age, "messages_in": 3, "messages_out": 2}
        link.send({"t": "beat", "errors": 0, **beat})
        await asyncio.sleep(0.1)

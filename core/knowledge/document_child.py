"""Reading a document in a process of its own.

A PDF or a page can be made to eat any amount of time and memory; a process has limits and can be ended.
The document comes on standard input, its blocks go out as JSON.
"""

import json
import logging
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from core.knowledge.document_blocks import Block

MEMORY = 1 << 30
SECONDS = 30
LOCKED, BROKEN = 3, 4  # exit codes
ROOT = Path(__file__).resolve().parents[2]


class Locked(Exception):
    """The document needs a password."""


class Broken(Exception):
    """The document is damaged, or needs too much memory."""


class TooSlow(Exception):
    """Reading took longer than SECONDS."""


def blocks_of(data: bytes, program: str) -> list[Block]:
    """The blocks that a reader program (a module) finds; raises Locked, Broken or TooSlow."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", program], input=data, capture_output=True, cwd=ROOT, env={},
            timeout=SECONDS * 2, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TooSlow from error
    if done.returncode < 0:
        raise TooSlow  # the limit of CPU time ends it by a signal
    if done.returncode:
        raise Locked if done.returncode == LOCKED else Broken
    return [Block(tuple(trail), text, code) for trail, text, code in json.loads(done.stdout)]


def serve(read: Callable[[bytes], list[Block]]) -> int:
    """The main function of a reader program; `read` raises Locked or Broken."""
    logging.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        blocks = read(sys.stdin.buffer.read())
    except Locked:
        return LOCKED
    except (Broken, MemoryError, RecursionError):
        return BROKEN
    sys.stdout.write(json.dumps([(block.trail, block.text, block.code) for block in blocks]))
    return 0

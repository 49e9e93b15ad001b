"""How a file was made, inside the file itself: one JSON in PNG, JPEG, WebP, MP4 and WebM.

It tells the prompt to whoever gets the file: on for what operators make, off for what is made in a chat
unless its route says otherwise. `python -m core.media.stamp read|strip FILE` reads it, or takes it and every
other tag away.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from core.media.files import BadFile, look
from core.media.files_video import read_comment, write_tagged
from core.media.stamp_pictures import CannotStamp, put_text, stripped, text_in

SCHEMA = 1
APP = "Botyard"
__all__ = ["CannotStamp", "facts", "read", "strip", "write"]


def facts(model: str, task: str, prompt: str, settings: dict[str, Any], parent: str = "") -> dict[str, Any]:
    """What a stamp says: the schema's version, who made it, and everything that is needed to make it again.
    `settings` hold seed, steps, size and LoRA by name and strength; `parent` is the id of the artifact that
    it was made from."""
    told = {
        "schema": SCHEMA,
        "app": APP,
        "model": model,
        "task": task,
        "prompt": prompt,
        "settings": settings,
    }
    return {**told, "parent": parent} if parent else told


async def write(path: Path, target: Path, stamp: dict[str, Any]) -> None:
    """Copy a file with a stamp in it. Raises BadFile, CannotStamp or OSError."""
    text = json.dumps(stamp, ensure_ascii=False, separators=(",", ":"))
    seen = look(path)
    if seen.kind == "video":
        await write_tagged(path, target, text)
    else:
        await asyncio.to_thread(_rewrite, path, target, text)


async def read(path: Path) -> dict[str, Any] | None:
    """A file's stamp, or None. Raises BadFile."""
    if look(path).kind == "video":
        text: str | None = await read_comment(path)
    else:
        try:
            text = text_in(await asyncio.to_thread(path.read_bytes))
        except CannotStamp:
            text = None
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("app") == APP else None


async def strip(path: Path, target: Path) -> None:
    """Copy a file without any stamp, text or EXIF. Raises BadFile, CannotStamp or OSError."""
    if look(path).kind == "video":
        await write_tagged(path, target, "")
    else:
        await asyncio.to_thread(_rewrite, path, target, None)


def _rewrite(path: Path, target: Path, text: str | None) -> None:
    body = path.read_bytes()
    target.write_bytes(stripped(body) if text is None else put_text(body, text))


async def _command(what: str, path: Path) -> int:
    if what == "read":
        found = await read(path)
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n" if found else "")
        return 0 if found else 1
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        await strip(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return 0


def main(arguments: list[str]) -> int:
    """The command; exit code 1 without a stamp, 2 for a file that cannot be worked on."""
    parser = argparse.ArgumentParser(prog="python -m core.media.stamp", description=__doc__)
    parser.add_argument("what", choices=("read", "strip"))
    parser.add_argument("file", type=Path)
    asked = parser.parse_args(arguments)
    try:
        return asyncio.run(_command(asked.what, asked.file))
    except (BadFile, CannotStamp, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

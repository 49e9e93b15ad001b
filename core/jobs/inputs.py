"""The files that a job works on, on the disk."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.jobs.bench import Bench
from core.jobs.order import Source
from core.pictures import NotAPicture, read_picture
from db import artifacts, uploads

SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif"}


class InputLost(Exception):
    """A picture that the job should work on is gone, or is none."""


async def input_files(bench: Bench, row: Any, sources: Sequence[Source]) -> list[tuple[Path, str]]:
    """Each input's path and type, in their order. Raises InputLost."""
    folder = bench.folder_of(row)
    return [await _file(bench, row, source, folder / f"input-{at}") for at, source in enumerate(sources)]


async def _file(bench: Bench, row: Any, source: Source, place: Path) -> tuple[Path, str]:
    body = await _body(bench, row, source)
    try:
        picture = read_picture(body)
    except NotAPicture as error:
        raise InputLost(str(error)) from error
    path = place.with_suffix(SUFFIXES[picture.mime])
    if not path.exists():
        await asyncio.to_thread(path.write_bytes, picture.body)
    return path, picture.mime


async def _body(bench: Bench, row: Any, source: Source) -> bytes:
    async with bench.database.reading() as conn:
        if source.upload:
            upload = await uploads.get_upload(conn, row.channel_id, source.upload)
            if upload is None:
                raise InputLost("the picture was cleared away")
            return bytes(upload.body)
        kept = await artifacts.get_artifact(conn, source.artifact)
    if kept is None or (row.channel_id and kept.channel_id not in (None, row.channel_id)):
        raise InputLost("the picture was deleted")
    return await bench.store.content(kept.key)

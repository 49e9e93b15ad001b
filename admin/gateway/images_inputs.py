"""Pictures that programs send along: checked by their own bytes, and kept where jobs find them."""

import asyncio
import base64
import binascii
import importlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from admin.gateway.errors import ApiError, wrong
from core.gateway_keys import GatewayKey
from core.jobs.order import Source
from core.media.files import BadFile
from core.media.store import Store, StoreTrouble
from core.pictures import NotAPicture, read_picture
from db import artifacts, jobs
from db.base import new_id, now
from db.database import Database

ARTIFACTS = "core.media.artifacts"  # loaded when first used: it brings the library of pictures
SOURCE = "upload"
KEPT = 7 * 24 * 3600.0  # seconds: longer than any job waits by default
MOST = 16


@dataclass(frozen=True, slots=True)
class Given:
    """A picture to work on: an artifact by its id, or bytes. `place` is where it stood in the request."""

    role: str
    place: str
    artifact: str = ""
    body: bytes = field(default=b"", repr=False)


def from_data_url(role: str, place: str, url: str) -> Given:
    """A picture in a data: URL. Raises ApiError."""
    head, comma, data = url.partition(",")
    if not comma or head[:5].lower() != "data:" or not head.lower().endswith(";base64"):
        raise wrong(place, "must be data:image/TYPE;base64,...; addresses are not fetched.")
    try:
        return Given(role, place, body=base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise wrong(place, "is not base64.", "invalid_image") from None


def checked(given: Given) -> Given:
    """The same, when its bytes are a picture. Raises ApiError."""
    if not given.artifact:
        try:
            read_picture(given.body)
        except NotAPicture as error:
            text = f"must be a PNG, JPEG, WebP or GIF ({error})."
            raise wrong(given.place, text, "invalid_image") from None
    return given


class Inputs:
    """Keeps pictures where jobs find them. `key` None is an operator, to whom every artifact is open."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    async def check(self, key: GatewayKey | None, pictures: Sequence[Given]) -> None:
        """Raises ApiError for what is no picture, and for artifacts that are not the caller's."""
        if len(pictures) > MOST:
            raise wrong("inputs", f"at most {MOST}.")
        for one in pictures:
            checked(one)
            if one.artifact and not await self._is_open(key, one.artifact):
                raise wrong(one.place, "there is no such picture.", "not_found")

    async def keep(self, key: GatewayKey | None, pictures: Sequence[Given]) -> tuple[Source, ...]:
        """Store what is not stored yet. Raises ApiError."""
        found = []
        for one in pictures:
            kept = one.artifact or (await self.store(key, one)).id
            found.append(Source(one.role, artifact=kept))
        return tuple(found)

    async def store(self, key: GatewayKey | None, given: Given) -> Any:
        """A picture's row, after its file. Raises ApiError."""
        checked(given)
        own = new_id()
        base = f"{time.strftime('%Y/%m/%d', time.gmtime())}/{own}-{SOURCE}"
        try:
            with tempfile.TemporaryDirectory(prefix="botyard-upload-") as folder:
                path = Path(folder) / "upload"
                await asyncio.to_thread(path.write_bytes, given.body)
                store_file = importlib.import_module(ARTIFACTS).store_file
                kept = await store_file(self._store, path, base, None, "image")
        except BadFile as error:
            raise wrong(given.place, str(error), "invalid_image") from error
        except StoreTrouble as error:
            text = "The media store cannot take the picture now."
            raise ApiError(503, text, "server_error", given.place, "storage_unavailable") from error
        async with self._database.transaction() as conn:
            await artifacts.add_artifact(
                conn, id=own, source=SOURCE, key=kept.key, mime=kept.mime, size=kept.size, digest=kept.digest,
                width=kept.width, height=kept.height, settings={"key": key.id} if key else {},
                expires_at=now() + KEPT,
            )  # fmt: skip
            return await artifacts.get_artifact(conn, own)

    async def _is_open(self, key: GatewayKey | None, artifact_id: str) -> bool:
        if not (artifact_id.isascii() and artifact_id.isprintable()):
            return False
        async with self._database.reading() as conn:
            row = await artifacts.get_artifact(conn, artifact_id)
            if row is None or not row.mime.startswith("image/"):
                return False
            if key is None or row.settings.get("key") == key.id and row.source == SOURCE:
                return True
            job = await jobs.get_job(conn, row.job_id) if row.job_id else None
        return job is not None and job.key_id == key.id

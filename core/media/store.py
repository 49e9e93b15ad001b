"""The media store: files by key, in a local folder or on an S3 server, by one API.

A put is whole or not at all in both: a folder gets a temporary file that is then renamed, S3 shows an object
when its last byte is there. The library is loaded when a store is first used: a process that never touches
media does not carry it.
"""

import asyncio
import atexit
import errno
import importlib
import re
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*(/[0-9A-Za-z][0-9A-Za-z._-]*)*\Z")
CHUNK = 256 * 1024
LETTING_GO = 0.05  # seconds: the library's threads hold Python a moment after an answer; ending then aborts
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
FULL = re.compile(
    rf"os error (?:{'|'.join(map(str, NO_ROOM))})\b|507 Insufficient|QuotaExceeded|StorageFull", re.IGNORECASE
)
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)  # fmt: skip
PATIENCE = {"timeout": "15m", "connect_timeout": "10s", "read_timeout": "60s", "allow_http": True}


class StoreTrouble(Exception):
    """The media store cannot be reached, or refused."""


class StoreFull(StoreTrouble):
    """There is no room left for a file: the disk is full, or a quota is used up."""


class Missing(StoreTrouble):
    """There is no such file in the store."""


class Store:
    """Files by key. `url` is s3://bucket/prefix?endpoint=...&region=..., or "" for the folder; an S3 server's
    credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._place: Any = None
        self._library: Any = None
        if url:
            split_address(url)

    @property
    def local(self) -> bool:
        """Whether its files lie in a folder of this machine."""
        return not self._url

    async def put(self, key: str, content: Path | bytes) -> None:
        """Store a file or bytes under a key, over what is there. Raises StoreFull or StoreTrouble."""
        place = self._opened(key)
        await self._asked(key, self._library.put_async(place, key, content))

    async def size(self, key: str) -> int:
        """A file's size in bytes. Raises Missing or StoreTrouble."""
        place = self._opened(key)
        return int((await self._asked(key, self._library.head_async(place, key)))["size"])

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A file's bytes in pieces, from `start` to before `end`. Raises Missing or StoreTrouble, before the
        first piece where the file is not there."""
        place = self._opened(key)
        span: Any = {"offset": start} if end is None else (start, end)
        options = {"range": span} if start or end is not None else None
        result = await self._asked(key, self._library.get_async(place, key, options=options))
        pieces = result.stream(min_chunk_size=CHUNK)
        while (piece := await self._asked(key, anext(pieces, None))) is not None:
            yield bytes(piece)

    async def content(self, key: str) -> bytes:
        """A whole file; for small ones. Raises Missing or StoreTrouble."""
        place = self._opened(key)
        result = await self._asked(key, self._library.get_async(place, key))
        return bytes(await self._asked(key, result.bytes_async()))

    async def fetch(self, key: str, path: Path) -> None:
        """Copy a file to `path`, whole or not at all."""
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                async for piece in self.read(key):
                    await asyncio.to_thread(file.write, piece)
            part.rename(path)
        except OSError as error:
            raise _trouble(key, error) from error
        finally:
            part.unlink(missing_ok=True)

    async def delete(self, key: str) -> None:
        """Delete a file; nothing happens when there is none."""
        place = self._opened(key)
        try:
            await self._asked(key, self._library.delete_async(place, key))
        except Missing:
            return

    async def older(self, moment: float) -> AsyncIterator[list[str]]:
        """The keys of files that were last written before a moment, in batches."""
        pieces = self._library.list(self._opened("all"), chunk_size=1000)
        while batch := await self._asked("", anext(pieces, None)):
            yield [str(one["path"]) for one in batch if one["last_modified"].timestamp() < moment]

    async def clear_unfinished(self, moment: float) -> int:
        """Delete what puts that were killed before a moment left; returns how many. An S3 server does so by
        a rule of its bucket."""
        return await asyncio.to_thread(_clear_parts, self._folder, moment) if self.local else 0

    async def _asked(self, key: str, work: Awaitable[Any]) -> Any:
        """What the library answers, its errors as ours."""
        try:
            return await work
        except (OSError, RuntimeError, ValueError, self._library.exceptions.BaseError) as error:
            raise _trouble(key, error) from error

    def _opened(self, key: str) -> Any:
        if not KEY.match(key) or len(key) > 200:
            raise ValueError(f"not a key of the media store: {key[:80]!r}")
        if self._place is None:
            self._library = importlib.import_module("obstore")
            atexit.register(time.sleep, LETTING_GO)
            stores = importlib.import_module("obstore.store")
            self._place = _bucket(stores, self._url) if self._url else _folder(stores, self._folder)
        return self._place


def _clear_parts(folder: Path, moment: float) -> int:
    """The library names an unfinished file KEY#NUMBER, and never lists one."""
    parts = [one for one in folder.glob("*/*/*/*#*") if one.stat().st_mtime < moment]
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)


def split_address(url: str) -> tuple[str, str, dict[str, str]]:
    """Bucket, prefix and options of an s3:// address; raises ValueError."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(options.keys() - {"endpoint", "region"})
    if parts.scheme != "s3" or not parts.netloc or unknown or "@" in parts.netloc:
        raise ValueError(
            "MEDIA_URL: it looks like s3://bucket/prefix?endpoint=https://host&region=name"
            + (f"; unknown: {', '.join(unknown)}" if unknown else "")
        )
    return parts.netloc, parts.path.strip("/"), options


def _folder(stores: Any, folder: Path) -> Any:
    return stores.LocalStore(folder, mkdir=True)


def _bucket(stores: Any, url: str) -> Any:
    bucket, prefix, options = split_address(url)
    more = {"endpoint": options["endpoint"]} if "endpoint" in options else {}
    return stores.S3Store(
        bucket, prefix=prefix or None, region=options.get("region", "us-east-1"),
        client_options=PATIENCE, retry_config={"max_retries": 4}, **more,
    )  # fmt: skip


def _trouble(key: str, error: Exception) -> StoreTrouble:
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return Missing(key)
    kind = StoreFull if FULL.search(text) or getattr(error, "errno", 0) in NO_ROOM else StoreTrouble
    return kind(f"{key}: {text.partition(chr(10))[0][:300]}")

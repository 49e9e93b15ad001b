"""Fetching results: the one place that asks an address which a vendor named."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import aiohttp

from providers.chat.openai_compatible import broken, read_bounded
from providers.chat.outbound import Outbound, Outgoing
from providers.classify import to_error
from providers.errors import ErrorClass, ProviderError
from providers.media.addresses import Blocked, Places, PublicOnly
from providers.media.kinds import HEAD, SUFFIXES, check_picture, checked
from providers.media.types import MadeFile
from providers.types import ProviderConfig

CONNECT = 10.0
WHOLE = 900.0  # seconds for one file
STILL = 60.0  # seconds in which nothing moves
LARGEST = {"image": 64 << 20, "video": 1 << 30}  # bytes of a file
MOST_MOVES = 5
LONGEST_TEXT = 64 << 10
MOVED = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be: in a folder, under a name without suffix, image or video."""

    folder: Path
    stem: str
    makes: str = "image"


@dataclass(frozen=True, slots=True)
class Remote:
    """A result at an address; `headers` hold the key, and go to the provider's own address alone."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Files:
    """Results of one provider. `result_hosts` of its options are private places ("store.lan:9000") from
    which results may come."""

    def __init__(self, config: ProviderConfig, base_url: str) -> None:
        self.places = Places(base_url, config.options.get("result_hosts") or ())
        self._largest = int(config.options.get("media_largest") or 0)
        self._outbound = Outbound(
            config.proxies, float(config.options.get("connect") or CONNECT), PublicOnly(self.places)
        )

    async def fetch(self, remote: Remote, wanted: Wanted) -> MadeFile:
        """Download a result. Raises ProviderError; after CONNECT and TRANSIENT it may be tried again."""
        try:
            async with asyncio.timeout(WHOLE):
                async with await self._open(remote) as response:
                    return await self._stream(response, wanted)
        except (aiohttp.ClientError, OSError) as error:
            raise _told(error) from error

    async def text(self, remote: Remote, patience: float = 30.0) -> str:
        """A short text. Raises ProviderError."""
        try:
            async with asyncio.timeout(patience):
                async with await self._open(remote) as response:
                    return (await read_bounded(response, LONGEST_TEXT)).decode("utf-8", "replace")
        except (aiohttp.ClientError, OSError) as error:
            raise _told(error) from error

    async def keep(self, data: bytes, wanted: Wanted) -> MadeFile:
        """Write a result that came inside an answer. Raises ProviderError."""
        if len(data) > self._limit(wanted):
            raise _too_large(self._limit(wanted))
        mime = checked(data[:HEAD], wanted.makes)
        part = wanted.folder / f".{wanted.stem}.part"
        try:
            await asyncio.to_thread(_write, part, data)
        except OSError as error:
            raise _unwritten(error) from error
        return await _finish(part, wanted, mime)

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    def _limit(self, wanted: Wanted) -> int:
        return self._largest or LARGEST[wanted.makes]

    async def _open(self, remote: Remote) -> aiohttp.ClientResponse:
        """A good response, wherever it moved; each place is checked anew."""
        url = remote.url
        for _ in range(MOST_MOVES + 1):
            self.places.check(url)
            headers = {"Accept-Encoding": "identity", "User-Agent": "botyard"}
            if self.places.is_own(url):
                headers.update(remote.headers)
            response = await self._outbound.send(Outgoing("GET", url, headers, None))
            if 200 <= response.status < 300:
                return response
            async with response:
                if response.status not in MOVED:
                    text = (await read_bounded(response, LONGEST_TEXT)).decode("utf-8", "replace")
                    raise _bad(to_error(response.status, text, response.headers))
                try:
                    url = urljoin(url, response.headers.get("Location", ""))
                except ValueError as error:
                    raise ProviderError(ErrorClass.EMPTY, "the result moved to no address") from error
        raise ProviderError(ErrorClass.EMPTY, "the result moves in circles")

    async def _stream(self, response: aiohttp.ClientResponse, wanted: Wanted) -> MadeFile:
        limit = self._limit(wanted)
        if (response.content_length or 0) > limit:
            raise _too_large(limit)
        part = wanted.folder / f".{wanted.stem}.part"
        head, size = b"", 0
        file = await _opened(part)
        try:
            while chunk := await asyncio.wait_for(response.content.readany(), STILL):
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                head += chunk[: HEAD - len(head)] if len(head) < HEAD else b""
                await _append(file, chunk)
            mime = checked(head, wanted.makes)
        except BaseException:
            os.close(file)
            _drop(part)
            raise
        os.close(file)
        return await _finish(part, wanted, mime)


async def _finish(part: Path, wanted: Wanted, mime: str) -> MadeFile:
    """Give a whole file its name."""
    try:
        if wanted.makes == "image":
            await asyncio.to_thread(check_picture, part)
        path = wanted.folder / (wanted.stem + SUFFIXES[mime])
        await asyncio.to_thread(os.replace, part, path)
    except OSError as error:
        _drop(part)
        raise _unwritten(error) from error
    except BaseException:
        _drop(part)
        raise
    return MadeFile(path, mime)


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)


async def _opened(part: Path) -> int:
    try:
        return await asyncio.to_thread(os.open, part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise _unwritten(error) from error


async def _append(file: int, chunk: bytes) -> None:
    try:
        view = memoryview(chunk)
        while view:
            view = view[await asyncio.to_thread(os.write, file, view) :]
    except OSError as error:
        raise _unwritten(error) from error


def _write(part: Path, data: bytes) -> None:
    try:
        part.write_bytes(data)
    except OSError:
        _drop(part)
        raise


def _told(error: Exception) -> ProviderError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Blocked):
            return ProviderError(ErrorClass.EMPTY, f"the address of a result is not fetched: {cause}")
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    told = broken(error, "")
    if told.error_class == ErrorClass.TIMEOUT:
        return ProviderError(ErrorClass.TRANSIENT, told.message)
    return told


def _bad(error: ProviderError) -> ProviderError:
    """A result that is refused or gone stays so; what passes may be asked again."""
    status = error.status or 0
    again = status >= 500 or status in (408, 425, 429)
    told = ErrorClass.TRANSIENT if again else ErrorClass.EMPTY
    return ProviderError(
        told, f"the result cannot be fetched: {error.message}", status=status, retry_after=error.retry_after
    )


def _too_large(limit: int) -> ProviderError:
    return ProviderError(ErrorClass.EMPTY, f"the result is larger than {limit >> 20} MiB")


def _unwritten(error: OSError) -> ProviderError:
    return ProviderError(ErrorClass.CALLER, f"the result cannot be written here: {error.strerror or error}")

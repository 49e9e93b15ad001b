"""What is done to a video's file, by a process of its own (core/media/files_av.py)."""

import asyncio
import logging
import sys
from pathlib import Path

from core.media.files import BadFile

PROGRAM = "core.media.files_av"
SECONDS = 120.0
ROOT = Path(__file__).resolve().parents[2]
logger = logging.getLogger(__name__)


async def write_poster(video: Path, target: Path) -> None:
    """Write a video's first picture as a JPEG. Raises BadFile."""
    await _run("poster", video, target)


async def write_tagged(video: Path, target: Path, comment: str) -> None:
    """Copy a video, as it is, with a comment; "" takes every tag away. Raises BadFile."""
    await _run("tag", video, target, comment)


async def read_comment(video: Path) -> str:
    """A video's comment, or "". Raises BadFile."""
    return (await _run("comment", video, video)).decode(errors="replace")


async def _run(what: str, source: Path, target: Path, text: str = "") -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, what, str(source), str(target),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=ROOT, env={"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            said, trouble = await process.communicate(text.encode())
    except TimeoutError as error:
        raise BadFile("damaged", "The video could not be read in time.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        reason = trouble.decode(errors="replace")[-300:] or f"exit code {process.returncode}"
        logger.warning("%s of a video failed: %s", what, reason)
        raise BadFile("damaged", "The video is damaged: it cannot be decoded.")
    return said

"""The pictures that go with a request: which ones, and fetched from the channel that holds them."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from core.channel import Channel, PictureLost
from core.conversation import Past, refs_of
from core.messages import InboundMessage
from core.pictures import Picture

MOST_NOW = 10  # pictures of the question; an album has no more
MOST_PAST = 3  # newest pictures of the conversation that are sent again
MOST_BYTES = 20 * 1024 * 1024  # of one request: processes are small
FETCH_WITHIN = 20.0  # seconds for all of them
logger = logging.getLogger(__name__)


async def fetch_pictures(channel: Channel, message: InboundMessage, past: Past) -> Mapping[str, Picture]:
    """The pictures of a question and the newest ones before it, by ref. What cannot be had is left out:
    a picture never costs its question the answer."""
    now = [one.ref for one in message.attachments][:MOST_NOW]
    wanted = [*now, *_past_refs(past, set(now))]
    found: dict[str, Picture] = {}
    room = MOST_BYTES
    try:
        async with asyncio.timeout(FETCH_WITHIN):
            for ref in wanted:  # one after the other: together they may be too much for the memory
                picture = await _fetch(channel, ref)
                if picture is not None and len(picture.body) <= room:
                    found[ref] = picture
                    room -= len(picture.body)
    except TimeoutError:
        logger.warning("%s of %s pictures did not arrive in time", len(wanted) - len(found), len(wanted))
    return found


def _past_refs(past: Past, known: set[str]) -> Iterator[str]:
    refs: list[Any] = [ref for row in reversed(past.messages) for ref in reversed(refs_of(row))]
    yield from [ref for ref in dict.fromkeys(refs) if ref not in known][:MOST_PAST]


async def _fetch(channel: Channel, ref: str) -> Picture | None:
    try:
        return await channel.picture(ref)
    except PictureLost as error:
        logger.warning("a picture is left out: %s", error)
        return None

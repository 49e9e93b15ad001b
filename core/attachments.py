"""The pictures that go with a request: which ones, and fetched from the channel that holds them."""

import asyncio
import logging
from collections.abc import Iterator, Mapping

from core.channel import Channel, PictureLost
from core.conversation import ANSWERED, Past, refs_of
from core.messages import InboundMessage
from core.pictures import Picture

MOST_NOW = 10  # pictures of the question; an album has no more
MOST_PAST = 3  # newest pictures of the conversation that are sent again
MOST_BYTES = 12 * 1024 * 1024  # of one request: it is held three times over while it is sent
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
    """The newest pictures that were answered: one that no model could look at must not fail the next turn."""
    refs: list[str] = []
    answered = False
    for row in reversed(past.messages):
        if row.role == "user":
            refs += reversed(refs_of(row)) if answered else ()
        answered = row.role == "assistant" and row.status in ANSWERED
    yield from [ref for ref in dict.fromkeys(refs) if ref not in known][:MOST_PAST]


async def _fetch(channel: Channel, ref: str) -> Picture | None:
    try:
        return await channel.picture(ref)
    except PictureLost as error:
        logger.warning("a picture is left out: %s", error)
        return None

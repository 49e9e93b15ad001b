"""What is not made: a guard over every order, and an operator's own service that is asked before and after.

The words below are a floor, not a filter that understands: they keep explicit orders from characters that are
not rated adult, and some orders from everybody. Vendors and models have filters of their own.
"""

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

GENERAL, ADULT = "general", "adult"
WITHIN = aiohttp.ClientTimeout(total=15)
LARGEST_SENT = 8 * 1024 * 1024
_EXPLICIT = (
    r"nud(?:e|es|ity|ist)|naked|topless|nsfw|porn\w*|hentai|erotic\w*|orgasm\w*|genital\w*|explicit sex\w*|"
    r"sex(?:ual)? (?:act|scene|intercourse)|blowjob\w*|penis\w*|vagina\w*|"
    r"гол(?:ая|ый|ые|ую|ой|ого)|обнаж[её]нн\w*|порно\w*|эротик\w*|эротическ\w*|хентай|половой акт|"
    r"секс-?сцен\w*|топлес\w*"
)
_UNDRESS = (
    r"undress\w*|nudify\w*|deepnude|(?:remove|take off|without) (?:\w+ ){0,3}cloth(?:es|ing)|unclothed|"
    r"(?:strip|stripping|stripped) (?:her|him|them|naked)|"
    r"(?:remove|take off) (?:her|his|their) (?:\w+ ){0,2}(?:dress|shirt|bra|underwear|panties|skirt|bikini)|"
    r"wearing nothing|nothing underneath|разде(?:нь|ть|т)\w*|(?:сними|убери) (?:\w+ ){0,3}одежд\w*|"
    r"без (?:одежды|белья)|сними (?:с )?(?:не[ёе]|него|них|е[ёе]|его|их) (?:\w+ ){0,2}"
    r"(?:плать|юбк|рубашк|бель|трус|лифчик|купальник)\w*"
)
_MINOR = (
    r"child(?:ren)?|kids?|minors?|teen(?:s|ager\w*|aged)?|underage|schoolgirls?|schoolboys?|toddlers?|"
    r"lolita?|shota|ребен\w*|ребён\w*|дет(?:и|ей|ск\w*)|школьни\w*|подрост\w*|несовершеннолетн\w*|малолетн\w*"
)
EXPLICIT, UNDRESS, MINOR = (
    re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for words in (_EXPLICIT, _UNDRESS, _MINOR)
)
logger = logging.getLogger(__name__)


def allowed(prompt: str, rating: str) -> bool:
    """Whether an order may be taken at all, from a character of this rating (general or adult)."""
    if UNDRESS.search(prompt):
        return False
    explicit = bool(EXPLICIT.search(prompt))
    return not explicit or (rating == ADULT and not MINOR.search(prompt))


def blocked(prompt: str, settings: Mapping[str, Any]) -> bool:
    """Whether a media route's own `blocked_words` are in a prompt."""
    words = [str(word).lower() for word in settings.get("blocked_words") or () if str(word).strip()]
    return any(word in prompt.lower() for word in words)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a moderation service says: whether a job may go on, and whether what it makes is for adults."""

    allow: bool
    adult: bool = False


async def judged(
    settings: Mapping[str, Any], stage: str, facts: Mapping[str, Any], files: Sequence[Path] = ()
) -> Verdict:
    """What the operator's service (`moderation_url`) says before a job begins and after it was made: it gets
    JSON (stage, task, prompt, instance, and after: pictures in base64) and answers {"allow": true}, with
    "rating": "adult" where that is so. One that does not answer allows nothing."""
    url = str(settings.get("moderation_url") or "")
    if not url:
        return Verdict(True)
    body = {**facts, "stage": stage, "files": [_encoded(one) for one in files]}
    try:
        async with aiohttp.ClientSession(timeout=WITHIN) as session, session.post(url, json=body) as answer:
            told = await answer.json(content_type=None)
            good = answer.status == 200 and isinstance(told, dict)
            return Verdict(good and told.get("allow") is True, good and told.get("rating") == ADULT)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        logger.error("the moderation service does not answer: %s", type(error).__name__)
        return Verdict(False)


def _encoded(path: Path) -> str:
    body = path.read_bytes()
    return base64.b64encode(body).decode() if len(body) <= LARGEST_SENT else ""

"""What vendors of media say when they refuse, and messages without what was asked."""

import json
import re
from collections.abc import Iterable

from providers.errors import ErrorClass, ProviderError

SHORTEST = 4  # characters; shorter words are in every message
SHOWN = 20  # of a long prompt these many characters in a row give it away
REFUSED = re.compile(
    r"sensitive|risk[ -]?(?:control|detection)|moderat|safety|nsfw|flagged|inappropriate|prohibited"
    r"|content[ _](?:polic|filter|security|violation|restrict)|usage (?:guidelines|polic)|responsible ai"
    r"|violat\w+ .{0,40}(?:polic|guidelines|terms|rules)|copyright|likeness|celebrity|minors|children",
    re.IGNORECASE,
)
NO_MONEY = re.compile(
    r"(?:not enough|insufficient|lack sufficient|out of) (?:\w+ )?(?:credit|unit|balance|fund)", re.IGNORECASE
)
_VAGUE = frozenset((ErrorClass.CALLER, ErrorClass.TRANSIENT, ErrorClass.TRUNCATED))


def as_refusal(error: ProviderError) -> ProviderError:
    """The same error, of class CONTENT where its words say that the wish was refused, and of class QUOTA
    where they say that the account is empty."""
    forbidden = error.status == 403 and error.error_class == ErrorClass.CREDENTIAL
    vague = error.error_class in _VAGUE or forbidden
    if not vague or (error.status or 0) >= 500:
        return error
    if NO_MONEY.search(error.message):
        return ProviderError(ErrorClass.QUOTA, error.message, status=error.status)
    if REFUSED.search(error.message):
        return ProviderError(ErrorClass.CONTENT, error.message, status=error.status)
    return error


def without(text: str, words: Iterable[str]) -> str:
    """Text without these words, in the forms in which JSON quotes them; of a long one the beginning gives it
    away, and the text ends there."""
    for word in words:
        if len(word.strip()) < SHORTEST:
            continue
        for form in dict.fromkeys((word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1])):
            text = text.replace(form, "***")
            if len(form) > SHOWN and (place := text.find(form[:SHOWN])) >= 0:
                text = text[:place] + "***"
    return text

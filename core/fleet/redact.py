"""Takes secrets out of log lines."""

import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "[secret]"
SHORTEST_KNOWN = 8  # a shorter secret would blank innocent words

# No \b anywhere: a bot's token stands right behind "bot" in its URLs.
# What a search can begin anywhere in a long line has an end, or it takes quadratic time.
PATTERNS = (
    r"[0-9]{6,12}(?::|%3A|%3a)[A-Za-z0-9_-]{30,}",  # bot tokens
    r"(?:sk|rk|pk)-[A-Za-z0-9_-]{16,}",
    r"(?:gsk|xai|hf|r8|fw|csk|nvapi|pplx|ghp|gho|glpat|xoxb|xoxp)[_-][A-Za-z0-9_-]{16,}",
    r"AIza[A-Za-z0-9_-]{30,}",
    r"AKIA[A-Z0-9]{16}",
    r"eyJ[A-Za-z0-9_-]{8,500}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON web tokens
)
AFTER_WORD = (
    r"(?P<word>(?:bearer|basic)\s+"
    r"|(?:api[_-]?key|x-api-key|access[_-]?token|token|secret|password|passwd)[\"']?\s*[=:]\s*[\"']?)"
    r"(?P<value>[^\s\"',;&]{8,})"
)
IN_URL = r"(?P<scheme>[a-z][a-z0-9+.-]{0,30}://[^/\s:@]{0,256}:)(?P<pass>[^/\s@]{1,256})@"


class Redactor:
    """Masks what looks like a secret, and every secret that it was told of."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._patterns = re.compile("|".join(PATTERNS))
        self._after_word = re.compile(AFTER_WORD, re.IGNORECASE)
        self._in_url = re.compile(IN_URL, re.IGNORECASE)
        self._known: re.Pattern[str] | None = None
        self._secrets: frozenset[str] = frozenset()
        self.learn(known)

    def learn(self, secrets: Iterable[str]) -> None:
        """From now on mask these too."""
        more = {secret for secret in secrets if len(secret) >= SHORTEST_KNOWN}
        more |= {quote(secret, safe="") for secret in more}
        if more <= self._secrets:
            return
        self._secrets |= more
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)))

    def clean(self, line: str) -> str:
        """The line without secrets."""
        if self._known:
            line = self._known.sub(MASK, line)
        line = self._patterns.sub(MASK, line)
        line = self._in_url.sub(rf"\g<scheme>{MASK}@", line)
        return self._after_word.sub(rf"\g<word>{MASK}", line)

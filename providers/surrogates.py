"""Text fit to be stored: no halves of characters, no NUL."""

import re

_UNFIT = re.compile("[\ud800-\udfff\x00]")
_LONE = re.compile("[\ud800-\udfff]")


class Mender:
    """Joins surrogate halves that a vendor split over two chunks; replaces lone ones, drops NUL."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """The text so far, without a half that still waits for its other one."""
        if not self._half and not _UNFIT.search(text):
            return text
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return mend(text)

    def close(self) -> str:
        """What was still waiting."""
        return "\ufffd" if self._half else ""


def mend(text: str) -> str:
    """Pairs of halves joined, lone halves replaced, NUL dropped."""
    if not _UNFIT.search(text):
        return text
    joined = text.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _LONE.sub("\ufffd", joined)

"""Characters that JSON may carry but UTF-8, databases or the Bot API do not take."""

_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), " ")
_CONTROL[13] = ""
INVISIBLE = " \t\n\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\u2063\u2800\u3164\ufe0f\ufeff"


def whole(text: str) -> str:
    """The text with lone surrogates replaced and NUL removed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\x00", "")


def printable(text: str) -> str:
    """The text as it can be shown: `whole`, and control characters made spaces."""
    return whole(text).translate(_CONTROL)


def is_empty(text: str) -> bool:
    """Whether a reader would see nothing; the Bot API refuses such a message."""
    return not text.strip(INVISIBLE)

"""What a document is: by its name, by its bytes, and whether the two agree."""

import re
from pathlib import PurePosixPath

from core.knowledge.texts import BAD_DOCUMENT_TEXTS, FOUND_TEXTS, worded

KINDS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
}
MIMES = {"markdown": "text/markdown", "text": "text/plain", "html": "text/html", "pdf": "application/pdf"}
LONGEST_NAME = 200
_SIGNATURES = (
    (b"%PDF-", "pdf"),
    (b"\x89PNG", "image"), (b"\xff\xd8\xff", "image"), (b"GIF8", "image"), (b"BM\x00", "image"),
    (b"PK\x03\x04", "archive"), (b"\x1f\x8b", "archive"), (b"7z\xbc\xaf", "archive"), (b"Rar!", "archive"),
    (b"\xd0\xcf\x11\xe0", "archive"), (b"BZh", "archive"), (b"\xfd7zXZ", "archive"), (b"{\\rtf", "archive"),
    (b"\x7fELF", "program"), (b"MZ\x90", "program"), (b"\xca\xfe\xba\xbe", "program"),
    (b"OggS", "media"), (b"ID3", "media"), (b"fLaC", "media"), (b"\x1aE\xdf\xa3", "media"),
    (b"SQLite format 3\x00", "database"),
)  # fmt: skip
_PAGE = re.compile(
    rb"\s*(?:<!--.{0,2000}?-->\s*|<\?xml[^>]{0,200}>\s*)*<(?:!doctype\s+html|html)[\s>]", re.I | re.S
)
_TAG = re.compile(r"<(?:/?[a-z][a-z0-9]*[\s/>]|!doctype)", re.I)
_LETTERS = re.compile(r"[^\W\d_]+")
_RUSSIAN = re.compile("[а-яё]+", re.I)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class BadDocument(Exception):
    """A document that cannot be taken in; `text(language)` says why to the person who sent it."""

    def __init__(self, key: str, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """The reason in the reader's language."""
        words = {
            name: worded(FOUND_TEXTS, str(value), language, {}) if name in ("expected", "found") else value
            for name, value in self.values.items()
        }
        return worded(BAD_DOCUMENT_TEXTS, self.key, language, words)


def clean_name(name: str) -> str:
    """A file's name without folders and control characters, its ending kept when it is too long."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    last = "".join(char for char in last if char.isprintable()).strip() or "document"
    suffix = PurePosixPath(last).suffix[:20]
    return last if len(last) <= LONGEST_NAME else last[: LONGEST_NAME - len(suffix)] + suffix


def kind_of(name: str, data: bytes) -> str:
    """The kind of a document; raises BadDocument when its bytes are something else than its name says."""
    kind = KINDS.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        raise BadDocument("unknown_type", name=name)
    found = _signature(data)
    if found is None and _PAGE.match(data[:4096]):
        found = "html"
    if found is not None and found != kind:
        raise BadDocument("mismatch", name=name, expected=kind, found=found)
    if kind == "pdf" and found is None:
        raise (
            BadDocument("mismatch", name=name, expected=kind, found="text")
            if _looks_text(data)
            else (BadDocument("broken", name=name))
        )
    return kind


def decoded(name: str, data: bytes, kind: str) -> str:
    """The text of a document that is no PDF, whatever its encoding; raises BadDocument."""
    text = _decoded(data)
    if text is None or _CONTROL.search(text):
        raise BadDocument("not_text", name=name)
    if not text.strip():
        raise BadDocument("empty", name=name)
    if kind == "html" and not _TAG.search(text):
        raise BadDocument("mismatch", name=name, expected="html", found="text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _signature(data: bytes) -> str | None:
    for start, kind in _SIGNATURES:
        if data.startswith(start):
            return kind
    if data[4:8] == b"ftyp":
        return "media"
    if data[:4] == b"RIFF":
        return "image" if data[8:12] == b"WEBP" else "media"
    return "pdf" if b"%PDF-" in data[:1024] and b"\x00" in data else None


def _looks_text(data: bytes) -> bool:
    text = _decoded(data[:4096])
    return text is not None and not _CONTROL.search(text)


def _decoded(data: bytes) -> str | None:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _strictly(data, encoding)
    if b"\x00" in data[:4096]:
        return _unmarked_utf16(data)
    text = _strictly(data, "utf-8")
    return _single_byte(data) if text is None else text


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without its mark: ASCII spaces and line ends have their zero on one side only."""
    little = data.count(b" \x00") + data.count(b"\n\x00")
    big = data.count(b"\x00 ") + data.count(b"\x00\n")
    if not little and not big:
        return None
    return _strictly(data, "utf-16-le" if little >= big else "utf-16-be")


def _single_byte(data: bytes) -> str | None:
    """Windows' Cyrillic where most letters above ASCII would be Russian, else its Western page."""
    text = _strictly(data, "cp1251")
    if text is not None:
        # Western words mix letters of ASCII and others, which would be Russian ones in them.
        words = [word for word in _LETTERS.findall(text) if not word.isascii()]
        russian = sum(_RUSSIAN.fullmatch(word) is not None for word in words)
        if words and russian / len(words) > 0.6:
            return text
    return _strictly(data, "cp1252")


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None

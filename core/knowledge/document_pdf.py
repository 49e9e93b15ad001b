"""PDFs as blocks: a reader program (see core/knowledge/document_child.py)."""

import io
import sys

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from core.knowledge.document_blocks import Block, text_blocks
from core.knowledge.document_child import Broken, Locked, serve

MOST_PAGES = 2000
MOST_CHARACTERS = 4_000_000
DAMAGED = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def pdf_blocks(data: bytes) -> list[Block]:
    """The paragraphs of each page under its number; raises Locked or Broken."""
    try:
        return _blocks(PdfReader(io.BytesIO(data), strict=False))
    except (PyPdfError, *DAMAGED) as error:  # pypdf lets through whatever a damaged file provokes
        raise Broken from error


def _blocks(reader: PdfReader) -> list[Block]:
    if reader.is_encrypted and not reader.decrypt(""):
        raise Locked
    blocks: list[Block] = []
    total = 0
    for number, page in enumerate(reader.pages[:MOST_PAGES], 1):
        text = _storable(page.extract_text())
        blocks += text_blocks(text, (f"p. {number}",))
        total += len(text)
        if total > MOST_CHARACTERS:
            break
    return blocks


def _storable(text: str) -> str:
    """Text without what a database refuses: lone surrogates and zero characters."""
    return text.encode("utf-8", "ignore").decode().replace("\x00", "")


if __name__ == "__main__":
    sys.exit(serve(pdf_blocks))

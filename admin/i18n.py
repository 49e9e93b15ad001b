"""Languages of the panel: catalogues, numbers, and which one a reader gets.

`.po` files are the source, `.mo` files are made from them: `python -m admin.i18n`.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from babel.numbers import format_decimal
from starlette.requests import HTTPConnection

FOLDER = Path(__file__).parent / "locale"
LANGUAGES = ("en", "ru")
NAMES = {"en": "English", "ru": "Русский"}
COOKIE = "language"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def N_(message: str) -> str:
    """Marks a text for translation where its reader's language is not known yet."""
    return message


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language; English texts are the ids themselves."""
    path = FOLDER / language / "LC_MESSAGES" / "messages.mo"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        return GNUTranslations(file)


@dataclass(frozen=True, slots=True)
class Language:
    """A reader's language: texts and numbers."""

    code: str

    def __call__(self, message: str, **values: object) -> str:
        """A text in this language."""
        found = translations(self.code).gettext(message) if message else ""
        return found % values if values else found

    def plural(self, one: str, many: str, number: int) -> str:
        """A text that counts; `%(num)s` in it becomes the number."""
        return translations(self.code).ngettext(one, many, number) % {"num": self.number(number)}

    def number(self, value: float, digits: int = 0) -> str:
        """A number as this language writes it, with at most `digits` decimals."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(value, format=pattern, locale=self.code)


SPOKEN = {code: Language(code) for code in LANGUAGES}


def language_of(connection: HTTPConnection) -> Language:
    """The reader's choice, else the first of the browser's languages that we have."""
    chosen = connection.cookies.get(COOKIE, "")
    if chosen in SPOKEN:
        return SPOKEN[chosen]
    wanted = connection.headers.get("accept-language", "").split(",")
    codes = (part.split(";")[0].strip().lower()[:2] for part in wanted)
    return next((SPOKEN[code] for code in codes if code in SPOKEN), SPOKEN["en"])


def extracted() -> Catalog:
    """Every text that code and templates use."""
    catalog = _dated(Catalog(charset="utf-8"))
    folder = Path(__file__).parent
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
    keywords = {"_": None, "N_": None, "t": None, "plural": (1, 2), "ngettext": (1, 2), "trans": None}
    options = {"**/templates/**.html": {"extensions": "jinja2.ext.do", "trimmed": "true", "silent": "false"}}
    found = extract_from_dir(str(folder), methods, options, keywords=keywords)
    for name, _line, message, comments, context in found:
        catalog.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    return catalog


def catalog_of(language: str) -> Catalog:
    """A language's `.po` file."""
    path = FOLDER / language / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return Catalog(language, charset="utf-8")
    with path.open("rb") as file:
        return _dated(read_po(file, locale=language))


def _dated(catalog: Catalog) -> Catalog:
    """The same catalogue with dates that do not change at every reading."""
    catalog.creation_date = catalog.revision_date = BEGINNING
    catalog.last_translator = catalog.language_team = "Botyard"
    return catalog


def compiled(language: str) -> bytes:
    """What the language's `.mo` file has to be."""
    buffer = io.BytesIO()
    write_mo(buffer, catalog_of(language))
    return buffer.getvalue()


def missing(language: str) -> Iterator[str]:
    """Texts that the language does not have, or has as a guess."""
    catalog = catalog_of(language)
    for message in extracted():
        if not message.id:
            continue
        found = catalog.get(message.id if isinstance(message.id, str) else message.id[0])
        texts = (found.string if isinstance(found.string, tuple) else (found.string,)) if found else ()
        if not found or found.fuzzy or not all(texts):
            yield str(message.id)


def main() -> None:
    """Bring the `.po` files up to date with the texts in use, and make the `.mo` files."""
    for language in LANGUAGES:
        if language == "en":
            continue
        folder = FOLDER / language / "LC_MESSAGES"
        folder.mkdir(parents=True, exist_ok=True)
        catalog = catalog_of(language)
        catalog.update(extracted(), no_fuzzy_matching=True)
        catalog.obsolete.clear()
        catalog.fuzzy = False
        with (folder / "messages.po").open("wb") as file:
            write_po(file, catalog, width=110, omit_header=False, sort_output=True, no_location=True)
        (folder / "messages.mo").write_bytes(compiled(language))
        for text in missing(language):
            print(f"{language}: {text!r} has no translation")


if __name__ == "__main__":
    main()

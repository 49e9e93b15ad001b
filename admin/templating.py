"""Templates: one environment per language, compiled once and kept between starts."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from admin.assets import Assets
from admin.i18n import LANGUAGES, NAMES, SPOKEN, translations
from admin.sizes import size_text

FOLDER = Path(__file__).parent / "templates"


class Templates:
    """Renders a template in a reader's language."""

    def __init__(self, assets: Assets, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        self.environments = {language: _environment(language, assets, cache) for language in LANGUAGES}

    def render(self, language: str, name: str, **context: object) -> str:
        """A template's text."""
        return self.environments[language].get_template(name).render(**context)

    def fragment(self, language: str, name: str, macro: str, *arguments: object) -> str:
        """What one macro of a template makes of its arguments."""
        module = self.environments[language].get_template(name).module
        return str(getattr(module, macro)(*arguments))


def named(rows: Iterable[Any]) -> list[tuple[str, str]]:
    """Rows as the choices of a form, without the default: that is what an empty choice means."""
    return [(row.id, row.name or row.id) for row in rows if row.id != "default"]


def _environment(language: str, assets: Assets, cache: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        bytecode_cache=FileSystemBytecodeCache(str(cache)),
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    spoken = SPOKEN[language]
    environment.globals.update(
        asset=assets.url,
        lang=language,
        languages=NAMES,
        num=spoken.number,
        plural=spoken.plural,
        named=named,
        size=partial(size_text, t=spoken),
    )
    return environment

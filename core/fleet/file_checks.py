"""What is wrong with a fleet file beyond the fields of one entry: doubles, names of nothing, and the like."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.configuration.configs import Config
from core.configuration.errors import Problem, nearest
from core.configuration.media_routes import line_problems
from core.configuration.presets import preset_problems
from core.configuration.provider_configs import ProviderInput
from core.configuration.providers import kind_problems, provider_problems
from core.configuration.values import is_slug, provider_of
from core.fleet.file_entries import limit_problems
from core.media.routes import DEFAULTS, ENGINE, IMAGE, OFF, VIDEO
from providers.media.registry import makes_media

NAMED = ("providers", "routes", "characters", "media_routes", "bots", "widgets")
Entries = Mapping[str, Sequence[Any]]  # by section; None where an entry has errors of its own


def present(section: Sequence[Any]) -> list[tuple[int, Any]]:
    """The entries without errors of their own, each with its position."""
    return [(position, entry) for position, entry in enumerate(section) if entry is not None]


def own_problems(tables: Mapping[str, Any], entries: Entries) -> list[Problem]:
    """What is wrong within single entries though each field is right."""
    problems: list[Problem] = []
    for position, provider in enumerate(entries["providers"]):
        if isinstance(provider, ProviderInput):
            own = provider_problems(provider)
        else:
            own = _kind_of(tables["providers"][position])
        problems += [_within("providers", position, problem) for problem in own]
    for section, check in (("presets", preset_problems), ("limits", limit_problems)):
        for position, entry in present(entries[section]):
            problems += [_within(section, position, problem) for problem in check(entry)]
    return problems


def duplicates(entries: Entries) -> list[Problem]:
    """Entries that are there twice."""
    problems: list[Problem] = []
    for section in (*NAMED, "presets", "limits"):
        problems += _repeated(entries[section], section, "id", lambda entry: entry.id)
    problems += _repeated(entries["bots"], "bots", "token", lambda entry: (entry.token, entry.api_base))
    problems += _repeated(entries["faq"], "faq", "question", lambda entry: (entry.base, entry.question))
    problems += _repeated(entries["documents"], "documents", "path", lambda entry: (entry.base, entry.path))
    return problems


def _repeated(section: Sequence[Config | None], name: str, field: str, identity: Any) -> list[Problem]:
    first: dict[Any, int] = {}
    problems = []
    for position, entry in present(section):
        other = first.setdefault(identity(entry), position)
        if other != position:
            values = {"other": f"{name}[{other}].{field}"}
            problems.append(Problem(f"{name}[{position}].{field}", "duplicate", values))
    return problems


def references(tables: Mapping[str, Any], entries: Entries) -> list[Problem]:
    """Names of things that the file does not have."""
    known = {
        section: _ids(tables.get(section)) + [entry.id for _, entry in present(entries[section])]
        for section in NAMED
    }
    problems: list[Problem] = []
    for position, route in present(entries["routes"]):
        for number, candidate in enumerate(route.candidates):
            place = f"routes[{position}].candidates[{number}]"
            problems += _reference(place, "provider", provider_of(candidate), known["providers"])
    makers = {ENGINE: True} | {one.id: makes_media(one.kind) for _, one in present(entries["providers"])}
    able = [name for name in [*makers, *known["providers"]] if makers.get(name, True)]
    for position, route in present(entries["media_routes"]):
        found = line_problems(route, able, known["providers"])
        problems += [_within("media_routes", position, problem) for problem in found]
    for section in ("bots", "widgets"):
        for position, entry in enumerate(entries[section]):
            raw = tables[section][position]
            for what, name, ids in (
                ("route", "route", known["routes"]),
                ("character", "character", known["characters"]),
                ("media_route", "image_route", _media(entries, known, IMAGE)),
                ("media_route", "video_route", _media(entries, known, VIDEO)),
            ):
                given = getattr(entry, name) if entry else _written(raw, name)
                problems += _reference(f"{section}[{position}].{name}", what, given, ids)
    for position, limit in present(entries["limits"]):
        place = f"limits[{position}]"
        provider = limit.subject if limit.subject_kind == "provider" else None
        problems += _reference(f"{place}.subject", "provider", provider or None, known["providers"])
        problems += _reference(f"{place}.bot", "instance", limit.bot, known["bots"])
        problems += _reference(f"{place}.widget", "instance", limit.widget, known["widgets"])
    return problems


def _media(entries: Entries, known: Mapping[str, Sequence[str]], makes: str) -> list[str]:
    """What an instance may name for pictures or videos: the usual route is there without the file too."""
    others = [one.id for _, one in present(entries["media_routes"]) if one.makes != makes]
    named = [*known["media_routes"], DEFAULTS[makes], OFF]
    return [one for one in named if one not in others]


def _written(raw: Mapping[str, Any], name: str) -> str | None:
    """A field of an entry that has errors elsewhere, where it can be told what it means."""
    value = raw.get(name)
    return value.strip() if isinstance(value, str) and is_slug(value.strip()) else None


def _ids(section: Any) -> list[str]:
    """Ids as they are written, so that an entry with an error elsewhere still counts as there."""
    tables = [entry for entry in section if isinstance(entry, dict)] if isinstance(section, list) else []
    return [entry["id"].strip() for entry in tables if isinstance(entry.get("id"), str)]


def _reference(place: str, what: str, given: str | None, known: Iterable[str]) -> list[Problem]:
    if given is None or given in (names := list(known)):
        return []
    return [Problem(place, "file_no_such", {"what": what, "id": given, "near": nearest(given, names)})]


def _within(section: str, position: int, problem: Problem) -> Problem:
    return Problem(f"{section}[{position}].{problem.place}", problem.key, problem.values)


def _kind_of(table: Any) -> list[Problem]:
    """Of an entry that has other errors: they must not hide an unknown kind."""
    kind = table.get("kind") if isinstance(table, dict) else None
    return kind_problems(kind) if isinstance(kind, str) else []

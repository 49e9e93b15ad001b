"""The fleet file: a whole fleet in TOML, for people who keep their set-up in git.

    fleet = parse_fleet(Path("fleet.toml"), os.environ)      # raises FleetErrors with everything at once
    await apply_fleet(database, fleet, vault)                # idempotent, one transaction

`fleet.example.toml` shows every section.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.configuration.configs import Config
from core.configuration.errors import Problem, nearest
from core.configuration.provider_configs import ProviderInput
from core.configuration.providers import kind_problems, provider_problems
from core.configuration.values import is_slug, provider_of
from core.fleet.file_apply import FLEET_BASE, apply_fleet
from core.fleet.file_entries import DocumentEntry, FiledDocument, Fleet
from core.fleet.file_reading import FleetErrors, read_entries, read_toml
from core.knowledge.document_kinds import BadDocument, clean_name, kind_of
from core.knowledge.documents import LARGEST, read_document

__all__ = ["FLEET_BASE", "Fleet", "FleetErrors", "apply_fleet", "check_fleet", "parse_fleet"]

Entries = Mapping[str, Sequence[Any]]  # by section; None where an entry has errors of its own


def parse_fleet(path: Path, env: Mapping[str, str]) -> Fleet:
    """Read and check a fleet file; raises FleetErrors with every error at once."""
    tables = read_toml(path)
    try:
        entries, problems = read_entries(tables, env)
    except RecursionError as error:
        raise FleetErrors([Problem(str(path), "file_too_deep")]) from error
    problems += _duplicates(entries) + _references(tables, entries)
    for position, provider in enumerate(entries["providers"]):
        if isinstance(provider, ProviderInput):
            own = provider_problems(provider)
        else:
            own = _kind_of(tables["providers"][position])
        problems += [_within("providers", position, problem) for problem in own]
    documents: list[FiledDocument] = []
    for position, entry in _present(entries["documents"]):
        found = _document(path.parent, entry, f"documents[{position}].path")
        if isinstance(found, Problem):
            problems.append(found)
        else:
            documents.append(found)
    if problems:
        raise FleetErrors(problems)
    return _assembled(entries, documents)


def check_fleet(path: Path, env: Mapping[str, str]) -> Fleet:
    """Like `parse_fleet`, and reads every document through: for the check command."""
    fleet = parse_fleet(path, env)
    problems: list[Problem] = []
    for position, document in enumerate(fleet.documents):
        try:
            read_document(document.path.name, document.path.read_bytes())
        except BadDocument as error:
            problems.append(_refused(f"documents[{position}].path", error))
    if problems:
        raise FleetErrors(problems)
    return fleet


def _assembled(entries: Mapping[str, Sequence[Any]], documents: Sequence[FiledDocument]) -> Fleet:
    faq = tuple(entry.model_copy(update={"base": entry.base or FLEET_BASE}) for entry in entries["faq"])
    shared = [FLEET_BASE] if FLEET_BASE in {one.base for one in (*faq, *documents)} else []
    bots, widgets = (
        tuple(
            entry.model_copy(update={"bases": list(dict.fromkeys([*entry.bases, *shared]))})
            for entry in entries[section]
        )
        for section in ("bots", "widgets")
    )
    return Fleet(
        providers=tuple(entries["providers"]),
        routes=tuple(entries["routes"]),
        characters=tuple(entries["characters"]),
        bots=bots,
        widgets=widgets,
        faq=faq,
        documents=tuple(documents),
    )


def _document(folder: Path, entry: DocumentEntry, place: str) -> FiledDocument | Problem:
    path = folder / entry.path
    try:
        if not path.is_file():
            return Problem(place, "path_missing", {"path": entry.path})
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        kind_of(clean_name(path.name), data)
    except BadDocument as error:
        return _refused(place, error)
    except (OSError, ValueError) as error:
        return Problem(place, "path_unreadable", {"reason": getattr(error, "strerror", None) or str(error)})
    if len(data) > LARGEST:
        return _refused(place, BadDocument("too_big", name=path.name, limit=LARGEST >> 20))
    return FiledDocument(entry.base or FLEET_BASE, path, hashlib.sha256(data).hexdigest())


def _refused(place: str, error: BadDocument) -> Problem:
    return Problem(place, "document", {"en": error.text("en"), "ru": error.text("ru")})


def _present(section: Sequence[Any]) -> list[tuple[int, Any]]:
    return [(position, entry) for position, entry in enumerate(section) if entry is not None]


def _within(section: str, position: int, problem: Problem) -> Problem:
    return Problem(f"{section}[{position}].{problem.place}", problem.key, problem.values)


def _kind_of(table: Any) -> list[Problem]:
    """Of an entry that has other errors: they must not hide an unknown kind."""
    kind = table.get("kind") if isinstance(table, dict) else None
    return kind_problems(kind) if isinstance(kind, str) else []


def _duplicates(entries: Entries) -> list[Problem]:
    problems: list[Problem] = []
    for section in ("providers", "routes", "characters", "bots", "widgets"):
        problems += _repeated(entries[section], section, "id", lambda entry: entry.id)
    problems += _repeated(entries["bots"], "bots", "token", lambda entry: (entry.token, entry.api_base))
    problems += _repeated(entries["faq"], "faq", "question", lambda entry: (entry.base, entry.question))
    problems += _repeated(entries["documents"], "documents", "path", lambda entry: (entry.base, entry.path))
    return problems


def _repeated(section: Sequence[Config | None], name: str, field: str, identity: Any) -> list[Problem]:
    first: dict[Any, int] = {}
    problems = []
    for position, entry in _present(section):
        other = first.setdefault(identity(entry), position)
        if other != position:
            values = {"other": f"{name}[{other}].{field}"}
            problems.append(Problem(f"{name}[{position}].{field}", "duplicate", values))
    return problems


def _references(tables: Mapping[str, Any], entries: Entries) -> list[Problem]:
    known = {
        section: _ids(tables.get(section)) + [entry.id for _, entry in _present(entries[section])]
        for section in ("providers", "routes", "characters")
    }
    problems: list[Problem] = []
    for position, route in _present(entries["routes"]):
        for number, candidate in enumerate(route.candidates):
            place = f"routes[{position}].candidates[{number}]"
            problems += _reference(place, "provider", provider_of(candidate), known["providers"])
    for section in ("bots", "widgets"):
        for position, entry in enumerate(entries[section]):
            for what, ids in (("route", known["routes"]), ("character", known["characters"])):
                given = getattr(entry, what) if entry else _written(tables[section][position], what)
                problems += _reference(f"{section}[{position}].{what}", what, given, ids)
    return problems


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

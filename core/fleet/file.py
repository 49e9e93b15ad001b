"""The fleet file: a whole fleet in TOML, for people who keep their set-up in git.

    fleet = parse_fleet(Path("fleet.toml"), os.environ)      # raises FleetErrors with everything at once
    await apply_fleet(database, fleet, vault)                # idempotent, one transaction

`fleet.example.toml` shows every section.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.configuration.errors import Problem
from core.fleet.file_apply import FLEET_BASE, apply_fleet
from core.fleet.file_checks import duplicates, own_problems, present, references
from core.fleet.file_entries import DocumentEntry, FiledDocument, Fleet
from core.fleet.file_reading import FleetErrors, read_entries, read_toml
from core.knowledge.document_kinds import BadDocument, clean_name, kind_of
from core.knowledge.documents import LARGEST, read_document

__all__ = ["FLEET_BASE", "Fleet", "FleetErrors", "apply_fleet", "check_fleet", "parse_fleet"]


def parse_fleet(path: Path, env: Mapping[str, str]) -> Fleet:
    """Read and check a fleet file; raises FleetErrors with every error at once."""
    tables = read_toml(path)
    try:
        entries, problems = read_entries(tables, env)
    except RecursionError as error:
        raise FleetErrors([Problem(str(path), "file_too_deep")]) from error
    problems += duplicates(entries) + references(tables, entries) + own_problems(tables, entries)
    documents: list[FiledDocument] = []
    for position, entry in present(entries["documents"]):
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
        media_routes=tuple(entries["media_routes"]),
        presets=tuple(entries["presets"]),
        limits=tuple(entries["limits"]),
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

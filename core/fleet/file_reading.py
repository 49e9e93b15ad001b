"""From the bytes of a fleet file to checked entries: TOML, environment variables, fields."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.configuration.configs import Config
from core.configuration.errors import Problem, nearest, problems_of
from core.configuration.texts import problem_text
from core.fleet.file_entries import SECTIONS

LARGEST = 5 << 20
_VARIABLE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LINE = re.compile(r" \(at (.*)\)$")


class FleetErrors(Exception):
    """Everything that is wrong with a fleet file, all at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} errors in the fleet file")
        self.problems = tuple(problems)

    def lines(self, language: str = "en") -> list[str]:
        """What people read: each error with its place and what to do."""
        return [
            ": ".join(filter(None, (problem.place, problem_text(problem, language))))
            for problem in self.problems
        ]


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables; raises FleetErrors."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise FleetErrors([Problem(str(path), "file_missing")]) from error
    except OSError as error:
        raise FleetErrors([Problem(str(path), "file_unreadable", {"reason": error.strerror})]) from error
    if len(data) > LARGEST:
        raise FleetErrors([Problem(str(path), "file_too_big", {"limit": LARGEST >> 20})])
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FleetErrors([Problem(f"line {line}", "file_not_utf8")]) from error
    except tomllib.TOMLDecodeError as error:
        raise FleetErrors([_syntax_problem(str(error))]) from error
    except RecursionError as error:
        raise FleetErrors([Problem(str(path), "file_too_deep")]) from error


def read_entries(
    tables: Mapping[str, Any], env: Mapping[str, str]
) -> tuple[dict[str, list[Config | None]], list[Problem]]:
    """The entries by section, None where one has errors, and all the problems."""
    problems = [
        Problem(name, "unknown_section", {"near": nearest(name, SECTIONS)})
        for name in tables
        if name not in SECTIONS
    ]
    entries: dict[str, list[Config | None]] = {name: [] for name in SECTIONS}
    for name, kind in SECTIONS.items():
        section = tables.get(name, [])
        if not isinstance(section, list) or not all(isinstance(entry, dict) for entry in section):
            problems.append(Problem(name, "section", {"name": name}))
            continue
        for position, raw in enumerate(section):
            entry, wrong = _read_entry(kind, f"{name}[{position}]", raw, env)
            entries[name].append(entry)
            problems += wrong
    return entries, problems


def _read_entry(
    kind: type[Config], place: str, raw: dict[str, Any], env: Mapping[str, str]
) -> tuple[Config | None, list[Problem]]:
    problems: list[Problem] = []
    filled = _fill(raw, place, env, problems)
    unset = {problem.place for problem in problems}
    try:
        entry = kind.model_validate(filled)
    except ValidationError as error:
        found = problems_of(error.errors(include_url=False, include_input=False), known=_names_of(kind))
        placed = [Problem(f"{place}.{one.place}", one.key, one.values) for one in found]
        return None, problems + [one for one in placed if one.place not in unset]
    return (None if problems else entry), problems


def _names_of(kind: type[Config]) -> list[str]:
    return [*kind.model_fields, "base"] if "bases" in kind.model_fields else list(kind.model_fields)


def _fill(value: Any, place: str, env: Mapping[str, str], problems: list[Problem]) -> Any:
    """The value with ${NAME} replaced from the environment; $${ is a plain ${."""
    if isinstance(value, dict):
        return {name: _fill(one, f"{place}.{name}", env, problems) for name, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, f"{place}[{i}]", env, problems) for i, one in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        if not env.get(match[2]):
            problems.append(Problem(place, "no_variable", {"name": match[2]}))
        return env.get(match[2], "")

    return _VARIABLE.sub(variable, value)


def _syntax_problem(message: str) -> Problem:
    found = _LINE.search(message)
    place = found[1] if found else ""
    return Problem(place, "toml", {"reason": _LINE.sub("", message)})

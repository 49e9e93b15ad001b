"""The house rules, kept by a test: sizes, arrows, swallowed errors, and who may name a vendor."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("admin", "bots", "core", "db", "providers", "widget")
FILES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "node_modules" not in path.parts
) + [ROOT / "orchestrator.py"]
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 300, 60, 6
DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
VAGUE = {"utils", "helpers", "common", "manager", "misc", "util", "helper"}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("name", [n for n in NAMES if "/versions/" not in n])
def test_sizes_and_shape(name: str) -> None:
    source = (ROOT / name).read_text()
    tree = ast.parse(source)
    wrong = []
    if source.count("\n") > LONGEST_FILE:
        wrong.append(f"{source.count(chr(10))} lines")
    if Path(name).stem in VAGUE:
        wrong.append("vague name")
    for node in functions(tree):
        length = (node.end_lineno or 0) - node.lineno + 1
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len([arg for arg in given if arg not in ("self", "cls")])
        if length > LONGEST_FUNCTION:
            wrong.append(f"{node.name}: {length} lines")
        if count > MOST_PARAMETERS and not any("router" in ast.dump(d) for d in node.decorator_list):
            wrong.append(f"{node.name}: {count} parameters")
        if any(isinstance(child, ast.Import | ast.ImportFrom) for child in ast.walk(node)):
            wrong.append(f"{node.name}: imports inside")
    for handler in (n for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler)):
        broad = handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")
        if broad and all(isinstance(child, ast.Pass | ast.Continue) for child in handler.body):
            wrong.append(f"line {handler.lineno}: swallows every error")
    assert not wrong


@pytest.mark.parametrize("name", [n for n in NAMES if "/migrations/" not in n])
def test_public_things_say_what_they_are(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text())
    bare = [] if ast.get_docstring(tree) or not tree.body else ["module"]
    for node in tree.body:
        public = isinstance(node, DOCUMENTED) and not node.name.startswith("_")
        if public and not ast.get_docstring(node):
            bare.append(node.name)
    assert not bare


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_vendors_are_named_in_their_own_place_only() -> None:
    catalog = tomllib.loads((ROOT / "providers" / "catalog.toml").read_text())
    ours = {"openai-compatible", "engine"}
    vendors = {name for name in catalog.get("vendors", catalog) if len(name) > 4} - ours
    pattern = re.compile(rf"\b({'|'.join(sorted(map(re.escape, vendors)))})\b", re.IGNORECASE)
    assert len(vendors) > 8
    found = []
    for name in NAMES:
        if name.startswith("providers/"):
            continue
        tree = ast.parse((ROOT / name).read_text())
        documented = (node for node in ast.walk(tree) if isinstance(node, (ast.Module, *DOCUMENTED)))
        docs = {ast.get_docstring(node, clean=False) for node in documented}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
                found += [f"{name}:{node.lineno} {hit}" for hit in pattern.findall(node.value)]
    assert not found


def test_every_setting_is_documented() -> None:
    source = (ROOT / "core" / "settings.py").read_text()
    names = set(re.findall(r'alias="([A-Z_]+)"', source))
    documented = (ROOT / "docs" / "settings.md").read_text()
    example = (ROOT / ".env.example").read_text()
    assert names
    assert {name for name in names if name not in documented or name not in example} == set()

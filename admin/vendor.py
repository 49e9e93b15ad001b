"""Fetches the files of other projects that vendor.toml names, verifies them and writes the notices."""

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD_PARTY_NOTICES.md"
DIGESTS = ROOT / "admin" / "static" / "vendor.sha256"


def packages() -> list[dict[str, Any]]:
    """The packages of vendor.toml."""
    found: list[dict[str, Any]] = tomllib.loads((ROOT / "vendor.toml").read_text())["package"]
    return found


def targets() -> list[str]:
    """Every vendored file, as a path from the repository's root."""
    names = []
    for package in packages():
        names += [*package.get("files", {}).values()]
        names += [package["sprite"]] if "sprite" in package else []
    return names


def digest(name: str) -> str:
    """The sha256 of a vendored file."""
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def changed() -> list[str]:
    """Vendored files that are not what was fetched."""
    lines = (line.split("  ", 1) for line in DIGESTS.read_text().splitlines())
    known = {name: value for value, name in lines}
    return [name for name in targets() if known.get(name) != digest(name)]


def fetch(package: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """The files of a package's tarball, after its integrity was verified."""
    spec = f"{package['name']}@{package['version']}"
    answer = subprocess.run(
        ["npm", "pack", spec, "--silent", "--pack-destination", str(folder)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    tarball = folder / answer.stdout.strip().splitlines()[-1]
    sha = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if package["integrity"] != f"sha512-{sha}":
        raise SystemExit(f"{spec}: the fetched package is not the one that vendor.toml names")
    with tarfile.open(tarball) as archive:
        members = [member for member in archive if member.isfile()]
        files = {member.name.partition("/")[2]: archive.extractfile(member) for member in members}
        return {name: file.read() for name, file in files.items() if file is not None}


def sprite(files: Mapping[str, bytes], icons: list[str]) -> str:
    """One SVG with a symbol for each icon."""
    symbols = []
    for icon in icons:
        body = re.search(r"<svg[^>]*>(.*)</svg>", files[f"icons/{icon}.svg"].decode(), re.S)
        assert body is not None, icon
        inner = re.sub(r"\s+", " ", body[1]).replace(" />", "/>").replace("> <", "><").strip()
        symbols.append(f'<symbol id="{icon}" viewBox="0 0 24 24">{inner}</symbol>')
    attributes = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {attributes} stroke-linejoin="round">'
    return head + "\n".join(symbols) + "</svg>\n"


def notice(package: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """A package's part of the notices file."""
    names = [name for name in sorted(files) if re.fullmatch(r"LICEN[CS]E(\.\w+)?", name)]
    texts = [files[name].decode().strip() for name in names]
    use = " (development only)" if package.get("development") else ""
    title = f"## {package['name']} {package['version']}{use}\n\nLicence: {package['licence']}\n"
    quoted = "\n\n".join(f"```\n{text}\n```" for text in texts)
    return f"{title}\n{quoted}\n"


def write() -> None:
    """Fetch everything and write the files, their digests and the notices."""
    parts = ["# Third-party notices\n\nMade by `python -m admin.vendor` from vendor.toml.\n"]
    with tempfile.TemporaryDirectory() as folder:
        for package in packages():
            files = fetch(package, Path(folder))
            for source, target in package.get("files", {}).items():
                text = re.sub(rb"\n?//# sourceMappingURL=\S+\s*$", b"\n", files[source])
                (ROOT / target).write_bytes(text)
            if "sprite" in package:
                (ROOT / package["sprite"]).write_text(sprite(files, package["icons"]))
            parts.append(notice(package, files))
    NOTICES.write_text("\n".join(parts))
    DIGESTS.write_text("".join(f"{digest(name)}  {name}\n" for name in targets()))


def main(arguments: list[str]) -> int:
    """Fetch, or with `--check` verify what is here; returns the exit code."""
    if arguments != ["--check"]:
        write()
    wrong = changed()
    for name in wrong:
        print(f"{name} is not the file that was fetched")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

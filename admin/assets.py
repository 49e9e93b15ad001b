"""Static files: read once, named by their hash, compressed once."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file in the encodings that it is sent in."""

    digest: str
    media_type: str
    bodies: dict[str, bytes]  # content encoding -> body; "" is the file itself


class Assets:
    """The panel's static files; `cache` keeps their compressed forms between starts."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.files: dict[str, Asset] = {}
        names = [path.name for path in FOLDER.iterdir() if path.suffix in TYPES]
        for name in sorted(names, key=lambda name: name.endswith(".css")):  # style sheets name the others
            self._load(name)

    def url(self, name: str) -> str:
        """A file's address, which changes with its content."""
        return f"/static/{self.files[name].digest}/{name}"

    def answer(self, request: Request, name: str) -> Response:
        """A file in the best encoding that the reader accepts."""
        asset = self.files.get(name)
        if asset is None:
            raise HTTPException(404)
        accepted = request.headers.get("accept-encoding", "")
        encoding = next((e for e in ("br", "gzip") if e in accepted and e in asset.bodies), "")
        headers = {"cache-control": FOREVER, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
        if encoding:
            headers["content-encoding"] = encoding
        return Response(asset.bodies[encoding], media_type=asset.media_type, headers=headers)

    def _load(self, name: str) -> None:
        body = (FOLDER / name).read_bytes()
        if name.endswith(".css"):
            urls = re.compile(rb"url\(([a-z0-9.-]+)\)")
            body = urls.sub(lambda found: b"url(%s)" % self.url(found[1].decode()).encode(), body)
        digest = hashlib.sha256(body).hexdigest()[:8]
        bodies = {"": body}
        if not name.endswith(".woff2"):
            bodies["br"] = self._compressed(body)
            bodies["gzip"] = gzip.compress(body, 9, mtime=0)
        self.files[name] = Asset(digest, TYPES[Path(name).suffix], bodies)

    def _compressed(self, body: bytes) -> bytes:
        kept = self.cache / f"{hashlib.sha256(body).hexdigest()}.br"
        if kept.exists():
            return kept.read_bytes()
        packed = brotli.compress(body, quality=11)
        self.cache.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(packed)
        return bytes(packed)


router = APIRouter(include_in_schema=False)


@router.get("/static/{digest}/{name}")
async def static(request: Request, digest: str, name: str) -> Response:
    """A static file; the hash in its address is for the reader's cache alone."""
    assets: Assets = request.app.state.assets
    return assets.answer(request, name)

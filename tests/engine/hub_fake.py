"""A hub of models over real HTTP, in the shapes that the hub's own client asks for."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

COMMIT = "c" * 40
PIECE = 1 << 20


@dataclass
class FakeHub:
    """Repositories as files by name. `slow` seconds are waited before each MiB; `asked` are the paths;
    `claims` are sizes told instead of the true ones."""

    repositories: dict[str, dict[str, bytes]]
    slow: float = 0.0
    url: str = ""
    asked: list[str] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=dict)

    async def about(self, request: web.Request) -> web.Response:
        repository = f"{request.match_info['owner']}/{request.match_info['name']}"
        if repository == "org/gated":
            return web.json_response({}, status=403, headers={"X-Error-Code": "GatedRepo"})
        if repository not in self.repositories:
            return web.json_response({}, status=404, headers={"X-Error-Code": "RepoNotFound"})
        files = [{"rfilename": name} for name in self.repositories[repository]]
        return web.json_response({"id": repository, "sha": COMMIT, "siblings": files, "tags": []})

    async def tree(self, request: web.Request) -> web.Response:
        repository = f"{request.match_info['owner']}/{request.match_info['name']}"
        entries = []
        for name, data in self.repositories[repository].items():
            size = self.claims.get(name, len(data))
            entry = {"type": "file", "path": name, "size": size, "oid": hashlib.sha1(data).hexdigest()}
            if name.endswith((".safetensors", ".bin")):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": size, "pointerSize": 130}
            entries.append(entry)
        return web.json_response(entries)

    async def file(self, request: web.Request) -> web.StreamResponse:
        info = request.match_info
        data = self.repositories[f"{info['owner']}/{info['name']}"][info["path"]]
        self.asked.append(f"{request.method} {info['path']}")
        large = info["path"].endswith((".safetensors", ".bin"))
        digest = (hashlib.sha256 if large else hashlib.sha1)(data).hexdigest()
        response = web.StreamResponse(headers={"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT})
        if request.method == "HEAD" and info["path"] in self.claims:
            response.headers["X-Linked-Size"] = str(self.claims[info["path"]])
        response.content_length = len(data)
        await response.prepare(request)
        if request.method == "GET":
            for place in range(0, len(data), PIECE):
                await asyncio.sleep(self.slow)
                await response.write(data[place : place + PIECE])
        return response


@asynccontextmanager
async def fake_hub(repositories: dict[str, dict[str, bytes]]) -> AsyncIterator[FakeHub]:
    hub = FakeHub(repositories)
    app = web.Application()
    app.router.add_get("/api/models/{owner}/{name}", hub.about)
    app.router.add_get("/api/models/{owner}/{name}/revision/{revision}", hub.about)
    app.router.add_get("/api/models/{owner}/{name}/tree/{revision}", hub.tree)
    app.router.add_get("/{owner}/{name}/resolve/{revision}/{path:.+}", hub.file)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield hub
    finally:
        await runner.cleanup()

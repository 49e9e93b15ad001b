"""What the fake vendors of media share: their original's shapes over real HTTP, and misbehaviour on wish.

    async with FakeBFL() as fake:
        config = fake.config()             # a ProviderConfig that leads here
        fake.behave("rate_limit")          # one of BEHAVIOURS, until told otherwise
        fake.submits                       # list[Submit]: every paid request that was let in
        fake.files_asked                   # headers of every request for a file

Results lie on a second port, as vendors keep them on other hosts (with `files_here` on the same one). By
itself, for tests with processes: `python -m tests.fakes.media --kind bfl --port 9000`, then
GET /control/submits and POST /control/behave {"behaviour": "never", "looks": 5}.
"""

import base64
import io
import json
import time
import uuid
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from PIL import Image

from providers.types import ProviderConfig

BEHAVIOURS = (
    "", "rate_limit", "error_500", "moderate", "refuse_later", "fail_later", "never", "html", "list", "lost",
    "wrong_type", "bomb", "huge", "nothing", "poll_html", "poll_busy", "echo",
)  # fmt: skip
WAIT = 7  # seconds that a 429 asks for
KEY = "fake-key-0123456789"


def picture(size: tuple[int, int] = (8, 8), kind: str = "PNG") -> bytes:
    """A small real picture."""
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG that claims 60,000 by 60,000 pixels."""
    data = bytearray(picture())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(data)


def clip() -> bytes:
    """What begins like an MP4."""
    return b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0" * 64


@dataclass
class Submit:
    """A paid request as it came: `fields` of its JSON or form, files as bytes."""

    path: str
    fields: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Work:
    """A task that was begun."""

    id: str
    kind: str
    made: str
    count: int = 1
    looks: int = 0
    state: str = "running"
    external: str = ""
    at: float = field(default_factory=time.time)


class Refuse(Exception):
    """An answer instead of what was asked."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.response = web.json_response(body, status=status, headers=headers)


class FakeVendor:
    """The base; see the module's docstring."""

    kind = ""
    base = ""  # of the address, after host and port
    secret = KEY

    def __init__(self) -> None:
        self.submits: list[Submit] = []
        self.asked: list[str] = []
        self.files_asked: list[dict[str, str]] = []
        self.works: dict[str, Work] = {}
        self.behaviour = ""
        self.looks = 2  # looks until a task is done
        self.port = self.files_port = 0
        self.files_here = False  # results on the API's own port
        self._runners: list[web.AppRunner] = []

    # What a vendor says in its own words; subclasses have theirs.

    def routes(self, app: web.Application) -> None:
        """Add what the vendor has."""
        raise NotImplementedError

    def more_files(self, app: web.Application) -> None:
        """Add what it has on the other host."""

    def authorized(self, request: web.Request) -> bool:
        """Whether the key is right."""
        return request.headers.get("Authorization") == f"Bearer {self.secret}"

    def error(self, status: int, code: str, message: str) -> Any:
        """An error's body."""
        return {"error": {"message": message, "code": code, "type": code, "param": None}}

    def refusal(self) -> tuple[int, Any]:
        """How moderation is told at once."""
        return 400, self.error(
            400, "content_policy_violation", "Your request was rejected by the safety system"
        )

    # What every one does.

    @property
    def root(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """A provider's base_url."""
        return self.root + self.base

    @property
    def files_host(self) -> str:
        """Where results lie."""
        return f"127.0.0.1:{self.files_port}"

    def config(self, **options: Any) -> ProviderConfig:
        """A provider that leads here, with short waits."""
        quick = {
            "media_poll": 0.01,
            "media_deadline": 5.0,
            "media_answer": 5.0,
            "result_hosts": [self.files_host],
        }
        return ProviderConfig("v", self.kind, self.url, (self.secret,), {**quick, **options})

    def secret_at(self, root: str) -> str:
        """The key, where it names an address: this one."""
        return self.secret

    def wrong_secret(self) -> str:
        """A key in the right form that is not known."""
        return "wrong-" + self.secret

    def behave(self, behaviour: str = "") -> None:
        """From now on."""
        assert behaviour in BEHAVIOURS
        self.behaviour = behaviour

    def data(self, made: str) -> bytes:
        """A result's bytes."""
        match self.behaviour:
            case "wrong_type":
                return b"<html><body>not found</body></html>"
            case "bomb":
                return bomb()
            case "huge":
                return picture() + b"\0" * (3 << 20)
        return clip() if made == "video" else picture()

    def inline(self, made: str) -> str:
        """The same in base64."""
        return base64.b64encode(self.data(made)).decode()

    def link(self, made: str) -> str:
        """Where such a result lies."""
        host = f"127.0.0.1:{self.port}" if self.files_here else self.files_host
        return f"http://{host}/files/{made}/{uuid.uuid4().hex}?signature=x"

    def check(self, request: web.Request) -> None:
        """Refuse a wrong key."""
        self.asked.append(f"{request.method} {request.path}")
        if not self.authorized(request):
            raise Refuse(401, self.error(401, "invalid_api_key", "Incorrect API key provided"))

    async def take(self, request: web.Request, known: set[str], needed: set[str]) -> dict[str, Any]:
        """A paid request's fields: let in and counted, or refused as the original would."""
        self.check(request)
        fields = await self._fields(request)
        wrong = sorted(set(fields) - known) + sorted(needed - set(fields))
        empty = [name for name, value in fields.items() if value is None or value == ""]
        if wrong or empty:
            raise Refuse(400, self.error(400, "invalid_request", f"Unknown or missing: {wrong + empty}"))
        match self.behaviour:
            case "rate_limit":
                raise Refuse(
                    429, self.error(429, "rate_limited", "Too many requests"), {"Retry-After": str(WAIT)}
                )
            case "error_500":
                raise Refuse(500, self.error(500, "internal_error", "Internal error"))
            case "moderate":
                raise Refuse(*self.refusal())
        if self.behaviour == "echo":
            said = f"This is wrong: {fields} {dict(request.headers)}"
            raise Refuse(400, self.error(400, "invalid_request", said))
        self.submits.append(Submit(request.path, fields, dict(request.headers)))
        if self.behaviour == "lost" and request.transport is not None:
            request.transport.abort()
        return fields

    def begin(self, kind: str, made: str, count: int = 1, external: str = "") -> Work:
        """A new task."""
        work = Work(uuid.uuid4().hex, kind, made, count, external=external)
        self.works[work.id] = work
        return work

    def look(self, work: Work) -> str:
        """One look at a task: running, done, refused or failed."""
        work.looks += 1
        if self.behaviour == "poll_html":
            raise Refuse(200, [])
        if self.behaviour == "poll_busy" and work.looks == 1:
            raise Refuse(429, self.error(429, "rate_limited", "Too many requests"), {"Retry-After": "0.01"})
        if work.state == "running" and work.looks >= self.looks and self.behaviour != "never":
            work.state = {"refuse_later": "refused", "fail_later": "failed"}.get(self.behaviour, "done")
        return work.state

    async def _fields(self, request: web.Request) -> dict[str, Any]:
        if request.content_type == "application/json":
            return dict(await request.json())
        fields: dict[str, Any] = {}
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            name = str(getattr(part, "name", ""))
            data = await part.read()  # type: ignore[union-attr]
            value = bytes(data) if getattr(part, "filename", None) else bytes(data).decode()
            fields[name] = [*fields[name], value] if name.endswith("[]") and name in fields else (
                [value] if name.endswith("[]") else value
            )  # fmt: skip
        return fields

    async def up(self, port: int = 0) -> None:
        """Listen, on a port for the API and on one for files."""
        app = web.Application(client_max_size=64 << 20, middlewares=[self._middleware])
        self.routes(app)
        app.router.add_get("/control/submits", self._control_submits)
        app.router.add_post("/control/behave", self._control_behave)
        files = web.Application()
        self.more_files(files)
        for one in (app, files):
            one.router.add_get("/files/{made}/{name}", self._file)
        self.port = await self._serve(app, port)
        self.files_port = await self._serve(files, 0)

    async def down(self) -> None:
        """Refuse connections."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.down()

    async def _serve(self, app: web.Application, port: int) -> int:
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except Refuse as refused:
            return refused.response
        if request.method == "POST" and self.submits and self.behaviour == "html":
            return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
        if request.method == "POST" and self.submits and self.behaviour == "list":
            return web.json_response([1, 2])
        return response

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self.files_asked.append(dict(request.headers))
        if self.behaviour != "huge":
            return web.Response(
                body=self.data(request.match_info["made"]), content_type="application/octet-stream"
            )
        response = web.StreamResponse()  # chunked: its length is not told before
        await response.prepare(request)
        for _ in range(64):
            await response.write(self.data(request.match_info["made"]))
        return response

    async def _control_submits(self, _request: web.Request) -> web.Response:
        told = [{"path": one.path, "fields": sorted(one.fields)} for one in self.submits]
        return web.json_response({"count": len(told), "submits": told, "files": self.files_host})

    async def _control_behave(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.behave(body.get("behaviour", ""))
        self.looks = int(body.get("looks", self.looks))
        return web.json_response({})

"""Embeddings and responses: bodies go to the vendor as they are, save what is not the client's to say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from admin.gateway.errors import ApiError, all_failed, broken, route_header
from admin.gateway.fields import flag, missing, passed_on, text_of
from admin.gateway.http import Header, send_json
from admin.gateway.outlet import Outlet
from core.routing.allowance import Allowance
from core.routing.attempts import AllCandidatesFailed, Attempt, Skipped
from core.routing.route import Router
from core.routing.single import Ask, SingleCall
from core.routing.spec import RouteSpec
from providers.errors import ProviderError
from providers.passing import post, read_whole, takes
from providers.types import Provider, ProviderConfig

EMBEDDINGS, RESPONSES = "/embeddings", "/responses"
WHOLE = 300.0  # seconds for a body that is not streamed
TAIL = 16 * 1024  # bytes of a stream's end in which its counts are looked for
COUNTS = re.compile(rb'"(prompt|input|completion|output)_tokens"\s*:\s*(\d{1,12})')
# What a client may say of each call; everything else is dropped, addresses and keys above all.
TAKEN: dict[str, tuple[str, ...]] = {
    EMBEDDINGS: ("input", "dimensions", "encoding_format"),
    RESPONSES: (
        "input", "instructions", "stream", "temperature", "top_p", "max_output_tokens", "tools",
        "tool_choice",
        "parallel_tool_calls", "reasoning", "text", "truncation", "include", "previous_response_id", "store",
        "max_tool_calls", "metadata", "top_logprobs",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that is passed on."""

    path: str
    model: str
    body: dict[str, Any]
    stream: bool


def read_passed(path: str, body: Mapping[str, Any]) -> Passed:
    """Read a body. Raises ApiError, which names the field."""
    model = text_of(body, "model")
    if body.get("input") in (None, "", []):
        raise missing("input")
    kept = {name: passed_on(name, body[name]) for name in TAKEN[path] if body.get(name) is not None}
    return Passed(path, model, kept, path == RESPONSES and flag(body, "stream"))


@dataclass(slots=True)
class Passing:
    """A request under way."""

    asked: Passed
    outlet: Outlet
    request_id: str
    call: SingleCall[aiohttp.ClientResponse] = field(init=False)

    def open(self, router: Router, spec: RouteSpec, deadline: float, allowance: Allowance) -> None:
        """Choose the route."""
        self.call = router.single(spec, Ask(self._taken_by, self._post), deadline, allowance)

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt so far."""
        return self.call.attempts

    @property
    def skipped(self) -> list[Skipped]:
        """Candidates that were not asked."""
        return self.call.skipped

    @property
    def headers(self) -> list[Header]:
        """Which route answers, and the id that joins the rows of usage."""
        route = route_header(self.asked.model, self.attempts, self.skipped)
        return [route, (b"x-request-id", self.request_id.encode())]

    async def run(self) -> None:
        """Answer. Raises ApiError as long as nothing was sent."""
        try:
            async with await self.call.result() as response:
                await (self._relay(response) if self.asked.stream else self._whole(response))
        except (AllCandidatesFailed, ProviderError) as error:
            refusal = self._failure(error) if isinstance(error, AllCandidatesFailed) else broken()
            refusal.headers |= {name.decode(): value.decode() for name, value in self.headers}
            raise refusal from error
        finally:
            await self.call.close()

    def _taken_by(self, config: ProviderConfig) -> bool:
        return takes(config, self.asked.path)

    async def _post(self, provider: Provider, model: str, key: str) -> aiohttp.ClientResponse:
        return await post(provider, self.asked.path, key, {**self.asked.body, "model": model})

    async def _whole(self, response: aiohttp.ClientResponse) -> None:
        body = await read_whole(response, WHOLE)
        self._count(body[-TAIL:] if len(body) > TAIL else body)
        await send_json(self.outlet.send, 200, body, self.headers)

    async def _relay(self, response: aiohttp.ClientResponse) -> None:
        await self.outlet.start_stream(self.headers)
        tail = b""
        try:
            while piece := await response.content.readany():
                tail = (tail + piece)[-TAIL:]
                await self.outlet.write(piece)
            self._count(tail)
        except (aiohttp.ClientError, TimeoutError):
            self.call.broke()
            error = {"type": "error", "code": "answer_broken", "message": broken().message, "param": None}
            await self.outlet.write(b"\n\nevent: error\ndata: %b\n\n" % json.dumps(error).encode())
        await self.outlet.end()

    def _count(self, tail: bytes) -> None:
        counts = {name: int(number) for name, number in COUNTS.findall(tail)}  # the last one of each holds
        given = counts.get(b"prompt", counts.get(b"input"))
        made = counts.get(b"completion", counts.get(b"output"))
        self.call.ended(given, 0 if self.asked.path == EMBEDDINGS else made)

    def _failure(self, error: AllCandidatesFailed) -> ApiError:
        unable = {"model_gone", "caller"}
        if not error.over_limit and all(attempt.outcome in unable for attempt in error.attempts):
            text = f"No model of '{self.asked.model}' has {self.asked.path.removeprefix('/')}."
            return ApiError(404, text, param="model", code="unsupported")
        return all_failed(error)

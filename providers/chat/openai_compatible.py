"""Chat completions as most vendors and local servers speak them."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from providers.catalog import Quirk, Vendor
from providers.chat.events import Reader, fold_whole
from providers.chat.limits import Watch, limits_of
from providers.chat.outbound import Outbound, Outgoing
from providers.chat.reply import Reply
from providers.chat.sampling import taken
from providers.chat.tools import asked_of, message_of
from providers.classify import redact, to_error
from providers.errors import ErrorClass, ProviderError
from providers.types import ChatRequest, ChatTurn, Delta, ProviderConfig

LONGEST_BODY = 4 << 20  # bytes of a response that is not a stream
LONGEST_ERROR = 64 << 10
OURS = frozenset(("model", "messages", "stream", "stream_options", "n"))  # no caller sets these


def create(vendor: Vendor, config: ProviderConfig) -> "OpenAICompatible":
    """The registry's entry."""
    return OpenAICompatible(vendor, config)


class OpenAICompatible:
    """An account at an OpenAI-compatible vendor, with one pool of connections."""

    def __init__(self, vendor: Vendor, config: ProviderConfig) -> None:
        self.vendor = vendor
        self.base_url = api_address(config.base_url or vendor.base_url)
        self.options = config.options
        self.limits = limits_of(vendor, config)
        self._outbound = Outbound(config.proxies, self.limits.connect)

    def model(self, name: str, key: str) -> "OpenAICompatibleModel":
        """A model of this provider."""
        return OpenAICompatibleModel(self, name, key)

    async def models(self, key: str) -> list[str]:
        """Names of the models that the server lists."""
        try:
            async with asyncio.timeout(self.limits.first_token):
                async with await self.send("GET", "/models", key) as response:
                    listed = json.loads(await read_bounded(response, LONGEST_BODY))
        except (aiohttp.ClientError, OSError) as error:
            raise broken(error, key) from error
        except (ValueError, RecursionError) as error:
            raise ProviderError(ErrorClass.TRUNCATED, "the list of models is not JSON") from error
        items = listed.get("data") if isinstance(listed, dict) else listed
        names = (
            [item.get("id") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        )
        return [name.removeprefix("models/") for name in names if isinstance(name, str)]

    async def send(
        self, method: str, path: str, key: str, body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        """Send a request; the response has a good status. Raises ProviderError for all others."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "botyard"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key:
            headers["Authorization"] = f"Bearer {key}"
        headers.update(self.options.get("headers") or {})
        response = await self._outbound.send(Outgoing(method, self.base_url + path, headers, body))
        if 200 <= response.status < 300:
            return response
        async with response:
            text = (await read_bounded(response, LONGEST_ERROR)).decode("utf-8", "replace")
        raise to_error(response.status, text, response.headers, key=key)

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()


class OpenAICompatibleModel:
    """One model, called with one key."""

    def __init__(self, provider: OpenAICompatible, name: str, key: str) -> None:
        self._provider = provider
        self._name = name
        self._key = key

    @property
    def prefill(self) -> bool:
        """Whether it goes on with an answer that stands as the request's last turn."""
        return bool(self._provider.vendor.quirk(self._name).prefill)

    async def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Yield the answer's deltas; see providers.types.ChatModel."""
        reply = Reply(continues=request.turns[-1:] != () and request.turns[-1].role == "assistant")
        began = asyncio.get_running_loop().time()
        async with await self._open(request) as response:
            if "json" in response.headers.get("Content-Type", ""):
                whole = fold_whole(await self._body(response), reply, self._key)
                for delta in [*whole, *reply.end()]:  # nothing of it is shown unless all of it is well
                    yield delta
                return
            with Watch(response.content, self._provider.limits, began) as watch:
                reader = Reader(reply, watch, self._key)
                while not reader.ended:
                    for delta in reader.read(await self._read(response, reply)):
                        yield delta
        for delta in reply.end():
            yield delta

    async def _open(self, request: ChatRequest) -> aiohttp.ClientResponse:
        options, limits = self._provider.options, self._provider.limits
        body = body_of(self._name, request, self._provider.vendor.quirk(self._name), options)
        encoded = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(limits.first_token if body["stream"] else limits.whole):
                return await self._provider.send("POST", "/chat/completions", self._key, encoded)
        except (aiohttp.ClientError, OSError) as error:
            raise broken(error, self._key) from error

    async def _read(self, response: aiohttp.ClientResponse, reply: Reply) -> bytes:
        """The next bytes; after the finish a broken connection is as good as its end."""
        try:
            return await response.content.readany()
        except ProviderError:
            if not reply.finish_reason:
                raise
        except (aiohttp.ClientError, OSError) as error:
            if not reply.finish_reason:
                raise ProviderError(ErrorClass.TRUNCATED, redact(repr(error), self._key)) from error
        return b""

    async def _body(self, response: aiohttp.ClientResponse) -> str:
        try:
            async with asyncio.timeout(self._provider.limits.whole):
                return (await read_bounded(response, LONGEST_BODY)).decode("utf-8", "replace")
        except TimeoutError as error:
            raise ProviderError(ErrorClass.TIMEOUT, "no whole answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderError(ErrorClass.TRUNCATED, redact(repr(error), self._key)) from error


def body_of(name: str, request: ChatRequest, quirk: Quirk, options: dict[str, Any]) -> dict[str, Any]:
    """The request as JSON, with what the model cannot take left out."""
    turns = merge_system(request.turns) if quirk.no_system else request.turns
    stream = bool(options.get("stream", True))
    body: dict[str, Any] = {
        "model": name,
        "messages": [message_of(turn) for turn in turns],
        "stream": stream,
    }
    if stream and quirk.usage:
        body["stream_options"] = {"include_usage": True}
    body.update(taken(request.sampling, quirk))
    asked = asked_of(request)
    body.update({name: asked[name] for name in asked if name not in quirk.refuses and name not in OURS})
    if turns and turns[-1].role == "assistant":
        go_on(body, quirk.prefill)
    body.update(options.get("body") or {})
    return body


def go_on(body: dict[str, Any], way: str) -> None:
    """Say that the last message is an answer to go on with, in the way that the model knows."""
    if way == "prefix":
        body["messages"][-1]["prefix"] = True
    elif way == "continue":
        body.update(add_generation_prompt=False, continue_final_message=True)


def api_address(url: str) -> str:
    """A base URL as people paste it, ready for paths: without /chat/completions, and with /v1 if bare."""
    url = url.strip().rstrip("/").removesuffix("/chat/completions")
    return url if urlsplit(url).path else f"{url}/v1"


def merge_system(turns: tuple[ChatTurn, ...]) -> tuple[ChatTurn, ...]:
    """System prompts moved into the first question, for models that know no system role."""
    system = "\n\n".join(turn.text for turn in turns if turn.role == "system")
    rest = [turn for turn in turns if turn.role != "system"]
    if not system:
        return tuple(rest)
    if rest and rest[0].role == "user":
        return (replace(rest[0], text=f"{system}\n\n{rest[0].text}"), *rest[1:])
    return (ChatTurn("user", system), *rest)


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """A body, at most `limit` bytes of it."""
    parts, size = [], 0
    while size < limit and (chunk := await response.content.readany()):
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts)[:limit]


def broken(error: Exception, key: str) -> ProviderError:
    """The ProviderError for a connection that could not be made, or broke before an answer began."""
    never = (
        aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, ssl.SSLError
    )  # fmt: skip
    if isinstance(error, never):
        error_class = ErrorClass.CONNECT
    else:
        error_class = ErrorClass.TIMEOUT if isinstance(error, TimeoutError) else ErrorClass.TRANSIENT
    return ProviderError(error_class, redact(f"{type(error).__name__}: {error}", key))

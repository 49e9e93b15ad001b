"""Anthropic's messages, through its SDK: its errors and headers, but our own reading of the events."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import anthropic
import httpx2

from providers.catalog import Vendor
from providers.chat.blocks import Blocks
from providers.chat.limits import limits_of
from providers.chat.messages import body_of
from providers.chat.reply import Reply
from providers.chat.transport import ThroughProxies
from providers.classify import redact, to_error
from providers.errors import ErrorClass, ProviderError
from providers.sse import SseDecoder
from providers.types import ChatRequest, Delta, ProviderConfig

MOST_KEYS = 16  # whose clients are kept
LONGEST_BODY = 4 << 20  # bytes of a response that is not a stream
PROGRESS = frozenset({"ping", "content_block_delta"})
FAILURES = (anthropic.AnthropicError, httpx2.HTTPError, OSError)
NOT_A_LIST = (ValueError, TypeError, AttributeError, RecursionError)  # the SDK builds objects of any JSON


def create(vendor: Vendor, config: ProviderConfig) -> "Anthropic":
    """The registry's entry."""
    return Anthropic(vendor, config)


class Anthropic:
    """An account at Anthropic, or at a server that speaks its messages."""

    def __init__(self, vendor: Vendor, config: ProviderConfig) -> None:
        self.vendor = vendor
        self.options = config.options
        self.limits = limits_of(vendor, config)
        self._clients: dict[str, anthropic.AsyncAnthropic] = {}
        self._client = anthropic.AsyncAnthropic(
            api_key="none",
            base_url=(config.base_url or vendor.base_url).rstrip("/").removesuffix("/v1"),
            max_retries=0,
            timeout=anthropic.Timeout(None, connect=self.limits.connect),
            default_headers={"Accept-Encoding": "identity", **(config.options.get("headers") or {})},
            # A key must not follow a redirect to another host.
            http_client=anthropic.DefaultAsyncHttpxClient(
                follow_redirects=False,
                trust_env=False,
                transport=ThroughProxies(config.proxies) if config.proxies else None,
                event_hooks={"response": [bound]},
            ),  # fmt: skip
        )

    def model(self, name: str, key: str) -> "AnthropicModel":
        """A model of this provider."""
        return AnthropicModel(self, name, key)

    def client(self, key: str) -> anthropic.AsyncAnthropic:
        """The client with one of the keys; connections are shared."""
        if key not in self._clients:
            if len(self._clients) >= MOST_KEYS:
                self._clients.clear()
            self._clients[key] = self._client.with_options(api_key=key or "none")
        return self._clients[key]

    async def models(self, key: str) -> list[str]:
        """Names of the models that the account may use."""
        try:
            async with asyncio.timeout(self.limits.first_token):
                page = await self.client(key).models.list(limit=1000)
            return [model.id for model in page.data]
        except FAILURES as error:
            raise explained(error, key) from error
        except NOT_A_LIST as error:
            raise ProviderError(ErrorClass.TRUNCATED, "the list of models is not JSON") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


class AnthropicModel:
    """One model, called with one key."""

    def __init__(self, provider: Anthropic, name: str, key: str) -> None:
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
        try:
            async with aclosing(self._deltas(request, reply)) as deltas:
                async for delta in deltas:
                    yield delta
        except FAILURES as error:
            if not reply.finish_reason:  # after it only the goodbye is missing
                raise explained(error, self._key, begun=reply.begun) from error
        for delta in reply.end():
            yield delta

    async def _deltas(self, request: ChatRequest, reply: Reply) -> AsyncGenerator[Delta, None]:
        limits = self._provider.limits
        create = self._provider.client(self._key).messages.with_streaming_response.create
        body = body_of(self._name, request, self._provider.vendor.quirk(self._name), self._provider.options)
        loop = asyncio.get_running_loop()
        due = loop.time() + limits.first_token
        opening = create(**body, stream=True)
        response = await _before(due, opening.__aenter__())
        try:
            chunks = response.iter_bytes()
            decoder, blocks = SseDecoder(), Blocks(reply, self._key)
            while chunk := await _before(due, anext(chunks, b"")):
                for event in decoder.feed(chunk):
                    for delta in blocks.fold(event.data):
                        yield delta
                    if event.name in PROGRESS:
                        due = loop.time() + limits.gap
                    elif event.name == "message_stop":
                        reply.done()
                        return
        finally:
            await opening.__aexit__(None, None, None)


class Bounded(httpx2.AsyncByteStream):
    """A body that ends after LONGEST_BODY, however much the server still sends."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = LONGEST_BODY
        async for chunk in self._body:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    async def aclose(self) -> None:
        """Close the connection."""
        await self._body.aclose()


async def bound(response: httpx2.Response) -> None:
    """Limit what the SDK reads as a whole; what came packed, unasked, is not unpacked: it may be a bomb."""
    if response.is_success and response.request.method == "POST":
        return  # an answer's stream: our own reading of it has limits
    response.headers.pop("content-encoding", None)
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = Bounded(response.stream)


async def _before(due: float, waiting: Any) -> Any:
    async with asyncio.timeout_at(due):
        return await waiting


def explained(error: Exception, key: str, *, begun: bool = False) -> ProviderError:
    """The ProviderError for what the SDK raised."""
    if isinstance(error, anthropic.APIStatusError):
        body = error.body if error.body is not None else error.message
        return to_error(error.status_code, body, error.response.headers, key=key)
    message = redact(f"{type(error).__name__}: {error.__cause__ or error}", key)
    if isinstance(error, anthropic.APITimeoutError):
        return ProviderError(ErrorClass.CONNECT, message)  # the SDK times nothing else here
    if isinstance(error, TimeoutError):
        return ProviderError(ErrorClass.TRUNCATED if begun else ErrorClass.TIMEOUT, message)
    never = isinstance(error, anthropic.APIConnectionError)
    return ProviderError(ErrorClass.CONNECT if never else ErrorClass.TRUNCATED, message)

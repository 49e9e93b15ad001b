"""Calls of OpenAI's API beside chat, passed on as they are to vendors that speak it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from providers.catalog import UnknownKind, find_vendor
from providers.chat.openai_compatible import LONGEST_BODY, OpenAICompatible, broken, read_bounded
from providers.errors import ErrorClass, ProviderError
from providers.types import Provider, ProviderConfig

WIRE = "openai"


def takes(config: ProviderConfig, path: str) -> bool:
    """Whether a provider may have a call: the catalogue says so, or only asking tells."""
    try:
        vendor = find_vendor(config.kind)
    except UnknownKind:
        return False
    has = {"/embeddings": vendor.embeddings, "/responses": vendor.responses}.get(path)
    return vendor.wire == WIRE and has is not False


async def post(provider: Provider, path: str, key: str, body: Mapping[str, Any]) -> aiohttp.ClientResponse:
    """The response to a call, with a good status; the caller closes it. Raises ProviderError."""
    if not isinstance(provider, OpenAICompatible):
        raise ProviderError(ErrorClass.CALLER, "this vendor does not speak OpenAI's API")
    encoded = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    try:
        async with asyncio.timeout(provider.limits.whole):
            return await provider.send("POST", path, key, encoded)
    except (aiohttp.ClientError, OSError) as error:
        raise broken(error, key) from error


async def read_whole(response: aiohttp.ClientResponse, limit: float) -> bytes:
    """A response's whole body, JSON as it must be. Raises ProviderError."""
    try:
        async with asyncio.timeout(limit):
            body = await read_bounded(response, LONGEST_BODY)
        json.loads(body)
    except TimeoutError as error:
        raise ProviderError(ErrorClass.TIMEOUT, "no whole answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ProviderError(ErrorClass.TRUNCATED, type(error).__name__) from error
    except (ValueError, RecursionError) as error:
        raise ProviderError(ErrorClass.TRUNCATED, "the answer is not JSON") from error
    return body

"""Keys go to the provider's host alone; reasoning goes to its own field however its bytes are cut."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from providers.chat.events import Reader
from providers.chat.limits import Limits, Watch
from providers.chat.reply import Reply
from providers.errors import ProviderError
from providers.registry import open_provider
from providers.types import ChatRequest, ChatTurn, ProviderConfig, Text, Thinking
from tests.providers.test_adapters import KINDS, asked, served

ASK = ChatRequest((ChatTurn("user", "hello"),))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_takes_a_key_to_another_host(kind: str, status: int) -> None:
    seen: list[str] = []

    async def other(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.json_response({})

    async with served(other) as away:

        async def reply(request: web.Request) -> web.StreamResponse:
            assert "sk-secret-key" in str(request.headers)
            place = away.replace("127.0.0.1", "localhost") + request.path
            return web.Response(status=status, headers={"Location": place})

        async with served(reply) as url:
            config = ProviderConfig("x", kind, url)
            with pytest.raises(ProviderError, match="connect"):
                await asked(config, ASK)
            provider = open_provider(config)
            with pytest.raises(ProviderError, match="connect"):
                await provider.models("sk-secret-key")
            await provider.close()
    assert seen == []


def _event(**delta: Any) -> str:
    return f"data: {json.dumps({'choices': [{'delta': delta}]}, ensure_ascii=False)}\n\n"


STREAM = (
    _event(reasoning="Ду́маю. ")
    + _event(reasoning_content="Ещё. ")
    + _event(content=[{"type": "thinking", "thinking": "И ещё. "}])
    + "".join(_event(content=piece) for piece in ("<th", "ink>внутри</t", "hink>Да 🙂: `<think>", "`"))
    + 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
).encode()


class _Body:
    def set_exception(self, exc: BaseException) -> None:
        raise exc


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_reasoning_in_every_place_cut_at_any_byte(cuts: list[int]) -> None:
    async def read() -> list[Any]:
        reply = Reply()
        with Watch(_Body(), Limits(), asyncio.get_running_loop().time()) as watch:
            reader = Reader(reply, watch, "")
            edges = [0, *sorted(cuts), len(STREAM)]
            pieces = (STREAM[start:end] for start, end in zip(edges, edges[1:], strict=False))
            return [delta for piece in pieces if piece for delta in reader.read(piece)] + reply.end()

    deltas = asyncio.run(read())
    shown = "".join(delta.text for delta in deltas if isinstance(delta, Text))
    thought = "".join(delta.text for delta in deltas if isinstance(delta, Thinking))
    assert shown == "Да 🙂: `<think>`" and thought == "Ду́маю. Ещё. И ещё. внутри"

"""How a vendor misbehaves in an answer that is not streamed."""

import asyncio
import json

from aiohttp import web

from tests.fakes.llm_faults import Fault
from tests.fakes.llm_shapes import OpenAIShape


async def misbehave(request: web.Request, fault: Fault, text: str, shape: OpenAIShape) -> web.StreamResponse:
    """Act a misbehaviour out on a response in one piece."""
    match fault.misbehaviour:
        case "empty":
            return web.Response(content_type="application/json")
        case "empty_text":
            text = ""
        case "unclosed_think":
            text = "<think>I wonder"
        case "in_band":
            return web.json_response({"error": {"message": "Internal error", "type": "api_error"}})
        case "in_band_overload":
            return web.json_response({"error": {"message": "Overloaded", "type": "overloaded_error"}})
    answer = shape.whole("fake", text)
    if fault.misbehaviour == "content_filter":
        answer["choices"][0]["finish_reason"] = "content_filter"
    body = json.dumps(answer).encode()
    match fault.misbehaviour:
        case "cut":
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        case "hang" | "gap" | "reset":
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            response.content_length = len(body)
            await response.prepare(request)
            await response.write(body[: len(body) // 2] if fault.after else b"")
            if fault.misbehaviour != "reset":
                await asyncio.sleep(3600)
            await asyncio.sleep(0.02)
            if request.transport:
                request.transport.abort()
            return response
    return web.Response(body=body, content_type="application/json")

"""A process that speaks vLLM's API and misbehaves as told: `text_standin.py PLAN serve FOLDER --port N ...`.

PLAN is a JSON file; beside it are written `calls` (one JSON line for each thing that happened) and `held-PID`
(the bytes of a device that this process claims to hold).
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

PLAN = Path(sys.argv[1])
plan: dict[str, Any] = json.loads(PLAN.read_text())
options = dict(zip(sys.argv[4:], [*sys.argv[5:], ""], strict=True))
name = options["--served-model-name"]
began = time.monotonic()
state: dict[str, Any] = {"running": 0, "level": 0, "loras": [], "aborted": False}


def note(**what: Any) -> None:
    with (PLAN.parent / "calls").open("a") as file:
        file.write(json.dumps(what) + "\n")


def hold(amount: int) -> None:
    (PLAN.parent / f"held-{os.getpid()}").write_text(str(amount))


@web.middleware
async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
    if request.path not in ("/health", "/metrics"):
        note(path=request.path, query=dict(request.query))
    key = os.environ["VLLM_API_KEY"]
    if request.path.startswith("/v1") and request.headers.get("Authorization") != f"Bearer {key}":
        return web.json_response({"error": {"message": "no key"}}, status=401)
    return await handler(request)


async def health(request: web.Request) -> web.Response:
    return web.Response(status=200 if time.monotonic() - began > plan.get("healthy_after", 0) else 503)


async def complete(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if time.monotonic() - began < plan.get("works_after", 0) or state["level"] or plan.get("broken"):
        return web.json_response({"error": {"message": "EngineCore died"}}, status=500)
    if body["model"] != name and body["model"] not in state["loras"]:
        return web.json_response({"error": {"message": f"no model {body['model']}"}}, status=404)
    if "max_tokens" in body and body["max_tokens"] == 1:
        return web.json_response({"choices": [{"text": "a"}], "model": body["model"]})
    words = ["one", "two", "three", "four", "five"]
    state["running"] += 1
    try:
        if not body.get("stream"):
            await asyncio.sleep(plan.get("token_seconds", 0.01) * len(words))
            note(done=True)
            said = {"role": "assistant", "content": " ".join(words)}
            return web.json_response({"choices": [{"message": said}], "model": body["model"]})
        return await stream(request, body, words)
    except (asyncio.CancelledError, ConnectionResetError):
        note(left=True)
        raise
    finally:
        state["running"] -= 1


async def stream(request: web.Request, body: dict[str, Any], words: list[str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for place, word in enumerate(words):
        if state["aborted"]:
            note(aborted=True)
            return response
        if place == 2 and plan.get("crash"):
            os._exit(9)
        chunk = {"model": body["model"], "choices": [{"delta": {"content": word + " "}}]}
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        await asyncio.sleep(plan.get("token_seconds", 0.01))
    await response.write(b"data: [DONE]\n\n")
    note(done=True)
    return response


async def embeddings(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"embedding": [0.1, 0.2]}], "model": name})


async def sleep(request: web.Request) -> web.Response:
    level = int(request.query.get("level", "1"))
    if request.query.get("mode", "abort") == "abort":
        state["aborted"] = True
    while state["running"] and request.query.get("mode") == "wait":
        await asyncio.sleep(0.02)
    if plan.get("sleep_fails"):
        return web.Response(status=500)
    state["level"] = level
    if level not in plan.get("lies", []):
        hold(plan.get("asleep", 10))
    return web.Response()


async def wake(request: web.Request) -> web.Response:
    if plan.get("wake") == "fails":
        return web.Response(status=500, text="out of memory")
    if plan.get("wake") != "sleeps on":
        state["level"] = 0
    hold(plan.get("held", 1000))
    return web.Response()


async def is_sleeping(request: web.Request) -> web.Response:
    return web.json_response({"is_sleeping": bool(state["level"])})


async def metrics(request: web.Request) -> web.Response:
    lines = f'vllm:num_requests_running{{model_name="{name}"}} {state["running"]}.0\n'
    return web.Response(text=f"# HELP x y\n{lines}" + 'vllm:num_requests_waiting{model_name="x"} 0.0\n')


async def load_lora(request: web.Request) -> web.Response:
    body = await request.json()
    note(lora=body)
    state["loras"].append(body["lora_name"])
    return web.Response(text="Success")


async def nothing(request: web.Request) -> web.Response:
    return web.Response()


async def main() -> None:
    note(argv=sys.argv[2:], environment=dict(os.environ), pid=os.getpid())
    if plan.get("exits"):
        print("CUDA error: out of memory")
        sys.exit(3)
    await asyncio.sleep(plan.get("listens_after", 0.0))
    hold(plan.get("held", 1000))
    app = web.Application(middlewares=[guard])
    app.router.add_get("/health", health)
    app.router.add_get("/metrics", metrics)
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_post("/v1/completions", complete)
    app.router.add_post("/v1/embeddings", embeddings)
    if "--enable-lora" in sys.argv and os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") == "1":
        app.router.add_post("/v1/load_lora_adapter", load_lora)
    if "--enable-sleep-mode" in sys.argv and os.environ.get("VLLM_SERVER_DEV_MODE") == "1":
        app.router.add_post("/sleep", sleep)
        app.router.add_post("/wake_up", wake)
        app.router.add_get("/is_sleeping", is_sleeping)
        app.router.add_post("/collective_rpc", nothing)
        app.router.add_post("/reset_prefix_cache", nothing)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, options["--host"], int(options["--port"])).start()
    await asyncio.Event().wait()


asyncio.run(main())

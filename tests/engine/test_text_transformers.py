"""A real `transformers serve` with the tiny trained model, behind the host's face."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

from tests.engine.text_real import commands, tiny_chat
from tests.engine.text_support import bench, until


async def test_a_real_model_answers_and_its_server_comes_and_goes(tmp_path: Path) -> None:
    model = await asyncio.to_thread(tiny_chat)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HOME": str(tmp_path)}
    more = {
        "command": commands().__getitem__,
        "device": "cpu",
        "environment": environment,
        "start_seconds": 90.0,
    }
    async with bench(tmp_path, [model], **more) as at:
        began = time.monotonic()
        status, answer, _ = await at.chat("tiny/chat", temperature=0)
        started = time.monotonic() - began
        assert status == 200 and answer["choices"][0]["message"]["content"] == "hello user and bot"
        assert answer["model"] == "tiny/chat" and answer["usage"]["completion_tokens"] == 5
        assert str(model.folder) not in json.dumps(answer)

        status, text, _ = await at.chat("tiny/chat", stream=True, stream_options={"include_usage": True})
        lines = [line for line in text.split("\n\n") if line]
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
        said = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
        assert said == "hello user and bot" and lines[-1] == "data: [DONE]" and text.count("[DONE]") == 1
        assert {one["model"] for one in chunks} == {"tiny/chat"} and chunks[-1]["usage"][
            "completion_tokens"
        ] == 5

        assert (await at.post("/v1/completions", model="tiny/chat", prompt="a", max_tokens=1))[0] == 200
        status, answer, _ = await at.post("/v1/embeddings", model="tiny/chat", input="a")
        assert status == 400 and "embeddings" in answer["error"]["message"]
        status, answer, _ = await at.post("/v1/chat/completions", model="tiny/chat", messages="nonsense")
        assert status >= 400 and answer["error"]["message"] and str(model.folder) not in json.dumps(answer)
        replies = await asyncio.gather(*(at.chat("tiny/chat", temperature=0) for _ in range(4)))
        assert {one[1]["choices"][0]["message"]["content"] for one in replies} == {"hello user and bot"}

        engine = at.service.engine("tiny/chat")
        size = engine.resident_bytes() >> 20
        os.kill(engine.pids[0], signal.SIGKILL)
        await until(lambda: engine.state == "failed")
        assert "died with -9" in engine.why and (await at.chat("tiny/chat"))[0] == 200
        began = time.monotonic()
        assert await at.service.free("tiny/chat") and engine.state == "cold" and not engine.pids
        print(f"first answer after {started:.1f} s, {size} MiB, stopped in {time.monotonic() - began:.1f} s")

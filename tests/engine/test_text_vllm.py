"""vLLM's launcher against a process that speaks its API: vLLM itself cannot run here."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from providers.engine.process import reap_orphans, spawn, started_at
from providers.engine.text.memory import NoRoom
from providers.engine.text.model import EngineBusy, EngineFailed, TextModel
from tests.engine.text_support import ROOT, Bench, bench, until


def left(folder: Path) -> list[Path]:
    """Records of processes."""
    return list(folder.glob("*.json"))


TINY = TextModel("org/tiny", Path("/models/tiny"), weights=1 << 30, context=4096, tensor_parallel=2)


async def test_started_on_demand_with_every_parameter_told(tmp_path: Path) -> None:
    os.environ["BOTYARD_SECRET"] = "not for engines"
    async with bench(tmp_path, [TINY]) as at:
        at.plan(healthy_after=0.2, works_after=0.6)
        assert [one.state for one in at.service.reports()] == ["cold"]
        status, answer, _ = await at.chat()
        assert (status, answer["model"]) == (200, "org/tiny")
        assert answer["choices"][0]["message"]["content"] == "one two three four five"
        [argv], [environment] = at.calls("argv"), at.calls("environment")
        for pair in (
            "serve /models/tiny", "--served-model-name org/tiny", "--host 127.0.0.1", "--max-model-len 4096",
            "--tensor-parallel-size 2", "--load-format safetensors", "--max-num-seqs 16",
        ):  # fmt: skip
            assert pair in " ".join(argv)
        need = at.service.engine("org/tiny").estimate_bytes()
        share = float(argv[argv.index("--gpu-memory-utilization") + 1])
        assert share == pytest.approx(need.device / at.memory.device_total, abs=1e-4)
        assert "--trust-remote-code" not in argv and "BOTYARD_SECRET" not in environment
        assert environment["VLLM_SERVER_DEV_MODE"] == "1"
        assert environment["CUDA_VISIBLE_DEVICES"] == "3,5"  # as the ledger chose
        assert at.memory.log == [("reserve", "org/tiny", 2)]
        [report] = at.service.reports()
        assert report.state == "ready" and report.resident_bytes > 1 << 20
    assert at.memory.log[-1] == ("release",)
    assert not left(tmp_path / "run")
    del os.environ["BOTYARD_SECRET"]


async def test_health_alone_is_not_ready(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY], start_seconds=1.0) as at:
        at.plan(broken=True)
        status, answer, headers = await at.chat()
        assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "engine_failed", "5")
        [report] = at.service.reports()
        assert report.state == "failed" and "EngineCore died" in report.why and report.pids == ()
        assert at.memory.log[-1] == ("release",)


async def test_an_engine_that_fails_three_times_is_left_alone(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(exits=True)
        for _ in range(3):
            assert (await at.chat())[0] == 503
        assert "CUDA error: out of memory" in at.service.reports()[0].why
        status, answer, headers = await at.chat()
        assert status == 503 and "repeatedly" in answer["error"]["message"]
        assert int(headers["Retry-After"]) > 500 and len(at.calls("argv")) == 3


async def test_sleep_waits_for_replies_and_wakes_with_a_token(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(token_seconds=0.15)
        await at.service.load("org/tiny")
        reply = asyncio.create_task(at.chat(stream=True))
        await until(lambda: at.service.engine("org/tiny").busy)
        await at.service.sleep("org/tiny")
        assert reply.done() and "five" in reply.result()[1] and not at.calls("aborted")
        assert {"level": "1", "mode": "wait"} in at.calls("query")
        engine = at.service.engine("org/tiny")
        assert engine.state == "asleep" and engine.pids
        need = engine.estimate_bytes()
        assert at.memory.log[-1] == ("adjust", 5, need.host + TINY.weights)
        status, answer, _ = await at.chat()
        assert status == 200 and len(at.calls("argv")) == 1
        assert at.memory.log[-1] == ("adjust", need.device, need.host)
        assert at.calls()[-3:] == ["/wake_up", "/v1/completions", "/v1/chat/completions"]


async def test_level_two_where_the_weights_have_no_room_in_ram(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        await at.service.load("org/tiny")
        at.memory.host_free = at.service.engine("org/tiny").estimate_bytes().host
        await at.service.sleep("org/tiny")
        assert [query for query in at.calls("query") if "mode" in query] == [{"level": "2", "mode": "wait"}]
        assert (await at.chat())[0] == 200
        assert at.calls()[-6:-1] == [
            "/wake_up", "/collective_rpc", "/wake_up", "/reset_prefix_cache", "/v1/completions",
        ]  # fmt: skip


@pytest.mark.parametrize(("lies", "after", "left"), [([1], "asleep", 10), ([1, 2], "cold", None)])
async def test_sleep_that_lies_is_escalated(tmp_path: Path, lies: list[int], after: str, left: int) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(lies=lies)
        await at.service.load("org/tiny")
        pids = at.service.engine("org/tiny").pids
        await at.service.sleep("org/tiny")
        assert [query["level"] for query in at.calls("query") if "mode" in query] == ["1", "2"]
        engine = at.service.engine("org/tiny")
        assert engine.state == after and bool(engine.pids) == (after == "asleep")
        if after == "cold":
            assert not any(started_at(pid) for pid in pids)
            assert at.memory.log[-1] == ("release",) and "kept the memory" in engine.why
        assert (await at.chat())[0] == 200


@pytest.mark.parametrize("wake", ["fails", "sleeps on"])
async def test_a_failed_wake_ends_the_server_and_starts_another(tmp_path: Path, wake: str) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(wake=wake)
        await at.service.load("org/tiny")
        await at.service.sleep("org/tiny")
        [first] = at.service.engine("org/tiny").pids
        assert (await at.chat())[0] == 200
        assert not started_at(first) and len(at.calls("argv")) == 2
        assert ("release",) in at.memory.log


async def test_a_sleep_that_is_refused_ends_the_server(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(sleep_fails=True)
        await at.service.load("org/tiny")
        assert await at.service.free("org/tiny")
        assert at.service.engine("org/tiny").state == "cold" and not at.service.engine("org/tiny").pids


async def test_what_is_in_use_is_not_put_aside(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY], drain_seconds=0.2) as at:
        lease = await at.service.open("org/tiny")
        assert not await at.service.free("org/tiny")
        with pytest.raises(EngineBusy):
            await at.service.unload("org/tiny")
        assert (await at.chat())[0] == 200
        await lease.close()
        assert at.memory.marks[-1] == (0, False) and (1, False) in at.memory.marks
        at.service.pin("org/tiny", True)
        assert at.memory.marks[-1] == (0, True)
        assert not await at.service.free("org/tiny")
        at.service.pin("org/tiny", False)
        assert await at.service.free("org/tiny") and at.service.engine("org/tiny").state == "asleep"
        assert await at.service.free("org/tiny") and at.service.engine("org/tiny").state == "cold"


async def test_an_engine_that_dies_under_a_reply_ends_it_with_an_error(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(crash=True)
        status, text, _ = await at.chat(stream=True)
        assert status == 200 and "engine_died" in text and "[DONE]" not in text
        await until(lambda: at.service.engine("org/tiny").state == "failed")
        assert "died with 9" in at.service.engine("org/tiny").why and at.memory.log[-1] == ("release",)
        at.plan()
        assert "[DONE]" in (await at.chat(stream=True))[1]


async def test_killed_between_requests_it_is_started_again(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        await at.service.load("org/tiny")
        os.kill(at.service.engine("org/tiny").pids[0], signal.SIGKILL)
        await until(lambda: at.service.engine("org/tiny").state == "failed")
        assert (await at.chat())[0] == 200


async def test_a_client_that_leaves_stops_the_engine_within_a_second(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(token_seconds=1.5)
        await at.service.load("org/tiny")
        for stream in (True, False):
            before = len(at.calls("left"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(at.chat(stream=stream), 0.3)
            began = time.monotonic()
            await until(lambda before=before: len(at.calls("left")) > before, 1.0)
            assert time.monotonic() - began < 1.0
            await until(lambda: at.service.engine("org/tiny").busy == 0, 1.0)


async def test_full_is_told_at_once(tmp_path: Path) -> None:
    small = TextModel("org/tiny", Path("/models/tiny"), most_requests=1, waiting=1)
    async with bench(tmp_path, [small]) as at:
        at.plan(token_seconds=0.1)
        running = [asyncio.create_task(at.chat()) for _ in range(2)]
        await until(lambda: at.service.engine("org/tiny").busy == 2)
        status, answer, headers = await at.chat()
        assert (status, answer["error"]["code"]) == (503, "overloaded") and headers["Retry-After"] == "1"
        assert [one[0] for one in await asyncio.gather(*running)] == [200, 200]


async def test_no_room_now_and_no_room_ever(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.memory.refuse = NoRoom(100, 50, ("other",))
        status, answer, headers = await at.chat()
        assert status == 503 and headers["Retry-After"] == "5"
        at.memory.refuse = NoRoom(100, 50, ("other",), forever=True)
        status, answer, _ = await at.chat()
        assert status == 507
        assert answer["error"] | {"message": ""} == {
            "message": "", "type": "server_error", "code": "no_room",
            "need": 100, "have": 50, "held_by": ["other"],
        }  # fmt: skip
        assert not at.calls("argv")


async def test_who_gives_up_waiting_does_not_stop_the_start(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        at.plan(works_after=1.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(at.chat(), 0.5)
        await until(lambda: at.service.engine("org/tiny").state == "ready")
        await asyncio.gather(*(at.chat() for _ in range(3)))
        assert len(at.calls("argv")) == 1


async def test_adapters_come_from_allowed_folders_only(tmp_path: Path) -> None:
    loras = {}
    for name in ("good", "outside", "pickle"):
        folder = tmp_path / ("elsewhere" if name == "outside" else "loras") / name
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text("{}")
        (folder / f"adapter_model.{'bin' if name == 'pickle' else 'safetensors'}").write_text("")
        loras[name] = folder
    (tmp_path / "loras" / "link").symlink_to(loras["outside"])
    loras["link"] = tmp_path / "loras" / "link"
    model = TextModel("org/tiny", Path("/models/tiny"), loras=loras)
    async with bench(tmp_path, [model], lora_folders=(tmp_path / "loras",)) as at:
        for _ in range(2):
            status, answer, _ = await at.chat("org/tiny:good")
            assert (status, answer["model"]) == (200, "good")
        assert at.calls("lora") == [{"lora_name": "good", "lora_path": str(loras["good"])}]
        assert [(await at.chat(f"org/tiny:{name}"))[0] for name in ("outside", "pickle", "link")] == [503] * 3
        assert len(at.calls("lora")) == 1 and (await at.chat("org/tiny:unknown"))[0] == 404


async def test_nothing_but_the_four_paths_can_be_reached(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY]) as at:
        await at.service.load("org/tiny")
        before = len(at.calls())
        for path in (
            "/sleep",
            "/v1/load_lora_adapter",
            "/collective_rpc",
            "/v1/../sleep",
            "/v1/completions/x",
        ):
            assert (await at.post(path, model="org/tiny"))[0] == 404
        assert len(at.calls()) == before
        async with at.http.get(at.url + "/v1/models") as answer:
            assert [one["id"] for one in (await answer.json())["data"]] == ["org/tiny"]
        assert (await at.post("/v1/embeddings", model="org/tiny", input="a"))[1]["data"]
        assert (await at.post("/v1/chat/completions", model=5))[0] == 400
        async with at.http.post(at.url + "/v1/completions", data=b"[" * 100_000) as answer:
            assert answer.status == 400


async def test_what_an_earlier_life_left_running_is_ended(tmp_path: Path) -> None:
    child = await spawn(("sleep", "60"), dict(os.environ), tmp_path)
    (tmp_path / "1.json").write_text('{"pid": 1, "started": "not this one"}')
    (tmp_path / "2.json").write_text("{broken")
    assert reap_orphans(tmp_path) == 1
    assert await child.wait() == -signal.SIGKILL
    assert started_at(1) is not None and not left(tmp_path)
    await child.end(1)


HOST = """
import asyncio, os, sys
from pathlib import Path
from providers.engine.process import spawn

async def main():
    child = await spawn(("sleep", "60"), dict(os.environ), Path(sys.argv[1]))
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_killed_hosts_leave_no_servers(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", HOST, str(tmp_path))
    host = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert host.stdout
    pid = int(await host.stdout.readline())
    await asyncio.sleep(0.2)
    assert started_at(pid)
    host.kill()
    await host.wait()
    await until(lambda: started_at(pid) is None)
    assert len(left(tmp_path)) == 1 and reap_orphans(tmp_path) == 0 and not left(tmp_path)


async def test_a_missing_program_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path, [TINY], command=lambda kind: (f"/nowhere/{kind}",)) as at:
        with pytest.raises(EngineFailed, match="/nowhere/vllm cannot be run"):
            await at.service.load("org/tiny")
        assert isinstance(at, Bench)

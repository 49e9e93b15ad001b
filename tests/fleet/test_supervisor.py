"""Real processes under a real supervisor: they start, crash, hang, are told things and are stopped."""

import asyncio
import json
import os
import resource
import signal
import time

import pytest

from core.fleet.control import Control
from core.provider_secrets import ProviderSecrets
from db.channels import delete_channel
from db.providers import replace_keys, save_provider
from db.routes import Route
from db.slugs import save_one
from tests.fleet.conftest import Yard, alive, stat_of, until

TOKEN = "123456789:AAHabcdefghijklmnopqrstuvwxyz0123456"


async def test_a_row_becomes_a_process_and_the_row_says_so(yard: Yard) -> None:
    channel = await yard.add("worker", token=TOKEN)
    unit = await yard.state(channel, "READY")
    await until(lambda: "heard" not in yard.said(channel) and "token" in yard.said(channel))
    assert TOKEN not in yard.said(channel)
    assert "DATABASE_URL" in yard.said(channel) and "SECRET" not in yard.said(channel)
    await asyncio.sleep(0.2)
    row = await yard.row(channel)
    assert (row.state, row.pid, row.address) == ("READY", unit.pid, "@worker")


async def test_the_process_is_the_supervisors_own_child_in_its_own_group(yard: Yard) -> None:
    unit = await yard.state(await yard.add("worker"), "READY")
    assert unit.pid is not None
    fields = stat_of(unit.pid)
    assert int(fields[1]) == os.getpid()
    assert int(fields[3]) == unit.pid
    open_files = {os.readlink(f"/proc/{unit.pid}/fd/{name}") for name in os.listdir(f"/proc/{unit.pid}/fd")}
    assert not [name for name in open_files if "botyard.db" in name]


async def test_stop_and_start_by_the_row(yard: Yard) -> None:
    channel = await yard.add("worker")
    pid = (await yard.state(channel, "READY")).pid
    await yard.change(channel, enabled=False)
    await yard.state(channel, "STOPPED")
    assert pid and not alive(pid)
    assert "heard drain" in yard.said(channel)
    await yard.change(channel, enabled=True)
    assert (await yard.state(channel, "READY")).restarts == 0


@pytest.mark.kill
async def test_a_killed_channel_is_ready_again_and_others_are_untouched(yard: Yard) -> None:
    first, second = await yard.add("worker", "a"), await yard.add("worker", "b")
    pid = (await yard.state(first, "READY")).pid
    other = (await yard.state(second, "READY")).pid
    assert pid
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: yard.unit(first).state == "READY" and yard.unit(first).pid != pid)
    assert time.monotonic() - begun < 3
    assert yard.unit(second).pid == other
    assert yard.unit(first).restarts == 1


@pytest.mark.kill
async def test_channels_outlive_the_fork_server_and_a_new_one_forks(yard: Yard) -> None:
    channel = await yard.add("worker")
    pid = (await yard.state(channel, "READY")).pid
    forkserver = yard.supervisor.components["forkserver"]
    old = forkserver.pid
    assert pid and old
    os.kill(old, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: yard.unit(channel).state == "READY" and yard.unit(channel).pid not in (None, pid), 10)
    assert forkserver.pid != old
    survivor = yard.unit(channel).pid
    assert forkserver.pid and survivor
    os.kill(forkserver.pid, signal.SIGKILL)
    await until(lambda: forkserver.restarts == 2)
    assert alive(survivor)


@pytest.mark.kill
async def test_a_fork_server_that_does_not_answer_is_replaced(yard: Yard) -> None:
    await yard.state(await yard.add("worker", "a"), "READY")
    forkserver = yard.supervisor.components["forkserver"]
    assert forkserver.pid
    os.kill(forkserver.pid, signal.SIGSTOP)
    await yard.state(await yard.add("worker", "b"), "READY", 10)


@pytest.mark.kill
async def test_a_stopped_process_is_found_killed_and_replaced(yard: Yard) -> None:
    channel = await yard.add("worker")
    pid = (await yard.state(channel, "READY")).pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: yard.unit(channel).state == "READY" and yard.unit(channel).pid not in (None, pid))
    assert not alive(pid)


async def test_a_blocked_loop_leaves_its_stack_in_the_log(yard: Yard) -> None:
    channel = await yard.add("blocked")
    await yard.state(channel, "BACKOFF")
    assert "did not answer" in yard.unit(channel).reason
    assert "fake_process.py" in yard.said(channel) and "_serve" in yard.said(channel)


async def test_a_deaf_channel_is_restarted(yard: Yard) -> None:
    channel = await yard.add("deaf")
    pid = (await yard.state(channel, "READY")).pid
    await until(lambda: yard.unit(channel).state == "READY" and yard.unit(channel).pid not in (None, pid))
    assert "no poll finished" in yard.said(channel)


async def test_a_crash_loop_parks_with_its_last_words_and_a_change_takes_it_up(yard: Yard) -> None:
    good, bad = await yard.add("worker"), await yard.add("crash")
    pid = (await yard.state(good, "READY")).pid
    unit = await yard.state(bad, "PARKED", 10)
    assert "RuntimeError: the crash of [secret]" in unit.reason
    assert yard.unit(good).pid == pid
    await yard.change(bad, name="other")
    await until(lambda: unit.state != "PARKED")


async def test_a_refused_token_parks_at_once(yard: Yard) -> None:
    unit = await yard.state(await yard.add("refused"), "PARKED")
    assert (unit.reason, unit.restarts) == ("the token was refused: \ufffd", 0)


async def test_a_reason_that_no_row_takes_hides_no_other_state(yard: Yard) -> None:
    refused, worker = await yard.add("refused"), await yard.add("worker")
    await yard.state(refused, "PARKED")
    await yard.state(worker, "READY")
    await asyncio.sleep(0.2)
    assert [(await yard.row(one)).state for one in (refused, worker)] == ["PARKED", "READY"]


async def test_one_process_per_token(yard: Yard) -> None:
    first = await yard.add("worker", "a", TOKEN)
    await yard.state(first, "READY")
    second = await yard.add("worker", "b", TOKEN)
    await yard.state(second, "PARKED")
    assert "same token" in yard.unit(second).reason
    await yard.change(first, enabled=False)
    await yard.state(second, "READY")


async def test_a_secret_that_does_not_open_parks(yard: Yard) -> None:
    unit = await yard.state(await yard.add("worker", secret="v1.AAAA"), "PARKED")
    assert "does not open" in unit.reason


async def test_a_new_token_forks_anew_and_other_changes_do_not(yard: Yard) -> None:
    channel = await yard.add("worker", token=TOKEN)
    pid = (await yard.state(channel, "READY")).pid
    await yard.change(channel, config={"color": "red"})
    await until(lambda: "heard wake config" in yard.said(channel))
    assert yard.unit(channel).pid == pid
    for values in ({"config": {"port": 7}}, {"secret": yard.vault.seal("2", f"channel.secret.{channel}")}):
        pid = yard.unit(channel).pid
        await yard.change(channel, **values)
        await until(lambda old=pid: yard.unit(channel).pid not in (None, old))  # type: ignore[misc]
        await yard.state(channel, "READY")


async def test_keys_of_the_route_reach_the_channel_when_they_change(yard: Yard) -> None:
    channel = await yard.add("worker", route_id="r")
    await yard.state(channel, "READY")
    key = "0198a000-0000-7000-8000-000000000001"
    async with yard.database.transaction() as conn:
        await save_provider(conn, "p", kind="x", name="p", config={}, enabled=True, managed="")
        sealed = yard.vault.seal("sk-abcdefghijklmnopqrst", f"provider_key.secret.{key}")
        await replace_keys(conn, "p", [{"id": key, "secret": sealed, "hint": "qrst"}])
        row = {"candidates": ["p:m", "knowledge"], "settings": {}, "managed": ""}
        await save_one(conn, Route, "r", name="r", **row)
    await yard.change(channel, name="x")
    await until(lambda: "keys now {'p': 1}" in yard.said(channel))


async def test_changed_proxies_reach_a_running_channel_and_passwords_no_log(
    yard: Yard, control: Control
) -> None:
    async with yard.database.transaction() as conn:
        await save_provider(conn, "p", kind="x", name="p", config={}, enabled=True, managed="")
        await save_one(conn, Route, "r", name="r", candidates=["auto"], settings={}, managed="")
    channel = await yard.add("worker", route_id="r")
    pid = (await yard.state(channel, "READY")).pid
    addresses = ["socks5://ann:p%40ssword1@127.0.0.1:1", "http://127.0.0.1:2"]
    async with yard.database.transaction() as conn:
        sealed = await control.seal("provider.proxies.p", json.dumps(addresses))
        await save_provider(conn, "p", proxies=sealed)
    await yard.change(channel, name="x")
    await until(lambda: "proxies now {'p': 2}" in yard.said(channel))
    assert yard.unit(channel).pid == pid
    assert await control.provider_secrets("p") == ProviderSecrets((), tuple(addresses))
    for secret in ("p%40ssword1", "p@ssword1"):
        assert secret not in yard.logs.redactor.clean(f"it said {secret}")


async def test_a_provider_whose_proxies_do_not_open_is_handed_out_without_keys(yard: Yard) -> None:
    key = "0198a000-0000-7000-8000-000000000001"
    async with yard.database.transaction() as conn:
        await save_provider(
            conn, "p", kind="x", name="p", config={}, enabled=True, managed="", proxies="v1.AAAA"
        )
        sealed = yard.vault.seal("sk-abcdefghijklmnopqrst", f"provider_key.secret.{key}")
        await replace_keys(conn, "p", [{"id": key, "secret": sealed, "hint": "qrst"}])
    assert await yard.supervisor.planner.provider_secrets("p") == ProviderSecrets()


async def test_a_stubborn_channel_is_killed_when_its_drain_is_over(yard: Yard) -> None:
    channel = await yard.add("stubborn")
    await yard.state(channel, "READY")
    await yard.change(channel, enabled=False)
    await yard.state(channel, "DRAINING")
    await yard.state(channel, "STOPPED")


async def test_a_deleted_row_ends_its_process(yard: Yard) -> None:
    channel = await yard.add("worker")
    pid = (await yard.state(channel, "READY")).pid
    async with yard.database.transaction() as conn:
        await delete_channel(conn, channel)
    await until(lambda: channel not in yard.supervisor.units)
    assert pid and not alive(pid)


async def test_a_kind_that_this_version_does_not_have_parks(yard: Yard) -> None:
    unit = await yard.state(await yard.add("pigeon"), "PARKED")
    assert "pigeon" in unit.reason


async def test_a_supervisor_that_stood_still_blames_nobody(yard: Yard) -> None:
    channel = await yard.add("worker")
    pid = (await yard.state(channel, "READY")).pid
    time.sleep(2.0)  # noqa: ASYNC251 - longer than the time after which a channel counts as hung
    await asyncio.sleep(0.5)
    assert yard.unit(channel).pid == pid


async def test_orphans_of_children_are_reaped(yard: Yard) -> None:
    shell = await asyncio.create_subprocess_shell(f"sleep 0.05 & echo $! >{yard.settings.home / 'pid'}")
    await shell.wait()
    pid = int((yard.settings.home / "pid").read_text())
    await until(lambda: os.path.exists(f"/proc/{pid}") and not alive(pid))
    await until(lambda: not os.path.exists(f"/proc/{pid}"))


async def test_without_descriptors_a_channel_waits_and_supervision_goes_on(yard: Yard) -> None:
    good = await yard.add("worker")
    await yard.state(good, "READY")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    channel = await yard.add("worker", "b")
    await until(lambda: channel in yard.supervisor.units)
    await yard.state(channel, "READY")
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, hard))
    try:
        yard.unit(channel).restart()
        await yard.state(channel, "BACKOFF")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await yard.state(channel, "READY")


async def test_a_full_pipe_never_blocks_a_channel(yard: Yard) -> None:
    channel = await yard.add("noisy")
    await yard.state(channel, "READY")
    await until(lambda: (yard.settings.home / "noisy-done").exists())


async def test_a_kind_of_a_later_generation_is_ready_too(yard: Yard) -> None:
    late, early = await yard.add("late"), await yard.add("worker")
    await yard.state(early, "READY")
    await yard.state(late, "READY")


async def test_events_and_snapshot_reach_the_web_process(yard: Yard, control: Control) -> None:
    events = control.events()
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.05)
    channel = await yard.add("worker", token=TOKEN)
    seen = [await asyncio.wait_for(first, 5)]
    while seen[-1]["topic"] != "conversation":
        seen.append(await asyncio.wait_for(anext(events), 5))
    assert {"config", "state", "log", "conversation"} <= {event["topic"] for event in seen}
    assert seen[-1]["channel_id"] == channel and seen[-1]["text"] == "hello"
    assert TOKEN not in str(seen)
    await yard.state(channel, "READY")
    await until(lambda: yard.unit(channel).run and yard.unit(channel).run.pulse.messages_in)  # type: ignore[union-attr]
    shown = (await control.snapshot())["channels"][channel]
    assert (shown["state"], shown["messages_in"], shown["loop_lag_ms"]) == ("READY", 3, 1.5)
    pid = shown["pid"]
    await control.restart(channel)
    await until(lambda: yard.unit(channel).pid not in (None, pid))
    lines = await control.logs(channel)
    assert any("started, pid" in line["text"] for line in lines)
    assert await control.logs(channel, after=lines[-1]["id"] + 1000) == []
    await control.wake("outbox", channel)
    await until(lambda: "heard wake outbox" in yard.said(channel))
    await events.aclose()  # type: ignore[attr-defined]

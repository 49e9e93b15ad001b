"""Restart decisions, without processes."""

import signal

from core.fleet.backoff import Ending, Failures
from core.fleet.health import Health, Pulse
from core.fleet.states import Timing

TIMING = Timing()


def test_early_exits_back_off_and_the_fifth_parks() -> None:
    failures = Failures(TIMING)
    delays = [failures.after(Ending(1, worked=False), now) for now in (0, 2, 5, 10, 20)]
    assert delays[-1] is None
    for delay, about in zip(delays[:-1], (1, 2, 4, 8), strict=True):
        assert delay is not None and about * 0.8 <= delay <= about * 1.2


def test_the_back_off_ends_at_a_minute() -> None:
    failures = Failures(Timing(most_failures=100))
    delays = [failures.after(Ending(1, worked=False), 0) for _ in range(20)]
    assert max(delay for delay in delays if delay) <= 60


def test_old_failures_are_forgotten() -> None:
    failures = Failures(TIMING)
    assert all(failures.after(Ending(1, worked=False), now * 100.0) for now in range(20))


def test_an_exit_after_work_restarts_after_a_second_until_it_is_a_loop() -> None:
    failures = Failures(TIMING)
    delays = [failures.after(Ending(1, worked=True), float(now)) for now in range(10)]
    assert delays == [1.0] * 9 + [None]


def test_being_killed_by_others_is_no_fault() -> None:
    failures = Failures(TIMING)
    killed = Ending(-signal.SIGKILL, worked=False)
    assert [failures.after(killed, float(now)) for now in range(15)] == [1.0] * 15


def test_a_hung_one_starts_at_once() -> None:
    assert Failures(TIMING).after(Ending(-signal.SIGKILL, worked=True, hung=True), 0) == 0


def test_heartbeats() -> None:
    pulse = Pulse(at=100.0)
    assert pulse.judge(114.9, TIMING, 0) is Health.WELL
    assert pulse.judge(115.1, TIMING, 0) is Health.SILENT
    pulse.take({"last_poll_age": 160, "lag_ms": "x", "queue": None, "errors": float("nan")}, 200.0)
    assert (pulse.lag_ms, pulse.queue, pulse.errors) == (0.0, 0, 0)
    assert pulse.judge(201, TIMING, 150) is Health.DEAF
    assert pulse.judge(201, TIMING, 0) is Health.WELL

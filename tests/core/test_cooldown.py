"""Cooldowns: durations, scopes, one trial at a time, shared by processes and kept over a restart."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.routing.clock import Clock
from core.routing.cooldown import NO_LEASES, TRIAL_FOR, Cooldown
from core.routing.resting import Failure, Rest, after_failure
from core.routing.scopes import scopes_of
from core.routing.state import RestStore, open_state
from providers.errors import ErrorClass
from tests.redis import RedisServer

SCOPES = scopes_of("shop", "https://api.example/v1", "sk-secret", "model-x")
Pair = tuple[Cooldown, Cooldown]


class SetClock(Clock):
    """Clocks that are set by hand: `ahead` is what passed, `off` how wrong the wall's is."""

    def __init__(self) -> None:
        self._started = time.time()
        self.ahead = 0.0
        self.off = 0.0

    def now(self) -> float:
        return 5_000.0 + self.ahead

    def wall(self) -> float:
        return self._started + self.ahead + self.off


@pytest.fixture
def clock() -> SetClock:
    """A clock at some moment."""
    return SetClock()


@pytest.fixture
async def pair(
    new_state: Callable[[], RestStore], clock: SetClock
) -> AsyncIterator[tuple[Cooldown, Cooldown]]:
    """The cooldowns of two processes over one store."""
    pair = _cooldown(new_state(), clock), _cooldown(new_state(), clock)
    for one in pair:
        await one.refresh()
    yield pair
    for one in pair:
        await one.close()


def _cooldown(store: RestStore | None, clock: SetClock) -> Cooldown:
    return Cooldown(store, clock=clock, jitter=lambda: 0.0)


async def _hears(cooldown: Cooldown, clock: SetClock, true: Callable[[], bool]) -> None:
    """What another process wrote is known within a second."""
    async with asyncio.timeout(1.0):
        while True:
            clock.ahead += 1.0
            await cooldown.refresh()
            clock.ahead -= 1.0
            cooldown._read_at = float("-inf")
            if true():
                return
            await asyncio.sleep(0.01)


def _rests(error_class: ErrorClass, count: int, **more: object) -> list[float]:
    """How long each of so many failures in a row makes a scope rest."""
    now, rest, seconds = 1000.0, None, []
    for _ in range(count):
        rest = after_failure(rest, Failure(error_class, now, **more), now)  # type: ignore[arg-type]
        assert rest is not None
        seconds.append(max(rest.until - now, 0.0))
        now = max(now, rest.until) + 1
    return seconds


@pytest.mark.parametrize(
    ("error_class", "expected"),
    [
        (ErrorClass.RATE_LIMIT, [10, 20, 40, 80, 160, 300, 300]),
        (ErrorClass.CONNECT, [2, 4, 8, 16, 30, 30]),
        (ErrorClass.OVERLOAD, [2, 4, 8, 16, 30, 30]),
        (ErrorClass.TRANSIENT, [0, 5, 10, 20, 40, 80, 120, 120]),
        (ErrorClass.TIMEOUT, [0, 5, 10]),
        (ErrorClass.TRUNCATED, [0, 5, 10]),
        (ErrorClass.EMPTY, [0, 5, 10]),
        (ErrorClass.MODEL_GONE, [600, 600]),
        (ErrorClass.QUOTA, [900, 1800, 3600, 7200, 14400, 21600, 21600]),
        (ErrorClass.CREDENTIAL, [900, 900]),
    ],
)
def test_durations(error_class: ErrorClass, expected: list[float]) -> None:
    assert _rests(error_class, len(expected)) == expected


@pytest.mark.parametrize("error_class", [ErrorClass.CONTEXT, ErrorClass.CONTENT, ErrorClass.CALLER])
def test_what_teaches_nothing(error_class: ErrorClass) -> None:
    assert after_failure(None, Failure(error_class, 1.0), 2.0) is None
    assert SCOPES.of(error_class) is None


def test_the_vendors_word_counts_exactly_up_to_an_hour() -> None:
    assert _rests(ErrorClass.RATE_LIMIT, 2, retry_after=7.5) == [7.5, 7.5]
    assert _rests(ErrorClass.OVERLOAD, 1, retry_after=90_000.0) == [3600]
    assert _rests(ErrorClass.RATE_LIMIT, 1, jitter=1.0) == [11]


def test_an_operators_fixed_rest_holds_for_all_failures() -> None:
    assert _rests(ErrorClass.TRANSIENT, 3, fixed=900.0) == [900] * 3
    assert _rests(ErrorClass.RATE_LIMIT, 2, fixed=900.0, retry_after=5.0) == [900] * 2


def test_a_single_failure_of_a_sole_route_cools_nothing() -> None:
    assert _rests(ErrorClass.RATE_LIMIT, 3, sole=True) == [0, 20, 40]


def test_failures_of_one_incident_count_once() -> None:
    first = after_failure(None, Failure(ErrorClass.RATE_LIMIT, 10.0), 11.0)
    assert after_failure(first, Failure(ErrorClass.RATE_LIMIT, 10.5), 12.0) == first


def test_old_failures_are_forgotten() -> None:
    old = Rest("rate_limit", 5, 2000.0, 1000.0)
    rest = after_failure(old, Failure(ErrorClass.RATE_LIMIT, 9000.0), 9000.0)
    assert rest is not None and rest.failures == 1


def test_scopes_by_class_hide_keys() -> None:
    assert SCOPES.of(ErrorClass.RATE_LIMIT) == SCOPES.key_model
    assert SCOPES.of(ErrorClass.QUOTA) == SCOPES.of(ErrorClass.CREDENTIAL) == SCOPES.key
    assert SCOPES.of(ErrorClass.MODEL_GONE) == SCOPES.endpoint_model
    assert SCOPES.of(ErrorClass.CONNECT) == SCOPES.of(ErrorClass.OVERLOAD) == SCOPES.endpoint
    assert SCOPES.of(ErrorClass.TIMEOUT) == SCOPES.of(ErrorClass.EMPTY) == SCOPES.route
    assert all("secret" not in name and len(name) <= 300 for name in SCOPES)
    assert scopes_of("shop", "https://api.example/v1", "sk-new", "model-x").key != SCOPES.key
    assert all(len(name) <= 300 for name in scopes_of("p" * 32, "u" * 999, "k" * 999, "m" * 999))


async def test_one_process_fails_and_the_other_knows(pair: Pair, clock: SetClock) -> None:
    one, two = pair
    rest = one.failed(SCOPES.key_model, Failure(ErrorClass.RATE_LIMIT, clock.now(), 30.0))
    assert rest == one.left(SCOPES) == 30
    await one.flush()
    await _hears(two, clock, lambda: abs(two.left(SCOPES) - 30) < 0.01)


async def test_rests_outlive_a_restart(new_state: Callable[[], RestStore], clock: SetClock) -> None:
    before = _cooldown(new_state(), clock)
    before.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now()))
    await before.close()
    after = _cooldown(new_state(), clock)
    await after.refresh()
    assert abs(after.left(SCOPES) - 900) < 0.01
    await after.close()


async def _rested(one: Cooldown, clock: SetClock) -> None:
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now()))
    await one.flush()
    clock.ahead += 2.5


async def test_after_a_rest_exactly_one_tries(pair: Pair, clock: SetClock) -> None:
    one, two = pair
    await _rested(one, clock)
    await _hears(two, clock, lambda: bool(two.rested(SCOPES)))
    assert one.left(SCOPES) == two.left(SCOPES) == 0
    leases = await one.lease(SCOPES)
    assert leases and leases[1] == (SCOPES.endpoint,)
    assert await two.lease(SCOPES) is None
    assert await one.lease(SCOPES) is None
    assert abs(two.left(SCOPES) - TRIAL_FOR) < 0.01 and two.on_trial(SCOPES)


async def test_of_many_leases_at_once_one_is_given(pair: Pair, clock: SetClock) -> None:
    one, two = pair
    await _rested(one, clock)
    await _hears(two, clock, lambda: bool(two.rested(SCOPES)))
    given = await asyncio.gather(*(cooldown.lease(SCOPES) for cooldown in (one, two) * 10))
    assert len([leases for leases in given if leases]) == 1


async def test_a_trial_that_works_ends_the_rest(pair: Pair, clock: SetClock) -> None:
    one, two = pair
    await _rested(one, clock)
    assert await one.lease(SCOPES)
    one.succeeded(SCOPES, clock.now())
    await one.flush()
    await _hears(two, clock, lambda: not two.known(SCOPES))
    assert await two.lease(SCOPES) == NO_LEASES


async def test_a_trial_that_fails_doubles(pair: Pair, clock: SetClock) -> None:
    one, two = pair
    await _rested(one, clock)
    assert await one.lease(SCOPES)
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now()))
    await one.flush()
    await _hears(two, clock, lambda: abs(two.left(SCOPES) - 4) < 0.01)


async def test_a_cancelled_trial_is_given_back(pair: Pair, clock: SetClock) -> None:
    one, two = pair
    await _rested(one, clock)
    leases = await one.lease(SCOPES)
    assert leases
    one.release(leases)
    await one.flush()
    await _hears(two, clock, lambda: bool(two.rested(SCOPES)) and not two.on_trial(SCOPES))
    again = await two.lease(SCOPES)
    assert again and again[1] == (SCOPES.endpoint,)
    one.release(leases)  # of a lease that is over: another's stays
    await one.flush()
    assert await one.lease(SCOPES) is None


async def test_a_success_that_began_before_the_failure_heals_nothing(pair: Pair, clock: SetClock) -> None:
    one, two = pair
    began = clock.now()
    clock.ahead += 1
    two.failed(SCOPES.key_model, Failure(ErrorClass.RATE_LIMIT, clock.now()))
    await two.flush()
    await _hears(one, clock, lambda: bool(one.known(SCOPES)))
    one.succeeded(SCOPES, began)
    await one.flush()
    assert abs(one.left(SCOPES) - 10) < 0.01


class Counting:
    """A store that counts how it is used."""

    def __init__(self, store: RestStore) -> None:
        self.store = store
        self.looks = self.writes = 0

    async def changes(self) -> dict[str, Rest] | None:
        """Count and look."""
        self.looks += 1
        return await self.store.changes()

    async def update(self, scope: str, decide: Callable[[Rest | None], Rest | None]) -> Rest | None:
        """Count and write."""
        self.writes += 1
        return await self.store.update(scope, decide)

    async def close(self) -> None:
        """Close."""
        await self.store.close()


async def test_healthy_calls_cost_one_look_a_second_and_no_write(tmp_path: Path, clock: SetClock) -> None:
    store = Counting(open_state(tmp_path))
    cooldown = _cooldown(store, clock)
    for _ in range(100):
        await cooldown.refresh()
        assert await cooldown.lease(SCOPES) == NO_LEASES
        cooldown.succeeded(SCOPES, clock.now())
        clock.ahead += 0.01
    assert (store.looks, store.writes) == (1, 0)
    await cooldown.close()


async def test_a_wall_clock_that_is_set_changes_no_rest(tmp_path: Path, clock: SetClock) -> None:
    cooldown = _cooldown(open_state(tmp_path), clock)
    cooldown.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now()))
    await cooldown.flush()
    for off in (-100_000, 100_000):
        clock.off = off
        await cooldown.refresh()
        assert abs(cooldown.left(SCOPES) - 900) < 0.01
    clock.off = -100_000
    another = _cooldown(open_state(tmp_path), clock)  # never longer than it was meant to be
    await another.refresh()
    assert abs(another.left(SCOPES) - 900) < 0.01
    await cooldown.close()
    await another.close()


async def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path, clock: SetClock) -> None:
    (tmp_path / "cooldown.db").write_bytes(b"nothing that SQLite could read" * 100)
    cooldown = _cooldown(open_state(tmp_path), clock)
    cooldown.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now()))
    await _written(cooldown)
    another = _cooldown(open_state(tmp_path), clock)
    await another.refresh()
    assert another.left(SCOPES) > 0
    await cooldown.close()
    await another.close()


async def test_what_cannot_be_written_is_known_here_and_written_later(
    tmp_path: Path, clock: SetClock
) -> None:
    other = sqlite3.connect(tmp_path / "cooldown.db", isolation_level=None)
    cooldown = _cooldown(open_state(tmp_path), clock)
    cooldown.failed(SCOPES.route, Failure(ErrorClass.QUOTA, clock.now()))
    await cooldown.flush()
    other.execute("BEGIN IMMEDIATE")
    cooldown.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now()))
    await asyncio.sleep(0.3)
    assert cooldown.left(SCOPES) == 900
    other.execute("COMMIT")
    await _written(cooldown)
    assert other.execute("SELECT count(*) FROM rest").fetchone() == (2,)
    other.close()
    await cooldown.close()


async def test_redis_may_go_away(redis: RedisServer, clock: SetClock) -> None:
    one, two = (_cooldown(open_state(Path(), redis.url), clock) for _ in range(2))
    for cooldown in (one, two):
        await cooldown.refresh()
    one.failed(SCOPES.key_model, Failure(ErrorClass.RATE_LIMIT, clock.now(), 600.0))
    await one.flush()
    await _hears(two, clock, lambda: two.left([SCOPES.key_model]) > 0)
    redis.down()
    await asyncio.sleep(0.2)
    began = time.monotonic()
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now()))
    two.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now()))
    clock.ahead += 3
    await one.refresh()
    assert one.left([SCOPES.endpoint]) == 0 and one.left([SCOPES.key_model]) > 500
    assert await one.lease([SCOPES.endpoint])
    assert time.monotonic() - began < 2
    redis.up()  # without all that it knew
    for cooldown in (one, two):
        await _written(cooldown)
    await _hears(one, clock, lambda: one.left([SCOPES.key]) > 800)
    await _hears(two, clock, lambda: two.on_trial([SCOPES.endpoint]))
    third = _cooldown(open_state(Path(), redis.url), clock)
    await third.refresh()
    assert third.left([SCOPES.key_model]) > 500
    for cooldown in (one, two, third):
        await cooldown.close()


async def test_without_redis_nothing_waits_long(clock: SetClock) -> None:
    cooldown = _cooldown(open_state(Path(), "redis://127.0.0.1:9/0"), clock)
    began = time.monotonic()
    for _ in range(5):
        await cooldown.refresh()
        clock.ahead += 2
    cooldown.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now()))
    assert cooldown.left(SCOPES) == 900
    await cooldown.close()
    assert time.monotonic() - began < 3


async def _written(cooldown: Cooldown) -> None:
    async with asyncio.timeout(8):
        while cooldown._unwritten:
            await asyncio.sleep(0.02)

"""Cooldowns: durations, scopes, one trial at a time, shared by processes and kept over a restart."""

from collections.abc import AsyncIterator

import pytest

from core.routing.cooldown import TRIAL_FOR, Cooldown, scopes_of
from core.routing.resting import Failure, Rest, after_failure
from db.database import Database
from providers.errors import ErrorClass

SCOPES = scopes_of("shop", "https://api.example/v1", "sk-secret", "model-x")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at some moment."""
    return Clock()


@pytest.fixture
async def pair(database: Database, clock: Clock) -> AsyncIterator[tuple[Cooldown, Cooldown]]:
    """The cooldowns of two processes over one database."""
    other = Database(database.url)
    yield _cooldown(database, clock), _cooldown(other, clock)
    await other.close()


def _cooldown(database: Database, clock: Clock) -> Cooldown:
    return Cooldown(database, clock=clock, jitter=lambda: 0.0)


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


def test_a_single_failure_of_a_sole_route_cools_nothing() -> None:
    assert _rests(ErrorClass.RATE_LIMIT, 3, sole=True) == [0, 20, 40]


def test_failures_of_one_incident_count_once() -> None:
    first = after_failure(None, Failure(ErrorClass.RATE_LIMIT, 10.0), 11.0)
    assert after_failure(first, Failure(ErrorClass.RATE_LIMIT, 10.5), 12.0) == first


def test_old_failures_are_forgotten() -> None:
    old = Rest("rate_limit", 5, 2000.0, 0.0, 1000.0)
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


async def test_one_process_fails_and_the_other_knows(pair: tuple[Cooldown, Cooldown], clock: Clock) -> None:
    one, two = pair
    until = one.failed(SCOPES.key_model, Failure(ErrorClass.RATE_LIMIT, clock.now, 30.0))
    assert until == one.free_at(SCOPES) == clock.now + 30
    await one.flush()
    await two.refresh()
    assert two.free_at(SCOPES) == until


async def test_rests_outlive_a_restart(database: Database, clock: Clock) -> None:
    before = _cooldown(database, clock)
    before.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now))
    await before.flush()
    after = _cooldown(database, clock)
    await after.refresh()
    assert after.free_at(SCOPES) == clock.now + 900


async def test_after_a_rest_exactly_one_tries(pair: tuple[Cooldown, Cooldown], clock: Clock) -> None:
    one, two = pair
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now))
    await one.flush()
    clock.now += 2.5
    await two.refresh()
    assert one.free_at(SCOPES) == two.free_at(SCOPES) == 0
    assert await one.lease(SCOPES) == [SCOPES.endpoint]
    assert await two.lease(SCOPES) is None
    assert await one.lease(SCOPES) is None
    await two.refresh()
    assert two.free_at(SCOPES) == clock.now + TRIAL_FOR


async def test_a_trial_that_works_ends_the_rest(pair: tuple[Cooldown, Cooldown], clock: Clock) -> None:
    one, two = pair
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now))
    await one.flush()
    clock.now += 2.5
    assert await one.lease(SCOPES)
    one.succeeded(SCOPES, clock.now)
    await one.flush()
    await two.refresh()
    assert two.free_at(SCOPES) == 0 and two.failed_at(SCOPES) == 0
    assert await two.lease(SCOPES) == []


async def test_a_trial_that_fails_doubles(pair: tuple[Cooldown, Cooldown], clock: Clock) -> None:
    one, two = pair
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now))
    await one.flush()
    clock.now += 2.5
    assert await one.lease(SCOPES)
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now))
    await one.flush()
    await two.refresh()
    assert two.free_at(SCOPES) == clock.now + 4


async def test_a_cancelled_trial_is_given_back(pair: tuple[Cooldown, Cooldown], clock: Clock) -> None:
    one, two = pair
    one.failed(SCOPES.endpoint, Failure(ErrorClass.CONNECT, clock.now))
    await one.flush()
    clock.now += 2.5
    leases = await one.lease(SCOPES)
    assert leases
    one.release(leases)
    await one.flush()
    await two.refresh()
    assert await two.lease(SCOPES) == [SCOPES.endpoint]


async def test_a_success_that_began_before_the_failure_heals_nothing(
    pair: tuple[Cooldown, Cooldown], clock: Clock
) -> None:
    one, two = pair
    began = clock.now
    clock.now += 1
    two.failed(SCOPES.key_model, Failure(ErrorClass.RATE_LIMIT, clock.now))
    await two.flush()
    await one.refresh()
    one.succeeded(SCOPES, began)
    await one.flush()
    assert one.free_at(SCOPES) == clock.now + 10


async def test_a_healthy_call_costs_no_write(sqlite_url: str, clock: Clock) -> None:
    database = Database(sqlite_url)
    cooldown = _cooldown(database, clock)
    await cooldown.refresh()
    assert await cooldown.lease(SCOPES) == []
    cooldown.succeeded(SCOPES, clock.now)
    assert not cooldown._writing
    await database.close()


async def test_a_clock_set_back_ends_all_rests(database: Database, clock: Clock) -> None:
    cooldown = _cooldown(database, clock)
    cooldown.failed(SCOPES.key, Failure(ErrorClass.QUOTA, clock.now))
    await cooldown.flush()
    clock.now -= 100_000
    assert cooldown.free_at(SCOPES) == 0

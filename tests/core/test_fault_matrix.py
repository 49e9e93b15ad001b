"""The matrix of docs/benchmarks.md with short deadlines: no fault is seen while one route is healthy."""

from bench.faults import ALL, PLACES, Limits, matrix
from core.routing.resting import DURATIONS
from providers.errors import ErrorClass


def test_every_class_has_a_fault() -> None:
    assert {fault.expected for fault in ALL.values()} == set(ErrorClass) - {ErrorClass.CALLER}
    assert set(DURATIONS) < set(ErrorClass)


async def test_no_fault_is_seen_and_none_costs_more_than_one_call() -> None:
    """One test, so that a second run of it measures everything anew."""
    cells = await matrix(Limits(first_token=0.6, gap=0.6, whole=0.75, connect=2.0))
    assert len(cells) == 2 * len(ALL) * 2 * len(PLACES)
    assert [case for case in cells if not case.faultless] == []
    assert [case for case in cells if case.place != "last" and not sum(case.asked)] == []
    clients = [case for case in cells if not case.replaces and case.streamed and case.fault.after]
    assert {case.name for case in clients if case.broken} >= {"gap", "reset", "cut"}

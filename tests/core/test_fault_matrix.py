"""The matrix of docs/benchmarks.md with short deadlines: no fault is seen while one route is healthy."""

import asyncio

import pytest

from bench.faults import ALL, PLACES, Case, Limits, matrix
from core.routing.resting import DURATIONS
from providers.errors import ErrorClass


@pytest.fixture(scope="module")
def cells() -> list[Case]:
    """Every cell, measured."""
    return asyncio.run(matrix(Limits(first_token=0.4, gap=0.4, whole=0.5, connect=2.0)))


def test_every_class_has_a_fault() -> None:
    assert {fault.expected for fault in ALL.values()} == set(ErrorClass) - {ErrorClass.CALLER}
    assert set(DURATIONS) < set(ErrorClass)


def test_no_fault_is_seen_and_none_costs_more_than_one_call(cells: list[Case]) -> None:
    assert len(cells) == 2 * len(ALL) * 2 * len(PLACES)
    assert [case for case in cells if not case.faultless] == []


def test_a_fault_was_there_to_be_seen(cells: list[Case]) -> None:
    assert [case for case in cells if case.place != "last" and not sum(case.asked)] == []
    clients = [case for case in cells if not case.replaces and case.streamed and case.fault.after]
    assert {case.name for case in clients if case.broken} >= {"gap", "reset", "cut"}

"""A stream's pieces leave at once, or together when they come faster than a screen is painted."""

import asyncio
import time

from admin.gateway.pace import FRAME, Pace


async def sent(gaps: list[float]) -> list[tuple[float, int]]:
    """When pieces left (seconds from the start), and how many each time, for pieces that come after gaps."""
    ready: list[int] = []
    writes: list[tuple[float, int]] = []
    begun = time.monotonic()

    async def flush() -> None:
        if ready:
            writes.append((time.monotonic() - begun, len(ready)))
            ready.clear()

    pace = Pace(flush)
    for number, gap in enumerate(gaps):
        await asyncio.sleep(gap)
        ready.append(number)
        await pace.waiting()
    await asyncio.sleep(4 * FRAME)
    await pace.settled()
    pace.stop()
    assert not ready
    return writes


async def test_slow_pieces_leave_one_by_one_and_at_once() -> None:
    writes = await sent([0.0, 3 * FRAME, 3 * FRAME])
    assert [count for _, count in writes] == [1, 1, 1] and writes[0][0] < FRAME


async def test_fast_pieces_leave_together_and_the_last_one_soon() -> None:
    writes = await sent([0.0] + [0.002] * 30)
    assert sum(count for _, count in writes) == 31 and len(writes) < 20
    assert writes[0][1] == 1 and writes[0][0] < FRAME


async def test_what_fails_is_told_to_the_stream() -> None:
    async def flush() -> None:
        raise ConnectionError("gone")

    pace = Pace(flush)
    for _ in range(2):  # at once, and late
        try:
            await pace.waiting()
            await asyncio.sleep(3 * FRAME)
            await pace.settled()
        except ConnectionError:
            continue
        raise AssertionError("nothing was told")
    pace.stop()

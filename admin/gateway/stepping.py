"""Awaiting something and doing something else first, but only if there is a wait."""

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

Found = TypeVar("Found")


@types.coroutine
def step(
    coroutine: Coroutine[Any, Any, Found], before_waiting: Callable[[], Awaitable[None]]
) -> Generator[Any, Any, Found]:
    """The coroutine's result. What is ready comes at once; before the first wait, `before_waiting` runs.

    So deltas that came in one packet leave in one.
    """
    told = False
    try:
        waited = coroutine.send(None)
        while True:
            try:
                if not told:
                    told = True
                    yield from before_waiting().__await__()
                sent = yield waited
            except BaseException as error:  # noqa: BLE001  # belongs to the coroutine, a cancellation above all
                waited = coroutine.throw(error)
            else:
                waited = coroutine.send(sent)
    except StopIteration as done:
        found: Found = done.value
        return found

"""Models whose engines fail again and again rest for a while."""

import time
from collections import deque

FAILURES, WINDOW = 3, 600.0  # so many within so many seconds, then the model rests


class Breaker:
    """The last failures of each model."""

    def __init__(self) -> None:
        self._failed: dict[str, deque[float]] = {}

    def failed(self, model: str) -> None:
        """Its engine died, or did not start."""
        self._failed.setdefault(model, deque(maxlen=FAILURES)).append(time.monotonic())

    def rest(self, model: str) -> float:
        """Seconds for which it is still to be left alone; 0 for one that may be tried."""
        failed = self._failed.get(model)
        if failed is None or len(failed) < FAILURES:
            return 0.0
        return max(failed[0] + WINDOW - time.monotonic(), 0.0)

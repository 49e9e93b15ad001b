"""The two clocks of a rest: a steady one for this process, the wall's for what all processes read."""

import time
from dataclasses import replace

from db.cooldowns import Rest


class Clock:
    """Steady seconds, which nobody sets, and UTC epoch seconds."""

    def now(self) -> float:
        """The steady clock; it is the event loop's too."""
        return time.monotonic()

    def wall(self) -> float:
        """The wall's clock."""
        return time.time()

    def to_wall(self, moment: float) -> float:
        """A steady moment as UTC epoch seconds."""
        return moment - self.now() + self.wall()

    def stored(self, rest: Rest | None) -> Rest | None:
        """A rest as the store has it."""
        return rest and _moved(rest, self.wall() - self.now())

    def known(self, rest: Rest | None) -> Rest | None:
        """A stored rest on the steady clock. A failure in the future is of a clock that was set back since:
        it counts as if it were now, so that no rest gets longer."""
        if rest is None:
            return None
        wall = self.wall()
        return _moved(rest, self.now() - max(wall, rest.updated_at))


def _moved(rest: Rest, seconds: float) -> Rest:
    return replace(
        rest,
        until=rest.until and rest.until + seconds,
        updated_at=rest.updated_at + seconds,
        trial_until=rest.trial_until and rest.trial_until + seconds,
    )

"""What the limits leave to one answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """`free_only`: only free and local candidates (and knowledge) may answer. `exhausted` are providers
    over a limit of their own. `stopped`: nothing may answer. `resets_at` (UTC epoch seconds) is when the
    limit that binds most begins anew, `measure` what that limit counts."""

    free_only: bool = False
    stopped: bool = False
    exhausted: frozenset[str] = frozenset()
    resets_at: float | None = None
    measure: str = ""


UNLIMITED = Allowance()

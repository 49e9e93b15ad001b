"""The states of a supervised process, and the times that supervision goes by."""

from dataclasses import dataclass

STOPPED = "STOPPED"
STARTING = "STARTING"
READY = "READY"
DEGRADED = "DEGRADED"
BACKOFF = "BACKOFF"
PARKED = "PARKED"
DRAINING = "DRAINING"

SERVING = frozenset({READY, DEGRADED})

EXIT_LOCKED = 75
EXIT_CREDENTIAL = 77
EXIT_CONFIGURATION = 78


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, and counts within them. Tests shorten them."""

    tick: float = 0.25
    reconcile: float = 2.0
    silent: float = 15.0  # without a beat before a process counts as hung
    dump: float = 1.0  # to write its stacks before it is killed
    drain: float = 20.0
    restart: float = 1.0  # after an exit of a process that had worked
    backoff_most: float = 60.0
    window: float = 300.0
    most_failures: int = 5  # within the window, before READY: parked
    most_crashes: int = 10  # within the window, after it had worked: parked
    settled: float = 10.0  # READY for so long counts as having worked
    starts_at_once: int = 16
    start_slot: float = 10.0  # a slow start gives its place to the next one after so long
    fork: float = 10.0  # for the fork server's answer
    takeover: float = 10.0  # for the locks and the port of an orchestrator that was killed

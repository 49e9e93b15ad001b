"""What every supervised channel works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.fleet.forks import Forks
from core.fleet.logs import Log
from core.fleet.states import Timing
from core.kinds import ChannelKind


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Made once by the supervisor; `on_change` hears the id of a channel whose state changed."""

    kinds: Mapping[str, ChannelKind]
    forks: Forks
    run_dir: Path
    start_message: Mapping[str, Any]  # what every channel is told at its start
    timing: Timing
    open_log: Callable[[str], Log]
    on_change: Callable[[str], None]
    publish: Callable[[dict[str, Any]], None]

"""One channel over all its lives: what is wanted of it, what state it is in, when it starts again."""

import time
from typing import Any

from core.fleet.backoff import Ending, Failures
from core.fleet.health import Health
from core.fleet.locks import FileLock, LockHeld, lock_token
from core.fleet.logs import LogLine
from core.fleet.run import Run, RunEvents
from core.fleet.states import (
    BACKOFF,
    DEGRADED,
    DRAINING,
    EXIT_CONFIGURATION,
    EXIT_CREDENTIAL,
    PARKED,
    READY,
    SERVING,
    STARTING,
    STOPPED,
)
from core.fleet.surroundings import Surroundings
from core.fleet.wanted import Wanted
from core.kinds import ChannelKind

LONGEST_REASON = 1000


class Unit:
    """One channel; without a process it is STOPPED, STARTING (waiting for its turn), BACKOFF or PARKED."""

    def __init__(self, wanted: Wanted, around: Surroundings) -> None:
        self.wanted = wanted
        self.state = STOPPED
        self.reason = ""
        self.since = time.time()
        self.restarts = 0
        self.address = ""
        self.run: Run | None = None
        self.log = around.open_log(wanted.name)
        self._around = around
        self._failures = Failures(around.timing)
        self._lock: FileLock | None = None
        self._retry_at = 0.0
        self._token_busy = False

    @property
    def waiting(self) -> bool:
        """True when it should be started as soon as there is room."""
        return self.run is None and self.state == STARTING

    @property
    def pid(self) -> int | None:
        """Of its process."""
        return self.run.pid if self.run else None

    def update(self, wanted: Wanted) -> None:
        """Take in what the row says now."""
        old, self.wanted = self.wanted, wanted
        if self.run is None:
            self._update_idle(old)
        elif not wanted.enabled or wanted.broken:
            self.drain("stop")
        elif wanted.token != old.token or self._refork_values(wanted) != self._refork_values(old):
            self.drain("refork")
        elif wanted.secrets != old.secrets:
            self.run.send({"t": "secrets", "providers": wanted.handed})

    def start(self) -> None:
        """Have the process forked."""
        if not self._take_token():
            return
        try:
            self._fork()
        except OSError as error:  # no descriptors or no memory left
            self.run = None
            self._release_token()
            self._retry_at = time.monotonic() + self._around.timing.restart
            self._become(BACKOFF, f"it cannot be started: {error.strerror}")

    def _fork(self) -> None:
        run = Run(RunEvents(self._message, self._lines, self._started, self._ended))
        self.run = run
        run.send(
            {
                **self._around.start_message,
                "t": "start",
                "channel_id": self.wanted.id,
                "token": self.wanted.token,
                "providers": self.wanted.handed,
            }
        )
        run.fork(self._around.forks, self.wanted.kind, self.wanted.name)

    def restart(self) -> None:
        """Somebody asks for a fresh process; past failures are forgotten."""
        self._failures.clear()
        if self.run:
            self.drain("refork")
        elif self.wanted.enabled and not self.wanted.broken:
            self._become(STARTING)

    def drain(self, why: str) -> None:
        """End the process with the grace of a drain; `why` is stop, refork, deaf or shutdown."""
        if self.run and not self.run.asked:
            self.run.drain(why, self._around.timing.drain)
            self._become(DRAINING)
        elif self.run and why in ("stop", "shutdown"):
            self.run.asked = why
        elif self.run is None and why == "shutdown":
            self._become(STOPPED)

    def tick(self, now: float) -> None:
        """Look at the clock: back-off over, drain too long, process hung or deaf."""
        if self.run is None:
            if self.state == BACKOFF and now >= self._retry_at:
                self._become(STARTING)
            return
        if self.run.drain_by is not None and now > self.run.drain_by:
            self.run.kill()
            return
        health = self.run.pulse.judge(now, self._around.timing, self._kind.deaf_after)
        if health is Health.SILENT:
            self._silent(self.run, now)
        elif health is Health.DEAF and self.run.ready_at is not None and not self.run.asked:
            self.note("WARNING", "no poll finished for too long; starting it again")
            self.drain("deaf")
        else:
            self.run.dump_asked = None

    def forgive(self, seconds: float) -> None:
        """The supervisor itself stood still: nobody's heartbeat is late for that."""
        if self.run:
            self.run.pulse.at += seconds

    def note(self, level: str, text: str) -> None:
        """A line of the supervisor's own in the channel's log."""
        self._lines([f"{level} supervisor: {text}"])

    def close(self) -> None:
        """The row is gone: let go of the log."""
        self.log.close()

    @property
    def _kind(self) -> ChannelKind:
        return self._around.kinds[self.wanted.kind]

    def _update_idle(self, old: Wanted) -> None:
        wanted = self.wanted
        if not wanted.enabled:
            self._failures.clear()
            self._become(STOPPED)
        elif wanted.broken:
            self._become(PARKED, wanted.broken)
        elif wanted.kind not in self._around.kinds:
            self._become(PARKED, f"this Botyard has no channel of the kind {wanted.kind}")
        elif self.state == STOPPED or wanted.updated_at != old.updated_at or wanted.token != old.token:
            self._failures.clear()
            self._become(STARTING)
        elif self.state == PARKED and self._token_busy and self._take_token():
            self._release_token()
            self._become(STARTING)

    def _refork_values(self, wanted: Wanted) -> list[Any]:
        return [wanted.config.get(key) for key in self._kind.refork_keys]

    def _take_token(self) -> bool:
        if not self._kind.token_lock or not self.wanted.token or self._lock:
            return True
        try:
            self._lock = lock_token(self._around.run_dir, self.wanted.token)
        except LockHeld:
            self._token_busy = True
            self._become(PARKED, "another instance uses the same token")
            return False
        self._token_busy = False
        return True

    def _release_token(self) -> None:
        if self._lock:
            self._lock.release()
        self._lock = None

    def _message(self, message: dict[str, Any]) -> None:
        run = self.run
        if run is None:
            return
        kind = message.get("t")
        if kind == "beat":
            run.pulse.take(message, time.monotonic())
            self._judge_work(run)
        elif kind == "state":
            self._take_state(run, message)
        elif kind == "event":
            event = {name: value for name, value in message.items() if name != "t"}
            self._around.publish({"topic": "conversation", **event, "channel_id": self.wanted.id})

    def _take_state(self, run: Run, message: dict[str, Any]) -> None:
        reason = self.log.clean(str(message.get("reason") or ""))[:LONGEST_REASON]
        state = message.get("state")
        if "address" in message:
            self.address = self.log.clean(str(message["address"] or ""))[:120]
        if state == PARKED:
            self.reason = reason  # it is about to exit with 77 or 78
        elif state in SERVING and not run.asked:
            if run.ready_at is None and state == READY:
                run.ready_at = time.monotonic()
                self.note("INFO", f"ready after {run.ready_at - run.begun:.2f} s")
            self._become(state, reason if state == DEGRADED else "")

    def _judge_work(self, run: Run) -> None:
        if run.worked or run.ready_at is None:
            return
        for_so_long = time.monotonic() - run.ready_at
        age = run.pulse.last_poll_age
        polled = age is not None and age + 0.1 < for_so_long
        run.worked = polled or for_so_long > self._around.timing.settled

    def _silent(self, run: Run, now: float) -> None:
        if run.dump_asked is None:
            self.note("WARNING", "no heartbeat; asking for its stacks")
            run.dump()
        elif now - run.dump_asked >= self._around.timing.dump:
            run.kill("hung")

    def _lines(self, lines: list[str]) -> None:
        self._publish_lines(self.log.add(lines))

    def _publish_lines(self, lines: list[LogLine]) -> None:
        for line in lines:
            self._around.publish({"topic": "log", "channel_id": self.wanted.id, "line": line.to_json()})

    def _started(self) -> None:
        self.note("INFO", f"started, pid {self.pid}")
        self._around.on_change(self.wanted.id)

    def _ended(self, code: int | None) -> None:
        run, self.run = self.run, None
        self._release_token()
        if run is None:
            return
        self._judge_work(run)
        again = self.wanted.enabled and run.asked != "shutdown"
        if run.asked in ("stop", "refork", "deaf", "shutdown") or not again:
            self.note("INFO", "stopped")
            self.restarts += run.asked == "deaf"
            self._become(STARTING if again else STOPPED)
        elif code is None:
            self._become(STARTING)
        elif code in (EXIT_CREDENTIAL, EXIT_CONFIGURATION):
            self._park(self.reason or self.log.last_error() or f"exit code {code}")
        else:
            self._failed(Ending(code, run.worked, hung=run.asked == "hung"))

    def _failed(self, ending: Ending) -> None:
        now = time.monotonic()
        delay = self._failures.after(ending, now)
        why = f"{ending.text}: {self.log.last_error()}".rstrip(": ")
        if delay is None:
            self._park(f"it failed again and again; at last {why}\n{self.log.tail(10)}")
            return
        self.restarts += 1
        self._retry_at = now + delay
        self.note("WARNING", f"{ending.text}; next start in {delay:.1f} s")
        self._become(BACKOFF, why)

    def _park(self, reason: str) -> None:
        self.note("WARNING", f"parked: {reason.splitlines()[0]}")
        self._become(PARKED, reason[:LONGEST_REASON])

    def _become(self, state: str, reason: str = "") -> None:
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason, self.since = state, reason, time.time()
        self._around.on_change(self.wanted.id)

"""What the web process may ask of the orchestrator."""

import os
import re
import time
from collections.abc import Mapping
from typing import Any, Protocol

from core.fleet.component import Component
from core.fleet.control_server import Operation, Refused
from core.fleet.logs import LogBook
from core.fleet.sampler import Sampler
from core.fleet.unit import Unit
from core.fleet.wanted import Planner
from core.fleet.workers import JOBS, Workers
from core.provider_secrets import passwords_in
from core.secrets import Vault

SEALED_PLACES = re.compile(
    r"(?:channel|provider_key)\.secret\.[0-9a-f-]{36}|provider\.proxies\.[a-z0-9_-]{1,32}"
)
LONGEST_SECRET = 16 * 1024
MOST_LINES = 500


class Office(Protocol):
    """The parts of the supervisor that requests are served from."""

    units: dict[str, Unit]
    logs: LogBook
    vault: Vault
    planner: Planner
    sampler: Sampler
    started_at: float

    @property
    def components(self) -> Mapping[str, Component]:
        """The programs of the control plane, by name."""
        ...

    @property
    def workers(self) -> Workers | None:
        """The programs that run on demand."""
        ...

    def wake(self, channel_id: str | None = None) -> None:
        """The rows changed."""
        ...

    def publish(self, event: dict[str, Any]) -> None:
        """Tell whoever watches live."""
        ...


class Operations:
    """One method per operation of the control socket; each takes the request and returns the result."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def by_name(self) -> dict[str, Operation]:
        """The operations as the control server looks them up."""
        return {
            "wake": self.wake,
            "seal": self.seal,
            "snapshot": self.snapshot,
            "logs": self.read_logs,
            "provider_secrets": self.provider_secrets,
            "restart": self.restart,
            "beat": self.beat,
            "start_engine": self.start_engine,
        }

    async def wake(self, request: dict[str, Any]) -> dict[str, Any]:
        """Something changed: what, and of which channel (None for all)."""
        what, channel_id = request.get("what"), request.get("channel_id")
        if what not in ("config", "inbox", "outbox", "jobs") or not isinstance(channel_id, str | None):
            raise Refused("wake needs `what`: config, inbox, outbox or jobs")
        if what == "config":
            self._office.wake(channel_id)
        if what == "jobs":
            self._office.publish({"topic": "jobs"})
        for unit in self._office.units.values() if what in ("inbox", "outbox") else ():
            if unit.run and channel_id in (None, unit.wanted.id):
                unit.run.send({"t": "wake", "what": what})
        return {}

    async def seal(self, request: dict[str, Any]) -> dict[str, Any]:
        """Seal a secret for one row and column."""
        aad, text = request.get("aad"), request.get("text")
        if not isinstance(aad, str) or not SEALED_PLACES.fullmatch(aad):
            raise Refused(
                "seal needs `aad`: channel.secret.ID, provider_key.secret.ID or provider.proxies.ID"
            )
        if not isinstance(text, str) or len(text) > LONGEST_SECRET:
            raise Refused("seal needs a text of at most 16 kB")
        try:
            sealed = self._office.vault.seal(text, aad)
        except UnicodeEncodeError as error:
            raise Refused("the secret holds characters that are not text") from error
        self._office.logs.redactor.learn([text, *passwords_in(text.split('"'))])
        return {"sealed": sealed}

    async def snapshot(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Everything that runs, for the dashboard and the metrics."""
        office = self._office
        own = {"state": "READY", "reason": "", "since": office.started_at, "restarts": 0, "pid": os.getpid()}
        shown = {name: one.status() for name, one in office.components.items()} | {"orchestrator": own}
        return {
            "started_at": office.started_at,
            "channels": {unit.wanted.id: self._channel(unit) for unit in office.units.values()},
            "components": {name: {**one, **office.sampler.of(one["pid"])} for name, one in shown.items()},
        }

    async def read_logs(self, request: dict[str, Any]) -> dict[str, Any]:
        """Newest lines of a channel (by id) or a component (by name)."""
        name, after, limit = request.get("channel_id"), request.get("after", 0), request.get("limit", 500)
        if not isinstance(name, str) or not isinstance(after, int) or not isinstance(limit, int):
            raise Refused("logs needs `channel_id`, and numbers for `after` and `limit`")
        unit = self._office.units.get(name)
        log = unit.log if unit else self._office.logs.find(name)
        lines = [line for line in log.ring if line.id > after] if log else []
        return {"lines": [line.to_json() for line in lines[-max(1, min(limit, MOST_LINES)) :]]}

    async def provider_secrets(self, request: dict[str, Any]) -> dict[str, Any]:
        """The opened keys and proxies of one provider."""
        provider_id = request.get("provider_id")
        if not isinstance(provider_id, str):
            raise Refused("provider_secrets needs `provider_id`")
        secrets = await self._office.planner.provider_secrets(provider_id)
        self._office.logs.redactor.learn([*secrets.keys, *passwords_in(secrets.proxies)])
        return secrets.to_json()

    async def restart(self, request: dict[str, Any]) -> dict[str, Any]:
        """Fork a channel anew."""
        unit = self._office.units.get(str(request.get("channel_id")))
        if unit is None:
            raise Refused("no such channel")
        unit.restart()
        return {}

    async def beat(self, request: dict[str, Any]) -> dict[str, Any]:
        """A program on demand says that it is well."""
        if self._office.workers and request.get("name") == JOBS:
            self._office.workers.jobs.beat()
        return {}

    async def start_engine(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have this machine's engine host running."""
        if self._office.workers:
            provider_id = str(request.get("provider_id"))
            await self._office.workers.start_engine(provider_id, self._office.planner.provider_secrets)
        return {}

    def _channel(self, unit: Unit) -> dict[str, Any]:
        pulse = unit.run.pulse if unit.run else None
        return {
            "kind": unit.wanted.kind,
            "slug": unit.wanted.slug,
            "enabled": unit.wanted.enabled,
            "state": unit.state,
            "reason": unit.reason,
            "since": unit.since,
            "pid": unit.pid,
            "restarts": unit.restarts,
            "address": unit.address,
            **self._office.sampler.of(unit.pid),
            "beat_age": round(time.monotonic() - pulse.at, 3) if pulse else None,
            "loop_lag_ms": pulse.lag_ms if pulse else None,
            "queue": pulse.queue if pulse else 0,
            "last_poll_age": pulse.last_poll_age if pulse else None,
            "messages_in": pulse.messages_in if pulse else 0,
            "messages_out": pulse.messages_out if pulse else 0,
            "errors": pulse.errors if pulse else 0,
            "log_error": unit.log.broken,
        }

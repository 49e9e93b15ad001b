"""For whoever watches from outside: is it alive, is it ready, and the figures for Prometheus."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from admin.bearer import caller_of
from admin.services import services_of
from core.fleet.control import ControlError
from db import settings

router = APIRouter(tags=["monitoring"])
bearer = HTTPBearer(auto_error=False, description="Not needed on loopback.")

READY, NOT_COUNTED = "READY", ("STOPPED", "PARKED")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")  # a proxy on loopback speaks for somebody else
STATES = ("STOPPED", "STARTING", "READY", "DEGRADED", "BACKOFF", "PARKED", "DRAINING")
COUNTERS = {
    "restarts": ("botyard_instance_restarts", "Restarts of the instance's process."),
    "messages_in": ("botyard_instance_messages_in", "Messages that people sent."),
    "messages_out": ("botyard_instance_messages_out", "Messages that the instance sent."),
    "errors": ("botyard_instance_errors", "Turns and sends that failed."),
}
GAUGES = {
    "loop_lag_ms": ("botyard_instance_loop_lag_seconds", "Lag of the event loop.", 1e-3),
    "queue": ("botyard_instance_queue", "Messages waiting for their turn or to be sent.", 1.0),
    "pss_kb": ("botyard_instance_pss_bytes", "Memory of the process, its share of shared pages.", 1024.0),
    "last_poll_age": ("botyard_instance_last_poll_seconds", "Seconds since the last finished poll.", 1.0),
}


class Health(BaseModel):
    """The process answers."""

    status: str = "ok"


class Named(BaseModel):
    """An instance and its state."""

    kind: str
    id: str
    state: str


class Readiness(BaseModel):
    """Whether everything that should run does; parked instances are listed and not counted."""

    ready: bool
    not_ready: list[Named] = []
    parked: list[Named] = []
    problems: list[str] = []


@router.get("/health")
async def health() -> Health:
    """The web process is alive."""
    return Health()


@router.get("/ready", responses={503: {"model": Readiness}})
async def ready(request: Request, response: Response) -> Readiness:
    """200 when everything that should run is READY, else 503 with what is not."""
    found = await _readiness(request)
    if not found.ready:
        response.status_code = 503
    return found


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, _: Annotated[object, Security(bearer)]) -> Response:
    """Figures of every instance for Prometheus; for callers on loopback or with a token."""
    if not _on_loopback(request):
        await caller_of(request)
    try:
        snapshot = await services_of(request).control.snapshot()
    except ControlError:
        snapshot = None
    registry = CollectorRegistry()
    registry.register(_Figures(snapshot))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _readiness(request: Request) -> Readiness:
    services = services_of(request)
    problems = []
    try:
        async with services.database.reading() as conn:
            await settings.get_setting(conn, settings.CONFIG_VERSION)
    except (SQLAlchemyError, OSError):
        problems.append("database")
    try:
        channels = (await services.control.snapshot())["channels"]
    except ControlError:
        return Readiness(ready=False, problems=[*problems, "supervisor"])
    named = [
        Named(kind=str(one["kind"]), id=str(one["slug"]), state=str(one["state"]))
        for one in channels.values()
    ]
    not_ready = [one for one in named if one.state != READY and one.state not in NOT_COUNTED]
    return Readiness(
        ready=not (not_ready or problems),
        not_ready=not_ready,
        parked=[one for one in named if one.state == "PARKED"],
        problems=problems,
    )


def _on_loopback(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


class _Figures:
    """A snapshot of the fleet as Prometheus reads it; without one only that the supervisor is away."""

    def __init__(self, snapshot: Mapping[str, Any] | None) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client asks for them."""
        up = GaugeMetricFamily("botyard_supervisor_up", "1 when the supervisor answers.")
        up.add_metric([], float(self._snapshot is not None))
        yield up
        if self._snapshot is None:
            return
        instances = list(self._snapshot["channels"].values())
        yield _states(instances)
        labels = ["kind", "id"]
        for field, (name, text) in COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=labels)
            for one in instances:
                counter.add_metric([str(one["kind"]), str(one["slug"])], float(one.get(field) or 0))
            yield counter
        for field, (name, text, factor) in GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=labels)
            for one in instances:
                if one.get(field) is not None:
                    gauge.add_metric([str(one["kind"]), str(one["slug"])], float(one[field]) * factor)
            yield gauge
        yield from _components(self._snapshot.get("components", {}))


def _states(instances: list[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "botyard_instance_state", "1 for the state that the instance is in.", labels=["kind", "id", "state"]
    )
    for one in instances:
        for state in STATES:
            family.add_metric([str(one["kind"]), str(one["slug"]), state], float(str(one["state"]) == state))
    return family


def _components(components: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    memory = GaugeMetricFamily(
        "botyard_component_pss_bytes", "Memory of Botyard's own processes.", labels=["component"]
    )
    for name, one in components.items():
        if one.get("pss_kb") is not None:
            memory.add_metric([name], float(one["pss_kb"]) * 1024.0)
    yield memory

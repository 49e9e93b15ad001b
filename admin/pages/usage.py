"""Usage: what was answered, by whom, for how much; single attempts and why they went as they did."""

import csv
import io
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import N_, Language, language_of
from admin.pages import usage_figures as figures
from admin.pages.instances_view import fleet
from admin.pages.page import show
from admin.services import services_of
from admin.sign_in import SignedIn
from admin.trial_events import RESTS, SKIPPED, outcome_words
from db.aside import aside
from db.base import now
from db.usage_charts import Slice, Wanted, answer_of, attempts, slices
from db.usage_days import DAY

router = APIRouter()
PERIODS = {1: N_("Today"), 7: N_("7 days"), 30: N_("30 days"), 90: N_("90 days")}
SOURCES = {
    "chat": N_("bots and widgets"),
    "api": N_("API keys"),
    "playground": N_("playground"),
    "compare": N_("compare"),
}
OUTCOMES = {"failed": N_("failed"), "cancelled": N_("stopped"), "fallback": N_("fallbacks")}
PAGE = 50
COLUMNS = (
    "day", "source", "instance", "key", "provider", "model", "answers", "failed", "cancelled", "input_tokens",
    "output_tokens", "cost_usd", "price_unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reader wants to see, by the page's address."""

    days: int
    wanted: Wanted

    def link(self, path: str = "/usage", **changes: object) -> str:
        """The address of the same view with something else."""
        wanted = self.wanted
        values: dict[str, object] = {
            "days": self.days, "source": wanted.source, "instance": wanted.channel_id,
            "provider": wanted.provider_id, "model": wanted.model, "outcome": wanted.outcome, **changes,
        }  # fmt: skip
        return f"{path}?{urlencode({name: value for name, value in values.items() if value})}"


def _asked(request: Request) -> Asked:
    given = request.query_params
    text = given.get("days", "")
    days = int(text) if text.isdigit() and int(text) in PERIODS else 7
    since = (now() // DAY - days + 1) * DAY
    names = ("source", "instance", "provider", "model", "outcome")
    source, instance, provider, model, outcome = (
        given.get(name, "")[:200].replace("\0", "") for name in names
    )
    return Asked(days, Wanted(since, source, instance, provider, model, outcome))


@router.get("/usage")
async def usage(request: Request, _: SignedIn) -> Response:
    """Charts, tables and the newest attempts."""
    asked, t = _asked(request), language_of(request)
    database = services_of(request).database
    everything = await aside(database, lambda conn: slices(conn, Wanted(asked.wanted.since)))
    found = [one for one in everything if _shown(one, asked.wanted)]
    async with database.reading() as conn:
        rows = await attempts(conn, asked.wanted, _before(request), PAGE + 1)
    names = await _names(request)
    days = figures.by_day(found, asked.wanted.since, asked.days)
    return await show(
        request, "usage.html", "usage",
        asked=asked, periods=PERIODS, sources=SOURCES, outcomes=OUTCOMES,
        total=figures.total(found), days=days,
        costs=figures.chart(days, lambda one: one.cost),
        answers=figures.chart(days, lambda one: one.answers, lambda one: one.failed),
        tables=_tables(found, names, t), choices=_choices(everything, names),
        rows=[(row, outcome_words(row.outcome, t)) for row in rows[:PAGE]], names=names,
        more=rows[PAGE - 1].created_at if len(rows) > PAGE else None,
    )  # fmt: skip


@router.get("/usage.csv")
async def export(request: Request, _: SignedIn) -> Response:
    """The same as a table for other programs."""
    asked = _asked(request)
    wanted = replace(asked.wanted, outcome="")
    found = await aside(services_of(request).database, lambda conn: slices(conn, wanted))
    names = await _names(request)
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for one in sorted(found, key=lambda one: (one.day, one.source, one.provider_id, one.model)):
        table.writerow([
            one.day, one.source, _plain(names.get(one.channel_id, one.channel_id)), one.key_id[:12],
            one.provider_id, _plain(one.model), one.answers, one.failed, one.cancelled,
            one.input_tokens, one.output_tokens, f"{one.cost:.6f}", one.unpriced,
        ])  # fmt: skip
    headers = {"content-disposition": 'attachment; filename="usage.csv"', "cache-control": "no-store"}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/usage/{usage_id}")
async def explained(request: Request, usage_id: str, _: SignedIn) -> Response:
    """One answer: everything that was tried for it, and who was passed over and why."""
    t = language_of(request)
    async with services_of(request).database.reading() as conn:
        rows = await answer_of(conn, usage_id)
    if not rows:
        raise HTTPException(404)
    tried = [(row, outcome_words(row.outcome, t), _rest(row, t)) for row in rows]
    skipped = dict(one for row in rows for one in _skipped(row, t))
    return await show(
        request, "usage_answer.html", "usage",
        tried=tried, skipped=skipped, first=rows[0], names=await _names(request), sources=SOURCES,
    )  # fmt: skip


def _shown(one: Slice, wanted: Wanted) -> bool:
    names = ("source", "channel_id", "provider_id", "model")
    return all(getattr(wanted, name) in ("", getattr(one, name)) for name in names)


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def _before(request: Request) -> float | None:
    try:
        return float(request.query_params["before"])
    except (KeyError, ValueError):
        return None


def _rest(row: Any, t: Language) -> str:
    return t(RESTS.get(str(row.detail.get("cooled") or "").partition(":")[0], ""))


def _skipped(row: Any, t: Language) -> list[tuple[str, str]]:
    found = row.detail.get("skipped") or []
    pairs = [(one[0], one[1]) for one in found if isinstance(one, list | tuple) and len(one) == 2]
    pairs += [(one["candidate"], one["reason"]) for one in found if isinstance(one, dict)]
    return [(str(name), t(SKIPPED[reason]) if reason in SKIPPED else str(reason)) for name, reason in pairs]


async def _names(request: Request) -> dict[str, str]:
    instances = {one.id: one.name for one in (await fleet(request)).instances}
    keys = {one.id: one.name or f"…{one.hint}" for one in await services_of(request).gateway_keys.all()}
    return {**instances, **keys}


def _tables(
    found: list[Slice], names: dict[str, str], t: Language
) -> list[tuple[str, str, list[figures.Sum]]]:
    def name(key: str) -> str:
        return names.get(key) or (t(SOURCES[key]) if key in SOURCES else key) or t("deleted")

    who = figures.summed(found, lambda one: one.channel_id or one.key_id or one.source, name)
    models = figures.summed(found, lambda one: f"{one.provider_id}:{one.model}")
    providers = figures.summed(found, lambda one: one.provider_id)
    most = figures.MOST_BARS
    return [
        ("instance", t("By instance and key"), who[:most]),
        ("model", t("By model"), models[:most]),
        ("provider", t("By provider"), providers[:most]),
    ]


def _choices(everything: list[Slice], names: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    instances = {one.channel_id: names.get(one.channel_id, one.channel_id[:8]) for one in everything}
    return {
        "source": [(one, SOURCES.get(one, one)) for one in sorted({one.source for one in everything})],
        "instance": sorted(((key, name) for key, name in instances.items() if key), key=lambda one: one[1]),
        "provider": [(one, one) for one in sorted({one.provider_id for one in everything})],
        "model": [(one, one) for one in sorted({one.model for one in everything})],
    }

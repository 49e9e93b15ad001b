"""Limits: how much may be used by whom in which time, and what is used now."""

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.i18n import N_, language_of
from admin.pages.changes import Page, Values, actor, attempt, configuration_of, text_of, validated
from admin.pages.limits_view import EACH, names_of, view_of, views
from admin.pages.owned import Owned, add_owned
from admin.pages.page import back, fragment, show
from admin.sign_in import MustOwn, SignedIn
from core.configuration.limit_configs import LimitInput
from core.configuration.limits import MOST_USES, Limit

router = APIRouter()
NAMED = ("instance", "provider", "key")
MEASURES = {
    "messages": N_("messages"), "tokens": N_("tokens"), "money": N_("US dollars"),
    "pictures": N_("pictures"), "videos": N_("videos"),
}  # fmt: skip
PERIODS = {"minute": N_("minute"), "hour": N_("hour"), "day": N_("day"), "month": N_("month")}
THEN = {
    "free": N_("Free and local models go on"),
    "stop": N_("Nothing answers until the time is over"),
    "warn": N_("Nothing happens, it is only shown"),
}
BLANK = {"subject": "user", "measure": "messages", "period": "hour", "action": "free"}


@router.get("/limits")
async def limits(request: Request, _: SignedIn) -> Response:
    """All limits with what is used of them, and the form for a new one."""
    context = await _context(request)
    return await show(request, "limits.html", "limits", values=BLANK, errors={}, **context)


@router.get("/limits/uses")
async def uses(request: Request, _: SignedIn) -> Response:
    """The list again, as it is now."""
    return fragment(request, "limit_parts.html", "listed", await views(request))


@router.post("/limits")
async def add_limit(request: Request, person: MustOwn) -> Response:
    """Make a limit."""
    form = await request.form()

    async def change() -> Response:
        await configuration_of(request).limits.create(actor(person), validated(LimitInput, _read(form)))
        return back("/limits", "created")

    return await attempt(request, Page("limits.html", "limits", _context), LIMITS.shown(form), change)


@router.get("/limits/{limit_id}/uses")
async def uses_of_one(request: Request, limit_id: str, _: SignedIn) -> Response:
    """The bars of one limit, as they are now."""
    row = await LIMITS.find(request, limit_id)
    view = view_of(row, await names_of(request), language_of(request), MOST_USES)
    return fragment(request, "limit_parts.html", "bars", view)


async def _context(request: Request) -> Values:
    return {"rows": await views(request), "choices": await _choices(request, None)}


async def _row_context(request: Request, row: Limit) -> Values:
    view = view_of(row, await names_of(request), language_of(request), MOST_USES)
    return {"row": view, "choices": await _choices(request, row)}


async def _choices(request: Request, row: Limit | None) -> dict[str, list[tuple[str, str]]]:
    """The choices of the form; `row` brings a subject that only it has."""
    t, names = language_of(request), await names_of(request)
    subjects = [(kind, t(text)) for kind, text in EACH.items()]
    for kind in NAMED:
        subjects += [(key, t("Only %(name)s", name=name)) for key, name in names.options(kind)]
    if row is not None and _subject(row) not in dict(subjects):
        name = names.of(row.subject_kind, row.subject, t)[0]
        subjects.append((_subject(row), t("Only %(name)s", name=name)))
    fixed = {"measures": MEASURES, "periods": PERIODS, "actions": THEN}
    options = {name: [(key, t(text)) for key, text in of.items()] for name, of in fixed.items()}
    return {"subjects": subjects, **options}


def _subject(row: Limit) -> str:
    return f"{row.subject_kind}:{row.subject}" if row.subject else row.subject_kind


def _read(form: FormData) -> Values:
    kind, _, subject = text_of(form, "subject").partition(":")
    amount = text_of(form, "amount").replace(",", ".").replace(" ", "")
    plain = {name: text_of(form, name) for name in ("name", "measure", "period", "action")}
    return {**plain, "subject_kind": kind, "subject": subject, "amount": amount}


def _fill(row: Limit) -> Values:
    return {
        "name": row.name,
        "subject": _subject(row),
        "measure": row.measure,
        "amount": int(row.amount) if row.amount == int(row.amount) else row.amount,
        "period": row.period,
        "action": row.action,
        "enabled": "on" if row.enabled else "",
    }


LIMITS = Owned(
    "limits", "limit.html", lambda request: configuration_of(request).limits, LimitInput, _read, _fill,
    _row_context, ("name", "subject", "measure", "amount", "period", "action", "enabled"),
)  # fmt: skip
add_owned(router, LIMITS)

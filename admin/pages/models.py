"""Models: everything that the enabled providers are known to have, and how each is now."""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from admin.i18n import N_, Language, language_of
from admin.known_models import Model, known_models
from admin.pages.page import show
from admin.services import services_of
from admin.sign_in import SignedIn
from admin.trial_events import outcome_words, skipped_words

router = APIRouter()
STATES = {
    "healthy": (N_("healthy"), "ok"),
    "trial": (N_("is being tried again"), "warn"),
    "cooling": (N_("rests"), "warn"),
    "off": (N_("not asked"), ""),
}
ABILITIES = {
    "vision": N_("sees pictures"),
    "tools": N_("calls tools"),
    "json_mode": N_("writes JSON"),
    "reasoning": N_("reasons"),
}
SORTS = {
    "quality": (N_("Best first"), lambda one: (-(one.quality or 0), one.name)),
    "price": (N_("Cheapest first"), lambda one: (_price(one), one.name)),
    "context": (N_("Longest context first"), lambda one: (-(one.context or 0), one.name)),
    "name": (N_("By name"), lambda one: (one.name.lower(), one.provider)),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reader looks for, by the page's address."""

    text: str
    provider: str
    able: str
    free: bool
    sort: str

    def shows(self, one: Model) -> bool:
        """Whether a model is among what is looked for."""
        return (
            self.text.lower() in f"{one.provider}:{one.name}".lower()
            and self.provider in ("", one.provider)
            and (not self.able or bool(getattr(one, self.able)))
            and (not self.free or one.free or one.local)
        )


@router.get("/models")
async def models(request: Request, _: SignedIn) -> Response:
    """The table of models."""
    asked, t = _asked(request), language_of(request)
    everything = await known_models(services_of(request))
    found = sorted(filter(asked.shows, everything), key=SORTS[asked.sort][1])
    named = [(one, one) for one in dict.fromkeys(model.provider for model in everything)]
    return await show(
        request, "models.html", "models",
        rows=[(one, *_said(one, t)) for one in found], count=len(everything), asked=asked,
        providers=[("", t("all providers")), *named],
        abilities=[("", t("whatever they can do")), *((name, t(words)) for name, words in ABILITIES.items())],
        sorts=[(name, t(words)) for name, (words, _key) in SORTS.items()],
        able={name: t(words) for name, words in ABILITIES.items()}, link=_link,
    )  # fmt: skip


def _asked(request: Request) -> Asked:
    given = request.query_params
    able, sort = given.get("able", ""), given.get("sort", "quality")
    return Asked(
        text=given.get("q", "")[:200].replace("\0", ""),
        provider=given.get("provider", "")[:32],
        able=able if able in ABILITIES else "",
        free=given.get("free") == "on",
        sort=sort if sort in SORTS else "quality",
    )


def _said(one: Model, t: Language) -> tuple[str, str, str]:
    """A model's state in words, its tone, and why."""
    words, tone = STATES[one.state]
    why = skipped_words(one.reason, t) if one.state == "off" else outcome_words(one.reason, t)
    return t(words), tone, "" if one.state == "healthy" or not one.reason else why


def _price(one: Model) -> float:
    """What sorts models by price: free ones first, those of unknown price last."""
    if one.free or one.local:
        return 0.0
    return 1e9 if one.price_in is None or one.price_out is None else one.price_in + one.price_out


def _link(one: Model) -> str:
    return f"/playground?{urlencode({'model': f'{one.provider}:{one.name}'})}"

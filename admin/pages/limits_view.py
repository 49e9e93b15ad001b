"""Limits as pages show them: in words, with names for ids, and bars of what is used."""

from dataclasses import dataclass

from fastapi import Request

from admin.i18n import N_, Language, language_of
from admin.pages.changes import configuration_of
from admin.pages.instances_view import fleet_of
from admin.services import services_of
from core.configuration.limits import Limit, LimitUse

EACH = {
    "user": N_("Each user"),
    "conversation": N_("Each conversation"),
    "instance": N_("Each bot and widget"),
    "provider": N_("Each provider"),
    "key": N_("Each API key"),
    "all": N_("All together"),
}
PERIODS = {"minute": N_("a minute"), "hour": N_("an hour"), "day": N_("a day"), "month": N_("a month")}
ACTIONS = {
    "free": N_("then free models"),
    "stop": N_("then nothing answers"),
    "warn": N_("then only a note"),
}
MOST_BARS = 6  # in the list; a limit's own page has them all


@dataclass(frozen=True, slots=True)
class Bar:
    """What one subject has used."""

    name: str
    url: str
    used: str
    share: float
    resets_at: float


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit in the reader's language."""

    id: str
    name: str
    words: str
    enabled: bool
    bars: list[Bar]
    more: int
    managed: str


@dataclass(frozen=True, slots=True)
class Names:
    """Names and pages of what a limit may be about, by kind and id."""

    found: dict[str, dict[str, tuple[str, str]]]

    def options(self, kind: str) -> list[tuple[str, str]]:
        """Everything of one kind as a form's choices."""
        return [(f"{kind}:{key}", name) for key, (name, _) in self.found.get(kind, {}).items()]

    def of(self, kind: str, subject: str, t: Language) -> tuple[str, str]:
        """What people call a subject, and where its page is."""
        if kind == "all":
            return t("All together"), ""
        if kind == "user":
            channel, _, user = subject.partition("/")
            name = self.found["instance"].get(channel, (t("deleted"), ""))[0]
            return f"{name} · {user[:24]}", ""
        if kind == "conversation":
            short = subject.rpartition("/")[2][:8]
            return t("Conversation %(id)s", id=short), f"/conversations/{subject}"
        return self.found.get(kind, {}).get(subject, (t("deleted"), ""))


async def names_of(request: Request) -> Names:
    """The names of everything that is configured."""
    services = services_of(request)
    instances = (await fleet_of(services)).instances
    providers = await configuration_of(request).providers.all()
    keys = await services.gateway_keys.all()
    return Names(
        {
            "instance": {one.id: (one.name, one.url) for one in instances},
            "provider": {one.id: (one.name or one.id, f"/providers/{one.id}") for one in providers},
            "key": {one.id: (one.name or f"sk-by-…{one.hint}", f"/keys/{one.id}") for one in keys},
        }
    )


def words_of(limit: Limit, names: Names, t: Language) -> str:
    """A limit as a sentence."""
    who = t(EACH[limit.subject_kind])
    if limit.subject:
        who = names.of(limit.subject_kind, limit.subject, t)[0]
    return t(
        "%(who)s: %(amount)s %(period)s, %(action)s",
        who=who, amount=_at_most(limit, t), period=t(PERIODS[limit.period]), action=t(ACTIONS[limit.action]),
    )  # fmt: skip


def view_of(limit: Limit, names: Names, t: Language, most: int = MOST_BARS) -> LimitView:
    """A limit for a page, with at most so many bars."""
    bars = [_bar(limit, use, names, t) for use in limit.uses[:most]]
    more = max(0, len(limit.uses) - most)
    return LimitView(
        limit.id, limit.name, words_of(limit, names, t), limit.enabled, bars, more, limit.managed
    )


async def views(request: Request) -> list[LimitView]:
    """Every limit, oldest first."""
    t, names = language_of(request), await names_of(request)
    return [view_of(limit, names, t) for limit in await configuration_of(request).limits.all()]


async def binding_key(request: Request, key_id: str) -> list[LimitView]:
    """The limits that an API key's programs meet, with only its own use and what all use together."""
    t, names = language_of(request), await names_of(request)
    found = []
    for limit in await configuration_of(request).limits.all():
        binds = limit.subject_kind == "all" or (limit.subject_kind == "key" and limit.subject in ("", key_id))
        if binds and limit.enabled:
            view = view_of(limit, names, t, most=0)
            own = [use for use in limit.uses if use.subject in ("", key_id)]
            bars = [_bar(limit, use, names, t) for use in own]
            found.append(LimitView(view.id, view.name, view.words, True, bars, 0, view.managed))
    return found


def _bar(limit: Limit, use: LimitUse, names: Names, t: Language) -> Bar:
    name, url = names.of(limit.subject_kind, use.subject, t)
    share = use.used / limit.amount if limit.amount else float(use.used > 0)
    used = t("%(used)s of %(amount)s", used=_plain(limit, use.used, t), amount=_plain(limit, limit.amount, t))
    return Bar(name, url, used, min(share, 1.0), use.resets_at)


def _plain(limit: Limit, value: float, t: Language) -> str:
    if limit.measure == "money":
        return f"${t.number(value, 2 if value >= 1 or not value else 4)}"
    return t.number(value, 0 if value == int(value) else 1)


def _at_most(limit: Limit, t: Language) -> str:
    if limit.measure == "money":
        return t("at most %(amount)s", amount=_plain(limit, limit.amount, t))
    if limit.measure == "tokens":
        return t.plural("at most 1 token", "at most %(num)s tokens", int(limit.amount))
    if limit.measure == "pictures":
        return t.plural("at most 1 picture", "at most %(num)s pictures", int(limit.amount))
    if limit.measure == "videos":
        return t.plural("at most 1 video", "at most %(num)s videos", int(limit.amount))
    return t.plural("at most 1 message", "at most %(num)s messages", int(limit.amount))

"""Trials as their watchers get them: every attempt in words, and events that end the trials when left."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Send

from admin.i18n import N_, Language
from admin.live import HEADERS, json_message
from core.routing.attempts import Attempt
from core.trial import BROKEN, FAILED, STOPPED, Happened, Trial, watched

OUTCOMES = {
    "": N_("is being asked"),
    "ok": N_("answered"),
    "cancelled": N_("was stopped"),
    "rate_limit": N_("takes no more requests right now"),
    "quota": N_("the account has no credit left"),
    "credential": N_("the key was refused"),
    "model_gone": N_("does not have this model"),
    "overload": N_("is overloaded"),
    "transient": N_("failed for a moment"),
    "timeout": N_("did not answer in time"),
    "connect": N_("could not be reached"),
    "context": N_("the talk is too long for it"),
    "content": N_("refused the content"),
    "caller": N_("did not understand the request"),
    "truncated": N_("broke off"),
    "empty": N_("answered with nothing"),
}
SKIPPED = {
    "context": N_("the talk is too long for it"),
    "images": N_("cannot see pictures"),
    "tools": N_("cannot call tools"),
    "json": N_("cannot promise JSON"),
    "local_only": N_("is not on this machine, and the route asks for that"),
    "limit": N_("has reached a limit of its own"),
    "paid": N_("costs money, and a limit leaves only free models"),
    "no_key": N_("has no key"),
    "disabled": N_("is switched off"),
    "resting": N_("rests after a failure"),
}
RESTS = {
    "key": N_("the key rests"),
    "key-model": N_("the model rests for this key"),
    "endpoint": N_("the server rests"),
    "model": N_("the model rests"),
    "route": N_("the model rests for this key"),
}


def outcome_words(outcome: str, t: Language) -> str:
    """How an attempt ended, for people."""
    return t(OUTCOMES[outcome]) if outcome in OUTCOMES else outcome


def skipped_words(reason: str, t: Language) -> str:
    """Why a candidate is not asked, for people."""
    return t(SKIPPED[reason]) if reason in SKIPPED else reason


def attempt_view(number: int, attempt: Attempt, t: Language) -> dict[str, Any]:
    """One attempt."""
    return {
        "number": number,
        "candidate": f"{attempt.provider_id}:{attempt.model}",
        "key": attempt.key_number or None,
        "outcome": attempt.outcome or None,
        "words": outcome_words(attempt.outcome, t),
        "first_token_ms": attempt.first_token_ms,
        "total_ms": attempt.total_ms if attempt.outcome else None,
        "input_tokens": attempt.input_tokens,
        "output_tokens": attempt.output_tokens,
        "estimated": attempt.estimated,
        "cost": attempt.cost,
        "free": attempt.free,
        "cooled": t(RESTS.get(attempt.cooled.partition(":")[0], "")),
        "error": attempt.error[:300],
    }


def steps_of(trial: Trial, t: Language) -> dict[str, Any]:
    """Everything that was tried, and what was passed over and why."""
    skipped = [
        {"candidate": one.candidate, "reason": one.reason, "words": t(SKIPPED.get(one.reason, ""))}
        for one in trial.skipped
    ]
    attempts = [attempt_view(number, one, t) for number, one in enumerate(trial.attempts, 1)]
    return {"attempts": attempts, "skipped": skipped}


def summary(trial: Trial, t: Language) -> dict[str, Any]:
    """What came out of a trial."""
    answered = next((one for one in reversed(trial.attempts) if one.outcome == "ok"), None)
    return {
        "state": trial.state,
        "problem": _problem(trial, t),
        "answered_by": f"{answered.provider_id}:{answered.model}" if answered else None,
        "first_token_ms": round(trial.first_ms, 1) if trial.first_ms is not None else None,
        "total_ms": round(trial.total_ms, 1),
        "input_tokens": trial.total("input_tokens"),
        "output_tokens": trial.total("output_tokens"),
        "estimated": any(one.estimated for one in trial.attempts),
        "cost": trial.total("cost"),
        "cost_known": trial.priced,
        "words": len(trial.text.split()),
        "sources": list(dict.fromkeys(trial.sources)),
    }


def _problem(trial: Trial, t: Language) -> str:
    error = trial.error
    if trial.state == BROKEN:
        return t("Something went wrong here. It is in the log of the web process.")
    if trial.state == STOPPED:
        return t("Stopped.")
    if trial.state != FAILED:
        return ""
    if error is not None and error.over_limit:
        return t("A limit is reached, and nothing free or local is left to answer.")
    if error is not None and error.too_long:
        given, most = (t.number(number) for number in error.too_long)
        return t(
            "The talk is too long: about %(given)s tokens, and the largest model here reads %(most)s.",
            given=given, most=most,
        )  # fmt: skip
    if error is not None and error.moderated:
        return t("The content was refused. Put it differently.")
    if not trial.attempts:
        return t("Nobody could be asked. What was passed over says why.")
    return t("Nobody answered. What was tried says why.")


async def lines(trials: list[Trial], t: Language) -> AsyncGenerator[str, None]:
    """Events of trials: text, thinking, restart, cited, attempts and end; `n` is the number of the trial."""
    async with aclosing(watched(trials)) as events:
        async for event in events:
            if event is None:
                yield ": ping\n\n"
                continue
            yield json_message(event.kind, {"n": event.trial.number, **_data(event, t)})


def _data(event: Happened, t: Language) -> dict[str, Any]:
    match event.kind:
        case "attempts":
            return steps_of(event.trial, t)
        case "end":
            return summary(event.trial, t)
        case "restart":
            return {}
    return {"text": event.text}


class Watching(StreamingResponse):
    """An event stream whose source is closed at once when its reader leaves."""

    def __init__(self, source: AsyncGenerator[str, None]) -> None:
        super().__init__(source, media_type="text/event-stream", headers=HEADERS)
        self.source = source

    async def stream_response(self, send: Send) -> None:
        """Send it all."""
        try:
            await super().stream_response(send)
        finally:
            await self.source.aclose()

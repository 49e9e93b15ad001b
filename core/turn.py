"""A turn: from a claimed update to an answer in the rows. The only place that knows the order."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from core import answers
from core.answers import Answer
from core.attachments import fetch_pictures
from core.channel import Channel, PreviewTarget, Unparseable
from core.conversation import Past, load_past, message_id, to_request
from core.generation import Generation
from core.inbox import Claim, Inbox
from core.instance import Instance
from core.jobs import chat
from core.jobs.chat import Asked, Desk
from core.jobs.tools import intent_of, tools_of
from core.knowledge.faq import FaqBook
from core.limits.limits import Grant, Limits
from core.limits.payer import Payer
from core.messages import InboundMessage, OutboundMessage
from core.records import record
from core.routing.route import Router
from core.texts import language_of
from core.uploads import Uploads
from db.database import Database
from providers.types import ChatRequest

CHAT_DEADLINE = 120.0  # seconds from claim to answer; routes hold their own, shorter ones
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Workplace:
    """What the turns of one channel process share; `instance` and `book` change on reload."""

    database: Database
    channel: Channel
    inbox: Inbox
    router: Router
    instance: Instance
    book: FaqBook
    deliver: Callable[[list[Any]], None]
    publish: Callable[[dict[str, Any]], None]
    save_preview: Callable[[int, str], None]
    limits: Limits
    uploads: Uploads
    ttl_hours: float = 24.0  # that a job may wait


class Turn:
    """One running turn; `stop()` ends its answer early and keeps the partial text."""

    def __init__(self, place: Workplace, claim: Claim) -> None:
        self._place = place
        self._claim = claim
        self._generation: Generation | None = None
        self._stopped = False
        self._preview_id = claim.preview_id

    @property
    def claim(self) -> Claim:
        """What the turn is for, with the preview that it has shown by now."""
        return replace(self._claim, preview_id=self._preview_id)

    def stop(self) -> None:
        """Stop the answer; the upstream call is closed at once."""
        self._stopped = True
        if self._generation:
            self._generation.stop()

    async def run(self) -> None:
        """Parse, answer, and store the answer with its outbox row in one transaction."""
        place, claim = self._place, self._claim
        try:
            message = place.channel.parse(claim.raw)
        except Unparseable as error:
            logger.warning("update %s set aside: %s", claim.id, error)
            await place.inbox.finish(claim, _nothing, "dead", str(error))
            return
        if message is None:
            await place.inbox.finish(claim, _nothing)
            return
        language = language_of(message.language)
        question, answer, preview = await self._answer(message, language)
        outbound = OutboundMessage(
            chat_key=claim.chat_key,
            text=answer.text,
            message_id=self._message_id("assistant"),
            reply_to=message.reply_to,
            preview=preview or self._preview_id,
            status=answer.status,
            buttons=answer.buttons,
            language=language,
            reasoning=answer.reasoning,
            job=answer.job,
        )
        rows = await place.inbox.finish(
            claim, lambda conn: record(conn, place.instance, claim, question, answer, outbound)
        )
        place.deliver(rows)
        if answer.job:
            place.publish({"topic": "jobs"})
        self._publish("end", "assistant", answer.text, str(outbound.message_id))

    async def _answer(
        self, message: InboundMessage, language: str
    ) -> tuple[InboundMessage | None, Answer, str | None]:
        """The question to record (None for commands), its answer, and the preview's external id."""
        place = self._place
        if message.command in chat.ALL:
            asked = self._asked(message, await self._past(), language)
            answer = await chat.commanded(self._desk(), asked)
            return message if answer.keep else None, answer, None
        if message.command:
            ready = answers.command(place.instance, message, language)
            if message.command == "length":
                ready = answers.length(place.instance, await self._past(), message, language)
            return (None, ready, None) if ready else await self._again(message, language)
        self._publish("message", "user", message.text, self._message_id("user"))
        ready = answers.instant(place.book, message, language)
        if ready:
            return message, ready, None
        past = await self._past()
        ordered = await chat.spoken(self._desk(), self._asked(message, past, language))
        if ordered:
            return message, ordered, None
        return message, *await self._generate(message, past, language)

    def _desk(self) -> Desk:
        place = self._place
        return Desk(place.database, place.channel, place.uploads, place.limits, place.ttl_hours)

    def _asked(self, message: InboundMessage, past: Past, language: str) -> Asked:
        own, job = self._message_id("assistant"), self._message_id("job")
        return Asked(self._place.instance, message, past, language, own, job)

    async def _again(
        self, message: InboundMessage, language: str
    ) -> tuple[InboundMessage | None, Answer, str | None]:
        """/retry: the last question once more; its answer takes the place of the last one."""
        again = answers.repeated(await self._past(), message)
        if again is None:
            return None, answers.own("nothing_to_retry", language), None
        question, past, answered = again
        answer, preview = await self._generate(question, past, language)
        failed = answer.status == "failed"  # then a good answer stays
        answer.replaces = tuple(row.id for row in answered if row.status == "failed" or not failed)
        return None, answer, preview

    async def _past(self) -> Past:
        async with self._place.database.reading() as conn:
            return await load_past(conn, self._place.instance.id, self._claim.chat_key)

    def _message_id(self, role: str) -> str:
        return message_id(self._place.instance.id, self._claim.external_id, role)

    async def _generate(
        self, message: InboundMessage, past: Past, language: str
    ) -> tuple[Answer, str | None]:
        place = self._place
        if not place.instance.route.candidates:
            return answers.failure("no_route", language), None
        target = PreviewTarget(
            self._message_id("assistant"),
            self._preview_id,
            self._save_preview,
        )
        pictures = await fetch_pictures(place.channel, message, past)
        preview = place.channel.preview(message, target)
        request = to_request(place.instance, past, message, language, pictures)
        request = replace(request, tools=tools_of(place.instance.media), tools_optional=True)
        grant = await self._granted(message, request)
        stream = place.router.open(
            place.instance.route, request, time.monotonic() + CHAT_DEADLINE,
            allowance=grant.allowance, affinity=grant.payer.conversation_id,
        )  # fmt: skip
        thoughts = bool(place.instance.route.settings.get("show_reasoning"))
        self._generation = Generation(stream, preview, self._publish_delta, thoughts=thoughts)
        if self._stopped:
            self._generation.stop()
        try:
            answer = await self._generation.run(language)
        except Exception:
            await preview.close()
            raise
        answer.grant = grant
        if intent := intent_of(answer.calls):
            asked = replace(self._asked(message, past, language), said=answer.text)
            ordered = await chat.ordered(self._desk(), asked, intent)
            return chat.with_words(ordered, answer), await preview.close()
        if answer.source_id == "over_limit":
            answer = replace(answers.over_limit(grant.allowance.resets_at, language), grant=grant,
                             attempts=answer.attempts, skipped=answer.skipped)  # fmt: skip
        return answer, await preview.close()

    async def _granted(self, message: InboundMessage, request: ChatRequest) -> Grant:
        """Room within the limits; a turn that is repeated after a crash has the same."""
        place, chat_key = self._place, self._claim.chat_key
        payer = Payer("chat", place.instance.id, f"{place.instance.id}/{chat_key}", message.user_key)
        own = self._message_id("assistant")
        return await place.limits.begin(payer, place.instance.limits, place.instance.route, request, own)

    def _save_preview(self, external_id: str) -> None:
        self._preview_id = external_id
        self._place.save_preview(self._claim.id, external_id)

    def _publish_delta(self, text: str | None) -> None:
        """For operators who watch: more text, or (None) a new beginning."""
        self._publish("delta", "assistant", text or "", "", restart=text is None)

    def _publish(self, event: str, role: str, text: str, ref: str, **more: bool) -> None:
        self._place.publish(
            {
                "topic": "conversation",
                "channel_id": self._place.instance.id,
                "chat_key": self._claim.chat_key,
                "event": event,
                "role": role,
                "text": text[:8000],
                "message_id": ref,
                **more,
            }
        )


async def set_aside(place: Workplace, claim: Claim, error: str) -> None:
    """Give a turn up: the update is kept as dead, and its chat reads a friendly text."""
    try:
        message = place.channel.parse(claim.raw)
    except Exception:  # process edge: what cannot be read is set aside all the same
        logger.warning("update %s cannot be read", claim.id, exc_info=True)
        message = None
    try:
        rows = await _store_failure(place, claim, message, error)
    except (SQLAlchemyError, ValueError):
        logger.exception("update %s is set aside without a word", claim.id)
        rows = await place.inbox.finish(claim, _nothing, "dead", error)
    place.deliver(rows)


async def _store_failure(place: Workplace, claim: Claim, message: InboundMessage | None, error: str) -> Any:
    language = language_of(message.language if message else "")
    outbound = OutboundMessage(
        chat_key=claim.chat_key,
        text=answers.failure("failed", language).text,
        message_id=message_id(place.instance.id, claim.external_id, "assistant"),
        preview=claim.preview_id,
        plain=True,
        status="failed",
        language=language,
    )
    answer = replace(answers.failure("failed", language), buttons=())
    return await place.inbox.finish(
        claim, lambda conn: record(conn, place.instance, claim, message, answer, outbound), "dead", error
    )


async def _nothing(_conn: AsyncConnection) -> list[Any]:
    return []

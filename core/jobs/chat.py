"""Pictures and videos in a chat: from what a person says or presses to an order, or to a word on one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from core.answers import Answer, failure, over_limit, own
from core.channel import Channel, PictureLost
from core.conversation import Past
from core.instance import Instance
from core.jobs.answering import under_way
from core.jobs.order import Order, Reply, Source, Wish
from core.jobs.submit import HOURS, LONGEST_PROMPT, cancel, place, retry
from core.limits.jobs import Need, Room, reserve_job
from core.limits.limits import Limits
from core.limits.payer import Payer
from core.media.intents import COMMANDS, Intent, from_command, from_words
from core.media.moderation import GENERAL, allowed
from core.media.routes import IMAGE, VIDEO, MediaRoute
from core.messages import InboundMessage
from core.uploads import Uploads
from db import artifacts, jobs
from db.database import Database
from providers.media.types import Task

ON_JOBS = ("cancel", "again")
ON_MADE = {"variations": IMAGE, "upscale": IMAGE, "animate": VIDEO}
ALL = (*COMMANDS, *ON_JOBS, *ON_MADE)
LONGEST_CAPTION = 800  # characters of a model's words that stay above the result; messengers take 1,024
RECENT = 6  # messages back in which "it" may be a picture


@dataclass(frozen=True, slots=True)
class Desk:
    """Who takes orders in one channel; a job may wait for `ttl_hours`."""

    database: Database
    channel: Channel
    uploads: Uploads
    limits: Limits
    ttl_hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One message with what is known around it. `own` and `job` are the ids of its answer and its job: the
    same again when a crashed turn is repeated. `said` is what a model said before it ordered."""

    instance: Instance
    message: InboundMessage
    past: Past
    language: str
    own: str
    job: str
    said: str = ""


async def commanded(desk: Desk, asked: Asked) -> Answer:
    """The answer to one of our commands, or to a button."""
    message = asked.message
    if message.command in ON_JOBS:
        return await _on_job(desk, asked)
    if message.command in ON_MADE:
        return await _on_made(desk, asked)
    intent = from_command(message.command or "", message.argument)
    if intent is None:
        return own("unknown_command", asked.language)
    return await ordered(desk, asked, intent)


async def spoken(desk: Desk, asked: Asked) -> Answer | None:
    """The answer to plain words that ask for something to be made; None when they do not."""
    routes = asked.instance.media
    if not routes:
        return None
    pictured = bool(asked.message.attachments) or _newest_ref(asked.past, made_only=True) is not None
    intent = _told(asked) or from_words(asked.message.text, pictured=pictured)
    if intent is None or intent.makes not in routes:
        return None
    return await ordered(desk, asked, intent)


def _told(asked: Asked) -> Intent | None:
    """What the words ask for that follow a command without any, in a chat of one person."""
    before, words = asked.past.messages[-2:], asked.message.text.strip()
    if asked.message.group or len(before) < 2 or before[1].source_id != "media_what" or words.endswith("?"):
        return None
    return from_command(before[0].text.removeprefix("/").partition(" ")[0].lower(), words)


async def ordered(desk: Desk, asked: Asked, intent: Intent) -> Answer:
    """Order what somebody wants; his answer says that work is under way, or why it is not."""
    language = asked.language
    route = asked.instance.media.get(intent.makes)
    if route is None:
        return own(f"media_no_route_{intent.makes}", language)
    if intent.wears:
        return await _worn(desk, asked, route, intent)
    if not intent.prompt:
        answer = own("media_what", language, command=asked.message.command or intent.makes)
        answer.keep = True  # what is said next answers it
        return answer
    if not allowed(intent.prompt, asked.instance.character.rating):
        return failure("media_moderated", language)
    if len(intent.prompt) > LONGEST_PROMPT:
        return own("media_too_long", language, limit=LONGEST_PROMPT)
    try:
        inputs = await _inputs(desk, asked, intent)
    except PictureLost:
        return failure("media_gone", language)
    task = _task(intent.makes, bool(inputs))
    wish = Wish(task, intent.prompt, inputs=inputs, params=intent.params, **intent.fields)
    return await _placed(desk, asked, route, wish)


async def _worn(desk: Desk, asked: Asked, route: MediaRoute, intent: Intent) -> Answer:
    """Order a person of one picture in the garment of another. These are people as they are: no character's
    rating allows more than the general one does."""
    language = asked.language
    if Task.TRY_ON not in route.tasks:
        return own("media_no_try_on", language)
    if not allowed(intent.prompt, GENERAL):
        return failure("media_moderated", language)
    sent = [one.ref for one in asked.message.attachments]
    refs = sent if len(sent) > 1 else list(dict.fromkeys([*_recent_refs(asked.past), *sent]))[-2:]
    if len(refs) != 2:
        return own("media_try_on_what", language)
    try:
        person, garment = [await _source(desk, asked, ref) for ref in refs]
    except PictureLost:
        return failure("media_gone", language)
    inputs = (replace(person, role="person"), replace(garment, role="garment"))
    wish = Wish(Task.TRY_ON, intent.prompt, inputs=inputs, params=intent.params, **intent.fields)
    return await _placed(desk, asked, route, wish)


async def _placed(desk: Desk, asked: Asked, route: MediaRoute, wish: Wish) -> Answer:
    instance, message, language = asked.instance, asked.message, asked.language
    room = await _room(desk, asked, route, wish, asked.job)
    if not room.lines:
        return _over(room, language)
    offers = _offers(asked.instance, wish.task)
    caption = asked.said if len(asked.said) <= LONGEST_CAPTION else ""
    order = Order(
        wish, room.lines, "chat", route_id=route.id, channel_id=instance.id, chat_key=message.chat_key,
        user_key=message.user_key, key=asked.job, language=language, queue=route.queue,
        reply=Reply(asked.own, message.reply_to, caption, offers), rating=instance.character.rating,
    )  # fmt: skip
    words, buttons = under_way(asked.job, wish.task, language)
    also = partial(place, order=order, ttl_hours=desk.ttl_hours, job_id=asked.job)
    return Answer(words, "job", asked.job, "working", keep=True, buttons=buttons, job=asked.job, also=also)


async def _room(desk: Desk, asked: Asked, route: MediaRoute, wish: Wish, job_id: str) -> Room:
    instance, message = asked.instance, asked.message
    payer = Payer("chat", instance.id, f"{instance.id}/{message.chat_key}", message.user_key)
    count = max(wish.count, 1)  # one that makes no sense is refused when the model is known
    need = Need(job_id, wish.task, count, route.price * count, desk.ttl_hours * HOURS)
    room = await reserve_job(desk.limits, payer, instance.limits, route, need)
    if not room.lines:
        await desk.limits.settle(room.grant, [])
    return room


def _over(room: Room, language: str) -> Answer:
    allowance = room.grant.allowance
    return over_limit(allowance.resets_at, language, allowance.measure)


def with_words(ordered: Answer, said: Answer) -> Answer:
    """The answer to an order that a model made: its own words first, and what it cost."""
    ordered.attempts, ordered.skipped, ordered.grant = said.attempts, said.skipped, said.grant
    ordered.text = "\n\n".join(part for part in (said.text, ordered.text) if part)
    ordered.keep = True
    return ordered


async def _on_job(desk: Desk, asked: Asked) -> Answer:
    """Cancel or repeat a job of this chat."""
    job_id = asked.message.argument
    async with desk.database.reading() as conn:
        row = await jobs.get_job(conn, job_id)
    if row is None or (row.channel_id, row.chat_key) != (asked.instance.id, asked.message.chat_key):
        return own("media_nothing_to_cancel", asked.language)
    if row.user_key and row.user_key != asked.message.user_key:
        return own("media_not_yours", asked.language)
    answer = Answer("", "command", asked.message.command or "", status="silent", job=job_id)
    if asked.message.command == "cancel" and row.status not in jobs.ENDED:
        answer.also = partial(cancel, job_id=job_id)
        return answer
    if asked.message.command == "again" and row.status in (jobs.FAILED, jobs.CANCELLED):
        return await _once_more(desk, asked, row, answer)
    return own("media_nothing_to_cancel", asked.language)


async def _once_more(desk: Desk, asked: Asked, row: Any, answer: Answer) -> Answer:
    """Let a job wait once more, as it was ordered, where the limits leave room for that."""
    wish = Wish.from_json(row.request)
    route = asked.instance.media.get(wish.task.makes)
    if route is None:
        return own(f"media_no_route_{wish.task.makes}", asked.language)
    room = await _room(desk, asked, replace(route, candidates=tuple(row.candidates)), wish, row.id)
    if not room.whole:
        await desk.limits.settle(room.grant, [])
        return _over(room, asked.language)
    answer.also = partial(retry, job_id=row.id, ttl_hours=desk.ttl_hours)
    return answer


async def _on_made(desk: Desk, asked: Asked) -> Answer:
    """More of something that was made here."""
    kind, language = asked.message.command or "", asked.language
    async with desk.database.reading() as conn:
        made = await artifacts.get_artifact(conn, asked.message.argument)
        job = await jobs.get_job(conn, made.job_id) if made is not None and made.job_id else None
    here = (asked.instance.id, asked.message.chat_key)
    if made is None or (made.channel_id, made.chat_key) != here:
        return failure("media_gone", language)
    route = asked.instance.media.get(ON_MADE[kind])
    if route is None:
        return own(f"media_no_route_{ON_MADE[kind]}", language)
    it = (Source(artifact=made.id),)
    match kind:
        case "upscale":
            wish = Wish(Task.UPSCALE, made.prompt, inputs=it)
        case "animate":
            wish = Wish(Task.IMAGE_TO_VIDEO, made.prompt or "animate", inputs=it)
        case _:
            wish = Wish.from_json(job.request) if job else Wish(Task.TEXT_TO_IMAGE, made.prompt)
            wish = wish.with_seed(None)
    return await _placed(desk, asked, route, wish)


def _task(makes: str, pictured: bool) -> Task:
    if makes == VIDEO:
        return Task.IMAGE_TO_VIDEO if pictured else Task.TEXT_TO_VIDEO
    return Task.IMAGE_TO_IMAGE if pictured else Task.TEXT_TO_IMAGE


def _offers(instance: Instance, task: Task) -> tuple[str, ...]:
    """What may be done with what is made."""
    if task.makes == VIDEO:
        return ()
    able = {task for route in instance.media.values() for task in route.tasks}
    found = ["variations"] if task is not Task.UPSCALE else []
    found += ["upscale"] if Task.UPSCALE in able else []
    return (*found, *(["animate"] if Task.IMAGE_TO_VIDEO in able else []))


async def _inputs(desk: Desk, asked: Asked, intent: Intent) -> tuple[Source, ...]:
    """The pictures that it works on: those of the message, or, for a change, the newest one of the talk."""
    refs = [one.ref for one in asked.message.attachments]
    if not refs and intent.edits:
        refs = [ref for ref in [_newest_ref(asked.past)] if ref]
    return tuple([await _source(desk, asked, ref) for ref in refs[:4]])


async def _source(desk: Desk, asked: Asked, ref: str) -> Source:
    kind, _, name = ref.partition(":")
    if kind == "artifact":
        return Source(artifact=name)
    chat = asked.message.chat_key
    if await desk.uploads.find(ref, chat) is not None:
        return Source(upload=ref)
    kept = await desk.uploads.keep(chat, await desk.channel.picture(ref))
    if kept is None:
        raise PictureLost("there is no room left for uploads")
    return Source(upload=kept)


def _recent_refs(past: Past) -> list[str]:
    """The pictures of the talk, the oldest first."""
    rows: Sequence[Any] = past.messages[-RECENT:]
    return [str(one["ref"]) for row in rows for one in row.attachments or () if one.get("kind") == "image"]


def _newest_ref(past: Past, *, made_only: bool = False) -> str | None:
    """The newest picture of the talk; `made_only`: and it was the last thing that we said."""
    rows: Sequence[Any] = past.messages[-RECENT:]
    for row in reversed(rows):
        refs = [str(one["ref"]) for one in row.attachments or () if one.get("kind") == "image"]
        if refs:
            return refs[-1]
        if made_only and row.role == "assistant":
            return None
    return None

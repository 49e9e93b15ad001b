"""What a turn can end with, and the answers that need no model."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.conversation import Past, refs_of, settings_of
from core.instance import Instance
from core.knowledge.faq import FaqBook
from core.limits.limits import Grant
from core.messages import Attachment, InboundMessage
from core.moments import when
from core.routing.attempts import Attempt, Skipped
from core.sampling import LENGTHS
from core.texts import TEXTS, text
from db.base import now

LONGEST_QUESTION = 32_000  # characters


@dataclass(slots=True)
class Answer:
    """An answer on its way into the rows.

    `keep` is False for answers that are no part of the conversation (help, errors of use). `closes` ends
    the conversation before the answer; `replaces` holds the ids of answers that this one takes the place of.
    `attempts` and `skipped` tell what its route did, `grant` what limits it counts for.
    `settings` are the conversation's own generation settings from now on; `title` is for one that they open.
    `calls` are the tools (name, arguments) that a model called. `job` names the job that it is about; `also`
    is done in the transaction that stores it. One of status "silent" says nothing.
    """

    text: str
    source: str
    source_id: str = ""
    status: str = "final"
    keep: bool = False
    closes: bool = False
    replaces: tuple[str, ...] = ()
    buttons: tuple[tuple[str, str], ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    grant: Grant | None = None
    reasoning: str = ""
    settings: dict[str, Any] | None = None
    title: str = ""
    job: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    also: Callable[[AsyncConnection], Awaitable[object]] | None = None


RETRY_BUTTON = (("retry", "retry"),)
FUTILE = (
    "cannot_see",
    "moderated",
    "over_limit",
    "over_limit_pictures",
    "over_limit_videos",
    "too_long_for_models",
)  # the same question would end the same way
USUAL = "reset"
LENGTH_BUTTONS = tuple((f"length_{name}", f"length:{name}") for name in (*LENGTHS, USUAL))
LENGTH_WORDS = {  # as people may write them, besides the names themselves
    "very long": "very_long", "verylong": "very_long", "default": USUAL, "normal": USUAL,
    "короткий": "short", "короткие": "short", "коротко": "short", "кратко": "short",
    "средний": "medium", "средние": "medium", "средне": "medium",
    "длинный": "long", "длинные": "long", "подробно": "long",
    "очень длинный": "very_long", "очень длинные": "very_long", "очень подробно": "very_long",
    "сброс": USUAL, "сбросить": USUAL, "обычно": USUAL, "как обычно": USUAL,
}  # fmt: skip


def own(key: str, language: str, **values: object) -> Answer:
    """An answer of Botyard's own catalogue, outside of the conversation."""
    return Answer(text(key, language, **values), "command", key)


def failure(key: str, language: str, **values: object) -> Answer:
    """What a user reads when no answer could be made; kept so that a reload shows it too. It offers to try
    again only where that may help."""
    buttons = () if key in FUTILE else RETRY_BUTTON
    words = text(key, language, **values)
    return Answer(words, "error", key, status="failed", keep=True, buttons=buttons)


def over_limit(resets_at: float | None, language: str, measure: str = "") -> Answer:
    """What a user reads who has used up a limit: when they may go on."""
    key = f"over_limit_{measure}"
    return failure(key if key in TEXTS else "over_limit", language, when=when(resets_at, now(), language))


def command(instance: Instance, message: InboundMessage, language: str) -> Answer | None:
    """The answer to a command; None for those that need the conversation: /retry and /length."""
    match message.command:
        case "start":
            greeting = instance.character.greeting.strip()
            return Answer(greeting or text("greeting", language), "command", "start")
        case "new":
            return Answer(text("new", language), "command", "new", closes=True)
        case "help":
            return own("help", language)
        case "stop":
            return own("nothing_to_stop", language)
        case "retry" | "length":
            return None
        case _:
            return own("unknown_command", language)


def instant(book: FaqBook, message: InboundMessage, language: str) -> Answer | None:
    """An answer that needs no model: a message too long, or a FAQ entry."""
    if len(message.text) > LONGEST_QUESTION:
        return own("too_long", language, length=len(message.text), limit=LONGEST_QUESTION)
    if message.attachments:
        return None
    entry = book.find(message.text)
    if entry is None:
        return None
    return Answer(entry.answer, "faq", entry.id, keep=True)


def length(instance: Instance, past: Past, message: InboundMessage, language: str) -> Answer:
    """/length: sets the length of a conversation's answers, or says it and offers the others."""
    words = " ".join(message.argument.lower().split())
    wanted = LENGTH_WORDS.get(words, words)
    if wanted not in (*LENGTHS, USUAL):
        now = text(f"length_{settings_of(instance, past).get('length', USUAL)}", language)
        answer = own("length", language, length=now)
        answer.buttons = LENGTH_BUTTONS
        return answer
    kept = {name: value for name, value in past.settings.items() if name != "length"}
    answer = own("length_set", language, length=text(f"length_{wanted}", language))
    answer.settings = kept if wanted == USUAL else {**kept, "length": wanted}
    answer.title = message.title or message.speaker
    return answer


def repeated(past: Past, message: InboundMessage) -> tuple[InboundMessage, Past, list[Any]] | None:
    """For /retry: the question again, the past before it, and the rows that answered it until now."""
    question = past.last_question
    if question is None:
        return None
    again = InboundMessage(
        chat_key=message.chat_key,
        text=question.text,
        speaker=question.speaker,
        user_key=message.user_key,
        language=message.language,
        group=message.group,
        reply_to=message.reply_to,
        attachments=tuple(Attachment(ref) for ref in refs_of(question)),
    )
    before = past.before_last_question()
    since = past.messages[len(before.messages) :]
    return again, before, [row for row in since if row.role == "assistant" and row.source != "operator"]

"""Conversations: a list, one to read, seen live, and a way to write into it."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.live import Event, Live, events, json_message, message, partial, stream
from admin.pages.changes import Page, Values, actor, attempt, text_of, validated
from admin.pages.instances_view import InstanceView, fleet
from admin.pages.page import back, show, templates_of
from admin.pages.sampling import fill_sampling, read_sampling
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core import operator_message
from core.configuration.sampling_configs import SamplingConfig
from core.sampling import merged
from db.conversations import get_conversation, last_messages, list_conversations, save_settings
from db.operators import add_audit

router = APIRouter()
PAGE = 50
MOST_MESSAGES = 300
LONGEST = 20_000


@router.get("/conversations")
async def conversations(
    request: Request, _: SignedIn, instance: str = "", before: float | None = None
) -> Response:
    """Conversations, most recently active first."""
    instances = (await fleet(request)).instances
    chosen = next((one.id for one in instances if f"{one.room}/{one.slug}" == instance), None)
    async with services_of(request).database.reading() as conn:
        rows = await list_conversations(conn, channel_id=chosen, before=before, limit=PAGE + 1)
    return await show(
        request, "conversations.html", "conversations",
        rows=rows[:PAGE], more=rows[PAGE - 1].updated_at if len(rows) > PAGE else None,
        instances=instances, by_id={one.id: one for one in instances}, instance=instance if chosen else "",
    )  # fmt: skip


@router.get("/conversations/{conversation_id}")
async def conversation(request: Request, conversation_id: str, _: SignedIn) -> Response:
    """One conversation."""
    context = await _context(request, conversation_id)
    values = fill_sampling(context["row"].settings)
    return await show(request, "conversation.html", "conversations", values=values, errors={}, **context)


@router.post("/conversations/{conversation_id}")
async def write(request: Request, conversation_id: str, person: MayChange) -> Response:
    """Say something in the chat: its own process sends it."""
    row, instance = await _find(request, conversation_id)
    text = text_of(await request.form(), "text").replace("\r\n", "\n")[:LONGEST]
    if row.closed_at is not None or not text:
        return back(f"/conversations/{conversation_id}")
    services = services_of(request)
    async with services.database.transaction() as conn:
        await operator_message.write(conn, row, text, person.name, person.login)
        await add_audit(conn, actor(person), "conversation.write", conversation_id, instance=instance.slug)
    await services.control.wake("outbox", row.channel_id)
    live: Live = request.app.state.live
    live.publish({"topic": "conversation", "conversation_id": conversation_id, "event": "end"})
    return back(f"/conversations/{conversation_id}", "sent")


@router.post("/conversations/{conversation_id}/settings")
async def set_generation(request: Request, conversation_id: str, person: MayChange) -> Response:
    """Set the generation settings of this conversation alone."""
    form = await request.form()
    row, _instance = await _find(request, conversation_id)
    url = f"/conversations/{conversation_id}"
    if row.closed_at is not None:
        return back(url)
    page = Page("conversation.html", "conversations", lambda asked: _context(asked, conversation_id))

    async def change() -> Response:
        config = validated(SamplingConfig, read_sampling(form))
        async with services_of(request).database.transaction() as conn:
            await save_settings(conn, conversation_id, merged(config.model_dump()))
            await add_audit(conn, actor(person), "conversation.settings", conversation_id)
        return back(url, "saved")

    return await attempt(request, page, read_sampling(form), change)


@router.get("/events/conversations/{conversation_id}")
async def watch(request: Request, conversation_id: str, _: SignedIn) -> Response:
    """A conversation as it goes on: deltas as they come, then the messages as rows."""
    row, _instance = await _find(request, conversation_id)
    return stream(_watched(request, row))


async def _watched(request: Request, row: Any) -> AsyncIterator[str]:
    live: Live = request.app.state.live
    database = services_of(request).database
    language = language_of(request).code

    async def messages() -> str:
        async with database.reading() as conn:
            rows = await last_messages(conn, row.id, MOST_MESSAGES)
        html = templates_of(request).fragment(language, "conversation_parts.html", "talk", rows)
        return message(partial("#talk", html)) + json_message("settled", {})

    def wants(event: Event) -> bool:
        if event.get("topic") != "conversation" or row.closed_at is not None:
            return False
        if event.get("conversation_id"):
            return bool(event["conversation_id"] == row.id)
        return (event.get("channel_id"), event.get("chat_key")) == (row.channel_id, row.chat_key)

    yield await messages()
    async for event in events(live, wants):
        if event is None:
            yield ": ping\n\n"
        elif event.get("event") in ("delta", "message"):
            name = "delta" if event["event"] == "delta" else "asked"  # rows follow when the answer is whole
            yield json_message(name, {"text": event.get("text") or "", "restart": bool(event.get("restart"))})
        else:
            yield await messages()


async def _context(request: Request, conversation_id: str) -> Values:
    """What the page of a conversation shows beside its form."""
    row, instance = await _find(request, conversation_id)
    async with services_of(request).database.reading() as conn:
        messages = await last_messages(conn, conversation_id, MOST_MESSAGES)
    whole = len(messages) >= row.messages
    return {"row": row, "instance": instance, "messages": messages, "whole": whole}


async def _find(request: Request, conversation_id: str) -> tuple[Any, InstanceView]:
    async with services_of(request).database.reading() as conn:
        row = await get_conversation(conn, conversation_id)
    instances = {one.id: one for one in (await fleet(request)).instances}
    if row is None or row.channel_id not in instances:
        raise HTTPException(404)
    return row, instances[row.channel_id]

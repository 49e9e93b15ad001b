"""The tools of the MCP server: what each is for, and what it does."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent
from pydantic import BaseModel

from admin.gateway.access import Access
from admin.gateway.errors import ApiError
from admin.gateway.images_desk import Ask, Desk
from admin.gateway.images_inputs import Given, from_data_url
from admin.gateway.images_reading import Caller
from admin.gateway.images_views import MediaJob, Showing, default_task
from admin.mcp.arguments import (
    AJob,
    Making,
    NewEdit,
    NewImage,
    NewVideo,
    Nothing,
    OneJob,
    Question,
    SomeJobs,
)
from admin.mcp.chat import answered
from admin.services import Services
from core.jobs.order import Wish
from core.media.routes import IMAGE, VIDEO
from db import jobs
from db.job_lists import Wanted

STEP = 1e-6  # the least that progress grows from one notification to the next


class Report(Protocol):
    """Tells the client how far a call is."""

    async def __call__(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """One notification; nothing happens where the client wants none."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """One call of a tool."""

    services: Services
    caller: Caller
    desk: Desk
    views: Showing
    report: Report


@dataclass(frozen=True, slots=True)
class MediaTool:
    """A tool: what it is for, its arguments, and what it does."""

    about: str
    takes: type[BaseModel]
    run: Callable[[Work, Any], Awaitable[CallToolResult]]


async def _image(work: Work, asked: NewImage) -> CallToolResult:
    return await _make(work, IMAGE, asked, ())


async def _edit(work: Work, asked: NewEdit) -> CallToolResult:
    pictures = [_given("image", f"images[{at}]", one) for at, one in enumerate(asked.images)]
    return await _make(work, IMAGE, asked, (*pictures, *_given_once("mask", "mask", asked.mask)))


async def _video(work: Work, asked: NewVideo) -> CallToolResult:
    return await _make(work, VIDEO, asked, _given_once("image", "image", asked.image))


async def _make(work: Work, makes: str, asked: Making, pictures: tuple[Given, ...]) -> CallToolResult:
    wish = Wish(
        default_task(makes, [one.role for one in pictures]), asked.prompt, asked.negative_prompt,
        asked.width, asked.height, getattr(asked, "count", 1), asked.seed,
        getattr(asked, "seconds", None), getattr(asked, "strength", None),
    )  # fmt: skip
    placed = await work.desk.order(work.caller, Ask(asked.model, wish, pictures, delay=asked.delay))
    return await _waited(work, placed.row.id, 0.0 if asked.delay else asked.wait)


async def _get(work: Work, asked: OneJob) -> CallToolResult:
    await work.desk.job(work.caller, asked.id)
    return await _waited(work, asked.id, asked.wait)


async def _cancel(work: Work, asked: AJob) -> CallToolResult:
    await work.desk.job(work.caller, asked.id)
    done = await work.desk.cancel(asked.id)
    job = await _seen(work, asked.id)
    if not done:
        return failure(f"The job is {job.status} already.")
    text = "The job is cancelled." if job.status == jobs.CANCELLED else "The job is being stopped."
    return _result(text, job.model_dump(mode="json"))


async def _list(work: Work, asked: SomeJobs) -> CallToolResult:
    wanted = Wanted(status=asked.status, makes=asked.makes)
    rows = await work.desk.jobs(work.caller, wanted, asked.limit)
    found = [job.model_dump(mode="json") for job in await work.views.jobs(work.caller, rows)]
    lines = [f"{one['id']}: {one['task']}, {one['status']}" for one in found]
    return _result("\n".join(lines) or "There are no jobs.", {"jobs": found})


async def _models(work: Work, _asked: Nothing) -> CallToolResult:
    services = work.services
    assert work.caller.key is not None
    access = Access(services.gateway_keys, services.book)
    chat = [name for name, _ in await access.models(work.caller.key)]
    media = [
        {"name": one.name, "tasks": list(one.tasks)} for one in await work.desk.names.listed(work.caller.key)
    ]
    lines = [f"chat: {', '.join(chat) or 'none'}"]
    lines += [f"{one['name']}: {', '.join(one['tasks'])}" for one in media]
    return _result("\n".join(lines), {"chat": chat, "media": media})


async def _chat(work: Work, asked: Question) -> CallToolResult:
    assert work.caller.key is not None
    messages = [{"role": "user", "content": asked.message}]
    if asked.system:
        messages.insert(0, {"role": "system", "content": asked.system})
    body = {"model": asked.model, "messages": messages, "max_tokens": asked.max_tokens}
    text, who = await answered(work.services, work.caller.key, body)
    return _result(text, {"text": text, "model": who})


async def _waited(work: Work, job_id: str, seconds: float) -> CallToolResult:
    """The job's result, or how far it is when the time is over."""
    told = 0.0
    try:
        async with asyncio.timeout(seconds):
            async for row, ahead in work.desk.follow(job_id):
                told = max(0.99 * (row.fraction or 0.0), told + STEP)  # it has to grow each time
                await work.report(told, 1.0, _progress(row, ahead))
    except TimeoutError:
        pass
    return _shown(await _seen(work, job_id))


async def _seen(work: Work, job_id: str) -> MediaJob:
    row = await work.desk.job(work.caller, job_id)
    return await work.views.job(work.caller, row, await work.desk.ahead(row))


def _progress(row: Any, ahead: int | None) -> str:
    if row.status == jobs.WAITING:
        return f"waiting: {ahead} before it" if ahead else "waiting"
    return row.phase if row.fraction is None else f"{row.phase}: {row.fraction:.0%}"


def _shown(job: MediaJob) -> CallToolResult:
    whole = job.model_dump(mode="json")
    if job.error is not None:
        return failure(job.error.message, whole)
    if not job.ended:
        share = f", {job.progress:.0%}" if job.progress is not None else ""
        return _result(f"The job {job.id} is {job.status}{share}. Call get_job with its id.", whole)
    links = [
        ResourceLink(uri=one.url, name=one.name, mime_type=one.mime, size=one.size,
                     description=f"{one.width}x{one.height}, id {one.id}")
        for one in job.results
    ]  # fmt: skip
    return _result(f"Made by {job.model} (job {job.id}).", whole, links)


def _result(text: str, data: Mapping[str, Any], links: Sequence[ContentBlock] = ()) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(text=text), *links]
    return CallToolResult(content=content, structured_content=json.loads(json.dumps(data)))


def failure(text: str, data: Mapping[str, Any] | None = None) -> CallToolResult:
    """A call that did not do what it should, in words for the model that made it."""
    return CallToolResult(content=[TextContent(text=text)], structured_content=data, is_error=True)


def _given_once(role: str, place: str, value: str) -> tuple[Given, ...]:
    return (_given(role, place, value),) if value else ()


def _given(role: str, place: str, value: str) -> Given:
    if value[:5].lower() == "data:":
        return from_data_url(role, place, value)
    if not 0 < len(value) <= 36 or not value.isascii():
        text = f"'{place}': must be an id, or a data: URL with base64."
        raise ApiError(400, text, param=place, code="invalid_value")
    return Given(role, place, value)


TOOLS = {
    "generate_image": MediaTool("Make a picture from words. Returns links to it.", NewImage, _image),
    "edit_image": MediaTool("Change pictures by words; a mask names the part to change.", NewEdit, _edit),
    "generate_video": MediaTool("Make a video from words, or from a picture and words.", NewVideo, _video),
    "get_job": MediaTool("How far a job is, and what it made; may wait for its end.", OneJob, _get),
    "list_jobs": MediaTool("The jobs that were ordered with this key, newest first.", SomeJobs, _list),
    "cancel_job": MediaTool("Stop a job.", AJob, _cancel),
    "list_models": MediaTool("The chat and media models that may be named.", Nothing, _models),
    "chat": MediaTool("Ask a chat model one thing; when it fails, the route's next one.", Question, _chat),
}

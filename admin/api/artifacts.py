"""Artifacts: pictures and videos that were made."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from admin.api.calls import Actor, Id, Parts, api_router
from admin.media_files import answer_file, signer_of, store_of
from admin.services import Services
from core.configuration.preset_configs import KeepingInput
from core.configuration.service import NotFound
from core.configuration.values import Readable
from core.media.artifacts_clearing import delete_files
from core.media.artifacts_keeping import Keeping, read_keeping, write_keeping
from db import artifacts
from db.operators import add_audit

router = api_router("artifacts")
BINARY = {"type": "string", "format": "binary"}
FILE: dict[str, Any] = {
    "description": "The file, or the part that was asked for",
    "content": {"image/*": {"schema": BINARY}, "video/*": {"schema": BINARY}},
}


class Artifact(BaseModel):
    """One picture or video. `settings` are the parameters that made it; `url` reads the file without a token,
    for a week; `expires_at` is when it is deleted, null for never (UTC epoch seconds)."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str | None
    channel_id: str | None
    chat_key: str
    source: str
    mime: str
    size: int
    digest: str
    width: int
    height: int
    seconds: float | None
    prompt: str
    model: str
    task: str
    settings: dict[str, Any]
    parent_id: str | None
    rating: str
    created_at: float
    expires_at: float | None
    url: str = ""


class ArtifactPage(BaseModel):
    """Artifacts, newest first; `next` is the `older` of the next page."""

    items: Sequence[Artifact]
    next: str | None


class ArtifactsAsked(BaseModel):
    """Which artifacts are wanted; empty is any. `older` is the `next` of the page before; moments are UTC
    epoch seconds."""

    q: Annotated[str, Field(max_length=200, description="Words of the prompt."), Readable] = ""
    kind: Literal["", "image", "video"] = ""
    model: Annotated[str, Field(max_length=240), Readable] = ""
    channel_id: Annotated[str, Field(max_length=36), Readable] = ""
    source: Annotated[str, Field(max_length=16), Readable] = ""
    since: float | None = None
    until: float | None = None
    older: Annotated[str, Field(max_length=36), Readable] = ""
    limit: int = Field(50, ge=1, le=200)


@router.get("/artifacts")
async def list_artifacts(
    request: Request, parts: Parts, asked: Annotated[ArtifactsAsked, Query()]
) -> ArtifactPage:
    """What was made, newest first."""
    given = asked.model_dump(exclude={"q", "limit"})
    wanted = artifacts.Wanted(text=asked.q, **given)
    async with parts.database.reading() as conn:
        rows = await artifacts.find_artifacts(conn, wanted, asked.limit + 1)
    items = [await _shown(request, row) for row in rows[: asked.limit]]
    return ArtifactPage(items=items, next=items[-1].id if len(rows) > asked.limit else None)


@router.get("/artifacts/{artifact_id}")
async def get_artifact(artifact_id: Id, request: Request, parts: Parts) -> Artifact:
    """One picture or video."""
    return await _shown(request, await _row(parts, artifact_id))


@router.get("/artifacts/{artifact_id}/content", response_class=Response, responses={200: FILE, 206: FILE})
async def artifact_content(artifact_id: Id, request: Request, parts: Parts) -> Response:
    """Its file; ranges are answered."""
    return await answer_file(request, await _row(parts, artifact_id), download=True)


@router.delete("/artifacts/{artifact_id}", status_code=204)
async def delete_artifact(artifact_id: Id, request: Request, parts: Parts, actor: Actor) -> None:
    """Delete it, its file with it; links to it end."""
    async with parts.database.transaction() as conn:
        gone = await artifacts.delete_artifact(conn, artifact_id)
        if gone is None:
            raise NotFound("artifact", artifact_id)
        await add_audit(conn, actor, "artifact.delete", artifact_id)
    await delete_files(store_of(request), gone.key, gone.poster)


@router.get("/artifact-settings")
async def get_artifact_settings(parts: Parts) -> Keeping:
    """For how long what was made is kept, and whether its parameters are written into the file."""
    async with parts.database.reading() as conn:
        return await read_keeping(conn)


@router.put("/artifact-settings")
async def change_artifact_settings(config: KeepingInput, parts: Parts, actor: Actor) -> Keeping:
    """Change that, for what is made from now on."""
    keeping = Keeping(**config.model_dump())
    async with parts.database.transaction() as conn:
        await write_keeping(conn, keeping)
        await add_audit(conn, actor, "gallery.settings", "", **config.model_dump())
    return keeping


async def _row(parts: Services, artifact_id: str) -> Any:
    async with parts.database.reading() as conn:
        row = await artifacts.get_artifact(conn, artifact_id)
    if row is None:
        raise NotFound("artifact", artifact_id)
    return row


async def _shown(request: Request, row: Any) -> Artifact:
    shown = Artifact.model_validate(row)
    signer = await signer_of(request)
    return shown.model_copy(update={"url": request.app.state.services.settings.url + signer.path(row)})

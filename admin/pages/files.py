"""Addresses of media files: signed ones for everybody who has them, and small pictures for the gallery."""

import logging

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.media_files import FOREVER, POLICY, answer_file, row_of, signer_of, small_picture, store_of
from admin.pages.page import bare
from admin.sign_in import SignedIn, find_person
from core.media.files import BadFile
from core.media.store import Missing, StoreTrouble

router = APIRouter()
logger = logging.getLogger(__name__)


@router.api_route("/media/{artifact_id}/{name}", methods=["GET", "HEAD"])
async def signed_file(request: Request, artifact_id: str, name: str) -> Response:
    """A file for whoever has its signed address, and for people of the panel."""
    asked = request.query_params
    signer = await signer_of(request)
    signed = signer.valid(artifact_id, asked.get("until", ""), asked.get("sig", ""))
    if not signed and await find_person(request) is None:
        return _refused(request)
    row = await row_of(request, artifact_id)
    poster = bool(row.poster) and name == "poster.jpg"
    return await answer_file(request, row, poster=poster, download="download" in asked)


@router.get("/gallery/{artifact_id}/small")
async def small(request: Request, artifact_id: str, _: SignedIn) -> Response:
    """A small picture of an artifact for the gallery, made when it is first looked at."""
    row = await row_of(request, artifact_id)
    try:
        body = await small_picture(store_of(request), row)
    except (Missing, BadFile) as error:
        raise HTTPException(404) from error
    except StoreTrouble as error:
        logger.warning("the media store is in trouble: %s", error)
        raise HTTPException(503) from error
    headers = {"cache-control": FOREVER, "content-security-policy": POLICY}
    return Response(body, media_type="image/webp", headers=headers)


def _refused(request: Request) -> Response:
    t = language_of(request)
    title, text = t("This link has ended"), t("It is out of date or was cut off. Ask for a new one.")
    return bare(request, "problem.html", 403, title=title, text=text)

"""Veo's videos by the Gemini API, and what both of its ways have in common.

Reference: https://ai.google.dev/gemini-api/docs/video (predictLongRunning, operations, files) and
googleapis/python-genai's `models.py` and `operations.py` for the shapes. The reference names no idempotency
key, and operations cannot be listed. A video is fetched from the same host with the key; it lies there for
two days.
"""

import re
from typing import Any
from urllib.parse import quote

from providers.errors import ErrorClass, ProviderError
from providers.media.http import Answer, Call
from providers.media.inputs import Loaded, Order, without_nothing
from providers.media.polling import Pace, final
from providers.media.types import Handle, Progress, Task
from providers.media.vendor import Results, Vendor, VendorModel, nonsense, objects, refused
from providers.types import ProviderConfig

RATIOS = ("16:9", "9:16")
OPERATION = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9._-]*[A-Za-z0-9_-])+")
CODES = {
    4: ErrorClass.TIMEOUT, 5: ErrorClass.MODEL_GONE, 7: ErrorClass.CREDENTIAL,
    8: ErrorClass.RATE_LIMIT, 13: ErrorClass.TRANSIENT, 14: ErrorClass.OVERLOAD, 16: ErrorClass.CREDENTIAL,
}  # fmt: skip
VEO_PACE = Pace(first=5.0, longest=15.0, deadline=1800.0)


def create(config: ProviderConfig) -> "GeminiVideos":
    """The registry's entry."""
    return GeminiVideos(config)


class GeminiVideos(Vendor):
    """An account at the Gemini API."""

    pace = VEO_PACE

    def address(self, url: str) -> str:
        """Chat has its own path below the same host."""
        return url.removesuffix("/openai")

    def classify(self, status: int | None, body: Any) -> ErrorClass | None:
        """By gRPC's codes, which errors of operations have."""
        return by_code(status, body)

    def model(self, name: str, key: str) -> "GeminiVideo":
        """A model."""
        return GeminiVideo(self, name, key)

    def free_call(self, key: str) -> Call:
        """The list of models."""
        return Call("GET", "/models?pageSize=1", {"x-goog-api-key": key}, secrets=(key,))


class GeminiVideo(VendorModel):
    """One model."""

    def order(self, order: Order) -> Call:
        """A long-running operation."""
        body = video_body(order, ("resolution", "personGeneration"))
        path = f"/models/{quote(self.name, safe='')}:predictLongRunning"
        return Call("POST", path, self._headers, json=body)

    def begun(self, order: Order, answer: Answer) -> dict[str, Any]:
        """The operation."""
        return {"id": operation_of(answer.data)}

    async def look(self, handle: Handle) -> Progress | Results:
        """How it is."""
        call = Call("GET", f"/{handle['id']}", self._headers, secrets=(self.key,))
        data = (await self.vendor.api.ask(call)).data
        response = ended(self.vendor, data, self.key)
        if response is None:
            return Progress()
        told = response.get("generateVideoResponse")
        told = told if isinstance(told, dict) else response
        videos = objects([one.get("video") for one in objects(told.get("generatedSamples"))])
        urls = [one["uri"] for one in videos if isinstance(one.get("uri"), str)]
        held_back(told, bool(urls))
        return Results(tuple(urls), headers=self._headers)

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self.key}


def video_body(order: Order, options: tuple[str, ...]) -> dict[str, Any]:
    """What both ways ask."""
    request = order.request
    first = order.needed("image") if request.task == Task.IMAGE_TO_VIDEO else None
    last = order.first("last_frame") if first else None
    instance = without_nothing(prompt=request.prompt, image=_image(first), lastFrame=_image(last))
    parameters = without_nothing(
        aspectRatio=order.ratio(RATIOS), negativePrompt=request.negative, seed=request.seed,
        durationSeconds=round(request.seconds) if request.seconds else None,
        sampleCount=request.count if request.count > 1 else None,
        **{name: request.params.get(name) for name in options},
    )  # fmt: skip
    return {"instances": [instance], "parameters": parameters}


def operation_of(data: dict[str, Any]) -> str:
    """An operation's name, which becomes a part of a path. Raises ProviderError."""
    name = data.get("name")
    if not isinstance(name, str) or not OPERATION.fullmatch(name):
        raise nonsense("operation")
    return name


def ended(vendor: Vendor, data: dict[str, Any], *secrets: str) -> dict[str, Any] | None:
    """An operation's response, None while it runs. Raises ProviderError when it failed."""
    if not data.get("done"):
        return None
    if data.get("error"):
        raise final(vendor.api.failure({"error": data["error"]}, secrets))
    response = data.get("response")
    if not isinstance(response, dict):
        raise ProviderError(ErrorClass.EMPTY, "the operation ended without a response")
    return response


def held_back(told: dict[str, Any], some: bool) -> None:
    """Raise ProviderError when moderation held all videos back."""
    if not some and (told.get("raiMediaFilteredCount") or told.get("raiMediaFilteredReasons")):
        reasons = told.get("raiMediaFilteredReasons")
        raise refused("; ".join(map(str, reasons)) if isinstance(reasons, list) else "held back")


def by_code(status: int | None, body: Any) -> ErrorClass | None:
    """What gRPC's code in an operation's error means."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) and status is None else None
    return CODES.get(code) if isinstance(code, int) else None


def _image(one: Loaded | None) -> dict[str, str] | None:
    return {"bytesBase64Encoded": one.base64, "mimeType": one.mime} if one else None

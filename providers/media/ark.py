"""Ark (BytePlus ModelArk, Volcano Engine): Seedream and SeedEdit pictures, Seedance and other Doubao videos.

Reference: https://docs.byteplus.com/en/docs/ModelArk/1541523 (pictures), /1520757 (videos, tasks, their list
and cancelling) and /1299023 (error codes). Pictures come with the answer, videos are tasks. Tasks can be
listed, but by no id of one's own, and no idempotency key is named. A task is cancelled while it is queued;
afterwards the same call deletes its record.
"""

from typing import Any
from urllib.parse import quote

from providers.errors import ErrorClass, ProviderError
from providers.media.http import Answer, Call
from providers.media.inputs import Loaded, Order, without_nothing
from providers.media.openai_images import bearer
from providers.media.polling import failed_task, final
from providers.media.types import Handle, Progress, Task
from providers.media.vendor import Results, Vendor, VendorModel, nonsense, objects, task_of
from providers.types import ProviderConfig

TASKS = "/contents/generations/tasks"
RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
VIDEO_OPTIONS = ("resolution", "generate_audio", "camera_fixed")
IMAGE_OPTIONS = ("guidance_scale", "output_format")
ROLES = {"image": "first_frame", "last_frame": "last_frame", "reference": "reference_image"}
CODES = {
    "accountoverdueerror": ErrorClass.QUOTA, "quotaexceeded": ErrorClass.QUOTA,
    "setlimitexceeded": ErrorClass.QUOTA, "inferencelimitexceeded": ErrorClass.QUOTA,
    "authenticationerror": ErrorClass.CREDENTIAL, "accessdenied": ErrorClass.CREDENTIAL,
    "operationdenied": ErrorClass.CREDENTIAL, "modelnotopen": ErrorClass.MODEL_GONE,
    "invalidendpointormodel": ErrorClass.MODEL_GONE, "unsupportedmodel": ErrorClass.MODEL_GONE,
    "ratelimitexceeded": ErrorClass.RATE_LIMIT, "requestbursttoofast": ErrorClass.RATE_LIMIT,
    "serveroverloaded": ErrorClass.OVERLOAD, "internalserviceerror": ErrorClass.TRANSIENT,
}  # fmt: skip
HELD_BACK = ("sensitive", "riskdetection", "policyviolation", "copyright")


def create(config: ProviderConfig) -> "Ark":
    """The registry's entry."""
    return Ark(config)


class Ark(Vendor):
    """An account at ModelArk or Volcano Engine."""

    def model(self, name: str, key: str) -> "ArkModel":
        """A model, or an endpoint (ep-...)."""
        return ArkModel(self, name, key)

    def classify(self, status: int | None, body: Any) -> ErrorClass | None:
        """By the code before its first dot: the rest are details."""
        error = body.get("error") if isinstance(body, dict) else None
        code = str(error.get("code") if isinstance(error, dict) else "").lower()
        if any(word in code for word in HELD_BACK):
            return ErrorClass.CONTENT
        return CODES.get(code.partition(".")[0])

    def free_call(self, key: str) -> Call:
        """The latest task."""
        return Call("GET", f"{TASKS}?page_num=1&page_size=1", bearer(key), secrets=(key,))


class ArkModel(VendorModel):
    """One model."""

    def order(self, order: Order) -> Call:
        """A picture, or a task that makes a video."""
        body = self._video(order) if order.request.task.makes == "video" else self._picture(order)
        path = TASKS if order.request.task.makes == "video" else "/images/generations"
        return Call("POST", path, bearer(self.key), json={"model": self.name, **body})

    def begun(self, order: Order, answer: Answer) -> dict[str, Any] | Results:
        """The pictures' addresses, or the task."""
        data, secrets = answer.data, (self.key, order.request.prompt)
        if data.get("error"):
            raise self.vendor.api.failure({"error": data["error"]}, secrets, told=200)
        if order.request.task.makes == "video":
            if not isinstance(data.get("id"), str):
                raise nonsense("task")
            return {"id": data["id"]}
        if not isinstance(data.get("data"), list):
            raise nonsense("data")
        items = objects(data["data"])
        good = [one for one in items if isinstance(one.get("url"), str)]
        bad = next((one["error"] for one in items if one.get("error")), None)
        if bad is not None and not good:
            raise final(self.vendor.api.failure({"error": bad}, secrets, told=200))
        return Results(
            tuple(str(one["url"]) for one in good),
            settings=without_nothing(size=next((one.get("size") for one in good), None)),
        )

    async def look(self, handle: Handle) -> Progress | Results:
        """How a video is."""
        data = (await self.vendor.api.ask(self._task("GET", handle))).data
        match data.get("status"):
            case "queued":
                return Progress("waiting")
            case "running":
                return Progress()
            case "succeeded":
                content = data.get("content")
                url = content.get("video_url") if isinstance(content, dict) else None
                used = {name: data.get(name) for name in ("seed", "resolution", "ratio", "duration")}
                return Results((url,) if isinstance(url, str) else (), settings=without_nothing(**used))
            case "failed":
                raise final(self.vendor.api.failure({"error": data.get("error") or "failed"}, (self.key,)))
            case "cancelled" | "expired":
                raise failed_task(f"the task is {data['status']}")
        raise nonsense("status")

    async def discard(self, handle: Handle) -> None:
        """Delete the record of a video's task."""
        await self._delete(handle)

    async def cancel(self, handle: Handle) -> None:
        """Stop a task that still waits."""
        await self._delete(handle)

    async def _delete(self, handle: Handle) -> None:
        if "id" not in handle or task_of(handle).makes != "video":
            return
        try:
            await self.vendor.api.ask(self._task("DELETE", handle))
        except ProviderError as error:
            if error.error_class not in (ErrorClass.CALLER, ErrorClass.MODEL_GONE):  # runs already, or gone
                raise

    def _task(self, method: str, handle: Handle) -> Call:
        path = f"{TASKS}/{quote(handle['id'], safe='')}"
        return Call(method, path, bearer(self.key), secrets=(self.key,))

    def _picture(self, order: Order) -> dict[str, Any]:
        request = order.request
        pictures = [one.url for one in order.pictures()]
        if request.task == Task.IMAGE_TO_IMAGE and not pictures:
            order.needed("image")
        return without_nothing(
            prompt=request.prompt, size=order.size, seed=request.seed, response_format="url",
            image=(pictures if len(pictures) > 1 else pictures[0]) if pictures else None,
            watermark=bool(request.params.get("watermark")),  # left out, they draw one
            **{name: request.params.get(name) for name in IMAGE_OPTIONS},
        )  # fmt: skip

    def _video(self, order: Order) -> dict[str, Any]:
        request = order.request
        content: list[dict[str, Any]] = [{"type": "text", "text": request.prompt}]
        if request.task == Task.IMAGE_TO_VIDEO:
            order.needed("image")
            content += [_frame(one) for one in order.inputs if one.role in ROLES]
        return without_nothing(
            content=content, ratio=order.ratio(RATIOS), seed=request.seed,
            duration=round(request.seconds) if request.seconds else None,
            watermark=bool(request.params.get("watermark")),
            **{name: request.params.get(name) for name in VIDEO_OPTIONS},
        )  # fmt: skip


def _frame(one: Loaded) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": one.url}, "role": ROLES[one.role]}

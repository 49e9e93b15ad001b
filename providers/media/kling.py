"""Kling: pictures, virtual try-on and videos.

Reference: https://app.klingai.com/global/dev/document-api (General Info, Image Generation, Virtual Try-On,
Text to Video, Image to Video). A key is an access key and a secret key, written "AK:SK"; each request carries
a token signed with them. A task may have an `external_task_id`, unique in an account, by which it can be
asked for: so a lost answer is found again. Tasks cannot be cancelled.
"""

import time
from typing import Any
from urllib.parse import quote

import jwt

from providers.errors import ErrorClass, ProviderError
from providers.media.http import Answer, Call
from providers.media.inputs import Order, without_nothing
from providers.media.polling import Pace, final
from providers.media.types import Handle, Progress, Repeat, Task
from providers.media.vendor import Results, Vendor, VendorModel, new_handle, nonsense, objects, task_of
from providers.types import ProviderConfig

VALID = 1800  # seconds
IMAGES, TRY_ON = "/v1/images/generations", "/v1/images/kolors-virtual-try-on"
TEXT, FRAME = "/v1/videos/text2video", "/v1/videos/image2video"
PATHS = {
    Task.TEXT_TO_IMAGE: IMAGES, Task.IMAGE_TO_IMAGE: IMAGES, Task.TRY_ON: TRY_ON,
    Task.TEXT_TO_VIDEO: TEXT, Task.IMAGE_TO_VIDEO: FRAME,
}  # fmt: skip
IMAGE_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")
VIDEO_RATIOS = ("16:9", "9:16", "1:1")
CODES = {
    1000: ErrorClass.CREDENTIAL, 1001: ErrorClass.CREDENTIAL, 1002: ErrorClass.CREDENTIAL,
    1003: ErrorClass.CREDENTIAL, 1004: ErrorClass.CREDENTIAL, 1100: ErrorClass.CREDENTIAL,
    1101: ErrorClass.QUOTA, 1102: ErrorClass.QUOTA, 1103: ErrorClass.MODEL_GONE,
    1200: ErrorClass.CALLER, 1201: ErrorClass.CALLER, 1202: ErrorClass.CONNECT, 1203: ErrorClass.MODEL_GONE,
    1300: ErrorClass.CONTENT, 1301: ErrorClass.CONTENT, 1302: ErrorClass.RATE_LIMIT,
    1303: ErrorClass.RATE_LIMIT, 1304: ErrorClass.CREDENTIAL, 5000: ErrorClass.TRANSIENT,
    5001: ErrorClass.OVERLOAD, 5002: ErrorClass.TIMEOUT,
}  # fmt: skip
UNKNOWN = (1201, 1203)  # what is said of a task that does not exist


def create(config: ProviderConfig) -> "Kling":
    """The registry's entry."""
    return Kling(config)


class Kling(Vendor):
    """An account at Kling."""

    pace = Pace(first=2.0, longest=15.0, deadline=3600.0)

    def model(self, name: str, key: str) -> "KlingModel":
        """A model."""
        return KlingModel(self, name, key)

    def classify(self, status: int | None, body: Any) -> ErrorClass | None:
        """By the code, which is told beside the HTTP status."""
        code = body.get("code") if isinstance(body, dict) else None
        return CODES.get(code) if isinstance(code, int) else None

    def free_call(self, key: str) -> Call:
        """The latest task."""
        return _call("GET", f"{TEXT}?pageNum=1&pageSize=1", key)

    async def check(self, key: str) -> list[str]:
        """The *Test* of a key; errors may come with a good status."""
        _data(self, (await self.api.ask(self.free_call(key))).data, key)
        return await super().check(key)


class KlingModel(VendorModel):
    """One model."""

    repeat = Repeat.FIND

    def order(self, order: Order) -> Call:
        """A task."""
        request = order.request
        if request.task == Task.TRY_ON:
            fields: dict[str, object] = {
                "human_image": order.needed("person").base64, "cloth_image": order.needed("garment").base64
            }  # fmt: skip
        else:
            shape = order.ratio(IMAGE_RATIOS if request.task.makes == "image" else VIDEO_RATIOS)
            fields = without_nothing(
                prompt=request.prompt, negative_prompt=request.negative,
                aspect_ratio=None if request.task == Task.IMAGE_TO_VIDEO else shape,
                **(self._video(order) if request.task.makes == "video" else self._picture(order)),
            )  # fmt: skip
        body = {"model_name": self.name, **fields, "external_task_id": order.key}
        if PATHS.get(request.task) is None:
            raise ProviderError(ErrorClass.CALLER, f"this model does no {request.task}")
        return _call("POST", PATHS[request.task], self.key, body)

    def begun(self, order: Order, answer: Answer) -> dict[str, Any]:
        """The task."""
        task = _data(self.vendor, answer.data, self.key, order.request.prompt).get("task_id")
        if not isinstance(task, str):
            raise nonsense("task")
        return {"id": task, "path": PATHS[order.request.task]}

    async def find(self, key: str) -> Handle | None:
        """Asked at each of the vendor's lists: a name does not tell which one holds it."""
        for task, path in PATHS.items():
            if task == Task.IMAGE_TO_IMAGE:
                continue
            found = await self._known(path, key)
            if found is not None:
                return {**new_handle(task, key), "id": str(found["task_id"]), "path": path}
        return None

    async def look(self, handle: Handle) -> Progress | Results:
        """How a task is."""
        call = _call("GET", f"{handle['path']}/{quote(handle['id'], safe='')}", self.key)
        data = _data(self.vendor, (await self.vendor.api.ask(call)).data, self.key)
        match data.get("task_status"):
            case "submitted":
                return Progress("waiting")
            case "processing":
                return Progress()
            case "succeed":
                return _results(data.get("task_result"), task_of(handle).makes)
            case "failed":
                why = data.get("task_status_msg") or "the vendor gave no reason"
                raise final(self.vendor.api.failure({"message": str(why)}, self.key_parts))
        raise nonsense("status")

    @property
    def key_parts(self) -> tuple[str, ...]:
        """What no message may show."""
        return (self.key, *self.key.split(":", 1))

    async def _known(self, path: str, key: str) -> dict[str, Any] | None:
        call = _call("GET", f"{path}/{quote(key, safe='')}", self.key)
        try:
            answer = await self.vendor.api.ask(call)
        except ProviderError as error:
            if error.status == 404 or error.error_class in (ErrorClass.MODEL_GONE, ErrorClass.CALLER):
                return None
            raise
        if answer.data.get("code") in UNKNOWN:
            return None
        data = _data(self.vendor, answer.data, self.key)
        return data if data.get("task_id") else None

    def _picture(self, order: Order) -> dict[str, Any]:
        request = order.request
        image = order.needed("image") if request.task == Task.IMAGE_TO_IMAGE else None
        return {
            "n": request.count, "image": image.base64 if image else None,
            "image_fidelity": 1 - request.strength if request.strength is not None and image else None,
            "resolution": request.params.get("resolution"),
        }  # fmt: skip

    def _video(self, order: Order) -> dict[str, Any]:
        request = order.request
        first = order.needed("image") if request.task == Task.IMAGE_TO_VIDEO else None
        last = order.first("last_frame") if first else None
        return {
            "image": first.base64 if first else None, "image_tail": last.base64 if last else None,
            "duration": f"{request.seconds:g}" if request.seconds else None,
            **{name: request.params.get(name) for name in ("mode", "sound", "cfg_scale")},
        }  # fmt: skip


def token(key: str, now: float) -> str:
    """A signed token for a while. Raises ProviderError for a key that is not in two parts."""
    access, _, secret = key.partition(":")
    if not access or not secret:
        raise ProviderError(ErrorClass.CREDENTIAL, "the key must be an access key and a secret key: AK:SK")
    claims = {"iss": access, "exp": int(now) + VALID, "nbf": int(now) - 5}
    return jwt.encode(claims, secret, algorithm="HS256")


def _call(method: str, path: str, key: str, body: Any = None) -> Call:
    signed = token(key, time.time())
    headers = {"Authorization": f"Bearer {signed}"}
    return Call(method, path, headers, json=body, secrets=(key, *key.split(":", 1), signed))


def _data(vendor: Vendor, body: dict[str, Any], *secrets: str) -> dict[str, Any]:
    """The part of an answer that counts. Raises ProviderError for a code that is not 0."""
    if body.get("code") != 0:
        raise vendor.api.failure(body, secrets, told=200)
    data = body.get("data")
    return data if isinstance(data, dict) else {}


def _results(result: Any, makes: str) -> Results:
    found = objects(result.get(f"{makes}s")) if isinstance(result, dict) else []
    return Results(tuple(str(one["url"]) for one in found if isinstance(one.get("url"), str)))

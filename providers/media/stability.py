"""Pictures by Stability AI.

Reference: https://platform.stability.ai/docs/api-reference (v2beta, "Stable Image"). All but the creative
upscale answer with the picture itself. The reference names no idempotency key. A model's path is not in its
name, so that the names here are those of the endpoints, and for SD 3.5 the vendor's own.
"""

from typing import Any
from urllib.parse import quote

from providers.errors import ErrorClass
from providers.media.http import Answer, Call
from providers.media.inputs import Order, without_nothing
from providers.media.openai_images import bearer
from providers.media.types import Handle, Progress, Task
from providers.media.vendor import Results, Vendor, VendorModel, decoded, nonsense, refused
from providers.types import ProviderConfig

PATHS = {
    "ultra": "/v2beta/stable-image/generate/ultra", "core": "/v2beta/stable-image/generate/core",
    "inpaint": "/v2beta/stable-image/edit/inpaint",
    "upscale-fast": "/v2beta/stable-image/upscale/fast",
    "upscale-conservative": "/v2beta/stable-image/upscale/conservative",
    "upscale-creative": "/v2beta/stable-image/upscale/creative",
}  # fmt: skip
SD3 = "/v2beta/stable-image/generate/sd3"
RATIOS = ("1:1", "16:9", "9:16", "3:2", "2:3", "5:4", "4:5", "21:9", "9:21")
OPTIONS = ("style_preset", "output_format", "cfg_scale", "creativity", "grow_mask")
STRENGTH = 0.6
SAME = "the same picture with more detail"  # two of the upscales want words
WORDS = {"content_moderation": ErrorClass.CONTENT, "payment_required": ErrorClass.QUOTA}


def create(config: ProviderConfig) -> "Stability":
    """The registry's entry."""
    return Stability(config)


class Stability(Vendor):
    """An account at Stability AI."""

    def model(self, name: str, key: str) -> "StabilityModel":
        """A model."""
        return StabilityModel(self, name, key)

    def classify(self, status: int | None, body: Any) -> ErrorClass | None:
        """By the error's name."""
        return WORDS.get(str(body.get("name"))) if isinstance(body, dict) else None

    def free_call(self, key: str) -> Call:
        """The credits that are left."""
        return Call("GET", "/v1/user/balance", bearer(key), secrets=(key,))


class StabilityModel(VendorModel):
    """One model."""

    def order(self, order: Order) -> Call:
        """A form, also without a file."""
        request, path = order.request, PATHS.get(self.name, SD3)
        form: dict[str, Any] = without_nothing(
            prompt=request.prompt or (SAME if request.task == Task.UPSCALE else ""),
            negative_prompt=request.negative, seed=request.seed,
            **{name: request.params.get(name) for name in OPTIONS},
        )  # fmt: skip
        if self.name == "upscale-fast":  # it takes nothing but a picture
            form = without_nothing(output_format=form.get("output_format"))
        if path == SD3:
            form["model"] = self.name
        if request.task == Task.TEXT_TO_IMAGE:
            form.update(without_nothing(aspect_ratio=order.ratio(RATIOS)))
        else:
            form["image"] = order.needed("image").upload
        if request.task == Task.IMAGE_TO_IMAGE:
            form["strength"] = STRENGTH if request.strength is None else request.strength
            if path == SD3:
                form["mode"] = "image-to-image"
        if request.task == Task.INPAINT:
            form["mask"] = order.needed("mask").upload
        return Call("POST", path, bearer(self.key), form=form)

    def begun(self, order: Order, answer: Answer) -> dict[str, Any] | Results:
        """The picture, or for the creative upscale the task."""
        if "image" not in answer.data and isinstance(answer.data.get("id"), str):
            return {"id": answer.data["id"]}
        return _result(answer.data)

    async def look(self, handle: Handle) -> Progress | Results:
        """How it is: 202 until the picture is there."""
        path = f"/v2beta/results/{quote(handle['id'], safe='')}"
        call = Call("GET", path, bearer(self.key), secrets=(self.key,))
        answer = await self.vendor.api.ask(call)
        return Progress() if answer.status == 202 else _result(answer.data)


def _result(data: dict[str, Any]) -> Results:
    if data.get("finish_reason") == "CONTENT_FILTERED":
        raise refused("the vendor's filter held the picture back")
    picture = data.get("image", data.get("result"))
    if not isinstance(picture, str):
        raise nonsense("picture")
    return Results((decoded(picture),), settings=without_nothing(seed=data.get("seed")))

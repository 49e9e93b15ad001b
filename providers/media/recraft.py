"""Pictures by Recraft.

Reference: https://www.recraft.ai/docs/api-reference/usage, /appendix, /pricing, /tools/image-to-image and
/tools/upscale there. The answer to a submit holds the results' addresses. The reference names no idempotency
key. Models that draw vectors are left out: SVG is no picture that a chat can show, and may hold programs.
"""

from typing import Any

from providers.media.http import Answer, Call
from providers.media.inputs import Order, without_nothing
from providers.media.openai_images import bearer
from providers.media.types import Task
from providers.media.vendor import Results, Vendor, VendorModel, nonsense
from providers.types import ProviderConfig

UNIT = 0.001  # US dollars
PATHS = {
    Task.TEXT_TO_IMAGE: "/images/generations", Task.IMAGE_TO_IMAGE: "/images/imageToImage",
    Task.INPAINT: "/images/inpaint",
}  # fmt: skip
UPSCALES = {"crisp-upscale": "/images/crispUpscale", "creative-upscale": "/images/creativeUpscale"}
STRENGTH = 0.5


def create(config: ProviderConfig) -> "Recraft":
    """The registry's entry."""
    return Recraft(config)


class Recraft(Vendor):
    """An account at Recraft."""

    def model(self, name: str, key: str) -> "RecraftModel":
        """A model."""
        return RecraftModel(self, name, key)

    def free_call(self, key: str) -> Call:
        """The account and its units."""
        return Call("GET", "/users/me", bearer(key), secrets=(key,))


class RecraftModel(VendorModel):
    """One model, or one of its two ways to enlarge."""

    def order(self, order: Order) -> Call:
        """A generation, a change of a picture, or a larger one."""
        request, headers = order.request, bearer(self.key)
        if request.task == Task.UPSCALE:
            path = UPSCALES.get(self.name, UPSCALES["crisp-upscale"])
            return Call("POST", path, headers, form={"file": order.needed("image").upload})
        fields: dict[str, Any] = without_nothing(
            model=self.name, prompt=request.prompt, n=request.count, negative_prompt=request.negative,
            style=request.params.get("style"), response_format="url",
        )  # fmt: skip
        if request.task == Task.TEXT_TO_IMAGE:
            body = {**fields, **without_nothing(size=order.size)}
            return Call("POST", PATHS[request.task], headers, json=body)
        fields["image"] = order.needed("image").upload
        if request.task == Task.INPAINT:
            fields["mask"] = order.needed("mask").upload
        else:
            fields["strength"] = STRENGTH if request.strength is None else request.strength
        return Call("POST", PATHS[request.task], headers, form=fields)

    def begun(self, order: Order, answer: Answer) -> Results:
        """The pictures' addresses; of an enlarged one there is a single one."""
        data = answer.data
        items = [data["image"]] if isinstance(data.get("image"), dict) else data.get("data")
        if not isinstance(items, list):
            raise nonsense("data")
        urls = tuple(one["url"] for one in items if isinstance(one, dict) and isinstance(one.get("url"), str))
        if len(urls) < len(items):
            raise nonsense("picture")
        units = data.get("credits")
        return Results(urls, round(units * UNIT, 6) if isinstance(units, int | float) else None)

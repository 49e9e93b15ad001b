"""FLUX and FLUX Kontext by Black Forest Labs' own API.

Reference: https://docs.bfl.ai/quick_start/generating_images and https://docs.bfl.ai/api-reference. A task is
looked at by the `polling_url` of the answer. Its host may be another one of the vendor's; the key is not sent
there: looks without it are tried first, then /get_result at the address that the operator set. The reference
names no idempotency key, and no list of tasks.
"""

import json
from typing import Any
from urllib.parse import quote

from providers.errors import ErrorClass, ProviderError
from providers.media.download import Remote
from providers.media.http import Answer, Call
from providers.media.inputs import Order, without_nothing
from providers.media.polling import failed_task
from providers.media.types import Handle, Progress, Task
from providers.media.vendor import Results, Vendor, VendorModel, nonsense, refused
from providers.types import ProviderConfig

CENT = 0.01  # a credit
RATIOS = ("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "21:9", "9:21")
OPTIONS = ("output_format", "safety_tolerance", "prompt_upsampling", "raw", "steps", "guidance")
WAITING = ("Pending", "Queued", "Processing")
HELD_BACK = ("Request Moderated", "Content Moderated")


def create(config: ProviderConfig) -> "Flux":
    """The registry's entry."""
    return Flux(config)


class Flux(Vendor):
    """An account at Black Forest Labs."""

    def model(self, name: str, key: str) -> "FluxModel":
        """A model."""
        return FluxModel(self, name, key)

    def free_call(self, key: str) -> Call:
        """The credits that are left."""
        return Call("GET", "/credits", {"x-key": key}, secrets=(key,))


class FluxModel(VendorModel):
    """One model."""

    def order(self, order: Order) -> Call:
        """A generation, an edit, or a fill of a mask's white."""
        request = order.request
        keeps = request.task == Task.INPAINT  # the picture's own size
        by_ratio = self.name.startswith("flux-kontext") or self.name.endswith("ultra")
        size: dict[str, Any] = {} if keeps else {"width": request.width, "height": request.height}
        fields = without_nothing(
            prompt=request.prompt, seed=request.seed,
            **({"aspect_ratio": order.ratio(RATIOS)} if by_ratio else size),
            **{name: request.params.get(name) for name in OPTIONS},
            **self._pictures(order),
        )  # fmt: skip
        return Call("POST", f"/{quote(self.name, safe='')}", {"x-key": self.key}, json=fields)

    def begun(self, order: Order, answer: Answer) -> dict[str, Any]:
        """The task."""
        task, url = answer.data.get("id"), answer.data.get("polling_url")
        if not isinstance(task, str) or not isinstance(url, str):
            raise nonsense("task")
        cost = answer.data.get("cost")
        return {"id": task, "look": url, "cost": cost * CENT if isinstance(cost, int | float) else None}

    async def look(self, handle: Handle) -> Progress | Results:
        """How it is."""
        data = await self._look(handle)
        status, result = data.get("status"), data.get("result")
        if status in HELD_BACK:
            raise refused(data.get("details") or status)
        if status == "Task not found":
            raise ProviderError(ErrorClass.MODEL_GONE, "the task is not found")
        if status == "Ready":
            sample = result.get("sample") if isinstance(result, dict) else None
            files = (sample,) if isinstance(sample, str) else ()
            seed = result.get("seed") if isinstance(result, dict) else None
            return Results(files, handle.get("cost"), without_nothing(seed=seed))
        if status in WAITING:
            fraction = data.get("progress")
            known = isinstance(fraction, int | float) and 0 <= fraction <= 1
            return Progress("waiting" if status == "Queued" else "running", fraction if known else None)
        if status in ("Error", "Failed"):
            raise failed_task(
                f"the vendor gave up: {self.vendor.api.failure(data.get('details') or '').message}"
            )
        raise nonsense("status")

    async def _look(self, handle: Handle) -> dict[str, Any]:
        files = self.vendor.files
        if not files.places.is_own(handle["look"]):
            try:
                text = await files.text(Remote(handle["look"]))
                data = json.loads(text)
                return data if isinstance(data, dict) else {}
            except ProviderError:
                pass  # it wants the key, which only the operator's own address may have
            except ValueError as error:
                raise ProviderError(ErrorClass.TRANSIENT, "the answer is not JSON") from error
        path = f"/get_result?id={quote(handle['id'], safe='')}"
        call = Call("GET", path, {"x-key": self.key}, secrets=(self.key,))
        return (await self.vendor.api.ask(call)).data

    def _pictures(self, order: Order) -> dict[str, Any]:
        if order.request.task == Task.TEXT_TO_IMAGE:
            return {}
        if order.request.task == Task.INPAINT:
            return {"image": order.needed("image").base64, "mask": order.needed("mask").base64}
        pictures = order.pictures() or (order.needed("image"),)
        if self.name.startswith("flux-pro-1.1"):
            return {"image_prompt": pictures[0].base64}
        later = {f"input_image_{number}": one.base64 for number, one in enumerate(pictures[1:], 2)}
        return {"input_image": pictures[0].base64, **later}

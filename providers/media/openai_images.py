"""Pictures by OpenAI's wire, which many servers speak: /images/generations and /images/edits.

Reference: https://platform.openai.com/docs/api-reference/images and, as types, openai-python's
`types/image_generate_params.py` and `image_edit_params.py`. Nothing is said there of a key that would keep a
repeated request from being paid twice. DALL-E and other servers' models are told apart by their names: only
those of OpenAI's GPT family always answer with the picture itself.
"""

from typing import Any

from providers.media.http import Answer, Call, Upload
from providers.media.inputs import Order, transparent, without_nothing
from providers.media.types import Task
from providers.media.vendor import Results, Vendor, VendorModel, decoded, nonsense
from providers.types import ProviderConfig

GPT = ("gpt-image", "chatgpt-image")
OPTIONS = (
    "quality",
    "background",
    "output_format",
    "output_compression",
    "moderation",
    "style",
    "input_fidelity",
)
USED = ("size", "quality", "background", "output_format")


def create(config: ProviderConfig) -> "OpenAIImages":
    """The registry's entry."""
    return OpenAIImages(config)


class OpenAIImages(Vendor):
    """An account at OpenAI, or a server that speaks its wire."""

    def address(self, url: str) -> str:
        """A bare host means /v1."""
        url = url.removesuffix("/chat/completions")
        return url if url.count("/") > 2 else f"{url}/v1"

    def model(self, name: str, key: str) -> "OpenAIImageModel":
        """A model."""
        return OpenAIImageModel(self, name, key)

    def free_call(self, key: str) -> Call:
        """The list of models."""
        return Call("GET", "/models", bearer(key), secrets=(key,))


class OpenAIImageModel(VendorModel):
    """One model."""

    def order(self, order: Order) -> Call:
        """A generation, or an edit of pictures."""
        request = order.request
        fields = without_nothing(
            model=self.name, prompt=request.prompt, n=request.count, size=order.size,
            **{name: request.params.get(name) for name in OPTIONS},
        )  # fmt: skip
        if not self.name.startswith(GPT):
            fields["response_format"] = "b64_json"
        headers = bearer(self.key)
        if request.task == Task.TEXT_TO_IMAGE:
            fields.pop("input_fidelity", None)
            return Call("POST", "/images/generations", headers, json=fields)
        pictures = [one.upload for one in order.pictures()] or [order.needed("image").upload]
        form: dict[str, Any] = {**fields, **({"image[]": pictures} if pictures[1:] else {"image": pictures})}
        mask = order.needed("mask") if request.task == Task.INPAINT else None
        if mask is not None:
            form["mask"] = Upload(transparent(mask.data), "image/png", "mask.png")
        return Call("POST", "/images/edits", headers, form=form)

    def begun(self, order: Order, answer: Answer) -> Results:
        """The pictures."""
        if answer.data.get("error"):
            raise self.vendor.api.failure(answer.data, (self.key, order.request.prompt), told=200)
        items = answer.data.get("data")
        if not isinstance(items, list):
            raise nonsense("data")
        return Results(
            tuple(_file(one) for one in items),
            settings=without_nothing(
                **{name: answer.data.get(name) for name in USED},
                revised_prompt=next((one.get("revised_prompt") for one in items if one), None),
            ),
        )


def bearer(key: str) -> dict[str, str]:
    """The header that holds a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def _file(item: Any) -> bytes | str:
    if isinstance(item, dict) and item.get("b64_json"):
        return decoded(item["b64_json"])
    if isinstance(item, dict) and isinstance(item.get("url"), str):
        return decoded(item["url"]) if item["url"].startswith("data:") else str(item["url"])
    raise nonsense("picture")

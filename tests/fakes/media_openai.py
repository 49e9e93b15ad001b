"""OpenAI's images, as a fake; names without gpt-image are those of DALL-E and of compatible servers."""

from typing import Any

from aiohttp import web

from tests.fakes.media_vendor import FakeVendor, Refuse

COMMON = {"model", "prompt", "n", "size", "quality", "background", "output_format", "output_compression"}
MADE = COMMON | {"moderation", "style", "response_format"}
EDITED = COMMON | {"image", "image[]", "mask", "input_fidelity", "response_format"}
SIZES = {"auto", "1024x1024", "1536x1024", "1024x1536"}


class FakeOpenAI(FakeVendor):
    """api.openai.com."""

    kind = "openai"
    base = "/v1"

    def routes(self, app: web.Application) -> None:
        """The two endpoints, and the models."""
        app.router.add_post("/v1/images/generations", self._generations)
        app.router.add_post("/v1/images/edits", self._edits)
        app.router.add_get("/v1/models", self._models)

    def refusal(self) -> tuple[int, Any]:
        """As OpenAI says it."""
        said = "Your request was rejected by the safety system. safety_violations=[violence]."
        return 400, {
            "error": {"message": said, "type": "image_generation_user_error", "code": "moderation_blocked"}
        }

    async def _models(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response({"object": "list", "data": [{"id": "gpt-image-2"}]})

    async def _generations(self, request: web.Request) -> web.Response:
        return self._answer(await self.take(request, MADE, {"model", "prompt"}))

    async def _edits(self, request: web.Request) -> web.Response:
        fields = await self.take(request, EDITED, {"model", "prompt"})
        if "image" not in fields and "image[]" not in fields:
            raise Refuse(400, self.error(400, "missing_required_parameter", "image"))
        return self._answer(fields)

    def _answer(self, fields: dict[str, Any]) -> web.Response:
        gpt = str(fields["model"]).startswith("gpt-image")
        if gpt and ("response_format" in fields or "style" in fields):
            raise Refuse(400, self.error(400, "unknown_parameter", "Unknown parameter: 'response_format'."))
        if fields["model"] == "gpt-image-1.5" and fields.get("size", "auto") not in SIZES:
            raise Refuse(400, self.error(400, "invalid_value", f"Invalid size {fields['size']}"))
        if self.behaviour == "refuse_later":
            return web.json_response(self.refusal()[1])
        count = 0 if self.behaviour == "nothing" else int(fields.get("n", 1))
        form = "b64_json" if gpt or fields.get("response_format") == "b64_json" else "url"
        made = [
            {form: self.inline("image") if form == "b64_json" else self.link("image")} for _ in range(count)
        ]
        told = {"size": fields.get("size", "1024x1024"), "quality": "high"} if gpt else {}
        return web.json_response({"created": 1, "data": made, **told})

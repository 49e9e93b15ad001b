"""Stability AI's API, as a fake."""

from typing import Any

from aiohttp import web

from tests.fakes.media_vendor import FakeVendor, Refuse

COMMON = {"prompt", "negative_prompt", "seed", "output_format", "style_preset"}
FIELDS = {
    "generate/ultra": COMMON | {"aspect_ratio", "image", "strength"},
    "generate/core": COMMON | {"aspect_ratio"},
    "generate/sd3": COMMON | {"aspect_ratio", "image", "strength", "mode", "model", "cfg_scale"},
    "edit/inpaint": COMMON | {"image", "mask", "grow_mask"},
    "upscale/fast": {"image", "output_format"},
    "upscale/conservative": COMMON - {"style_preset"} | {"image", "creativity"},
    "upscale/creative": COMMON | {"image", "creativity"},
}
SD3 = {"sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash"}


class FakeStability(FakeVendor):
    """api.stability.ai."""

    kind = "stability"

    def routes(self, app: web.Application) -> None:
        """All of "Stable Image", results and the balance."""
        app.router.add_post("/v2beta/stable-image/{group}/{name}", self._make)
        app.router.add_get("/v2beta/results/{id}", self._result)
        app.router.add_get("/v1/user/balance", self._balance)

    def error(self, status: int, code: str, message: str) -> Any:
        """Its errors have an id, a name and a list of words."""
        return {"id": "ac03", "name": "unauthorized" if status == 401 else code, "errors": [message]}

    def refusal(self) -> tuple[int, Any]:
        """Moderation is a 403."""
        said = (
            "Your request was flagged by our content moderation system, as a result your request was denied."
        )
        return 403, {"id": "ac03", "name": "content_moderation", "errors": [said]}

    async def _balance(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response({"credits": 12.5})

    async def _make(self, request: web.Request) -> web.Response:
        path = f"{request.match_info['group']}/{request.match_info['name']}"
        if path not in FIELDS or request.content_type != "multipart/form-data":
            raise Refuse(404, self.error(404, "not_found", "The requested endpoint is not known"))
        needed = {"image"} if path == "upscale/fast" else {"prompt"}
        fields = await self.take(request, FIELDS[path], needed)
        self._checked(path, fields)
        if path == "upscale/creative":
            return web.json_response({"id": self.begin(path, "image").id})
        return web.json_response(self._picture())

    def _checked(self, path: str, fields: dict[str, Any]) -> None:
        bad = [name for name in ("image", "mask") if name in fields and not isinstance(fields[name], bytes)]
        if path == "generate/sd3" and fields.get("model") not in SD3:
            bad.append("model")
        if path == "generate/sd3" and ("image" in fields) != (fields.get("mode") == "image-to-image"):
            bad.append("mode")
        if path != "edit/inpaint" and "image" in fields and path.startswith("generate"):
            bad += [] if 0 <= float(fields.get("strength", -1)) <= 1 else ["strength"]
        if bad:
            raise Refuse(400, self.error(400, "bad_request", f"{bad}: invalid"))

    async def _result(self, request: web.Request) -> web.Response:
        self.check(request)
        work = self.works.get(request.match_info["id"])
        if work is None:
            raise Refuse(404, self.error(404, "not_found", "Generation not found"))
        state = self.look(work)
        if state == "running":
            return web.json_response({"id": work.id, "status": "in-progress"}, status=202)
        if state == "failed":
            raise Refuse(400, self.error(400, "bad_request", "the generation has failed"))
        return web.json_response(self._picture())

    def _picture(self) -> dict[str, Any]:
        if self.behaviour == "refuse_later":
            return {"image": self.inline("image"), "finish_reason": "CONTENT_FILTERED", "seed": 1}
        image = "" if self.behaviour == "nothing" else self.inline("image")
        return {"image": image, "finish_reason": "SUCCESS", "seed": 343940597}

"""Recraft's API, as a fake."""

from typing import Any

from aiohttp import web

from tests.fakes.media_vendor import FakeVendor, Refuse

MODELS = {"recraftv4_1", "recraftv4_1_pro", "recraftv4", "recraftv4_pro", "recraftv3", "recraftv2"}
MADE = {"prompt", "model", "n", "size", "style", "negative_prompt", "response_format", "controls"}
CHANGED = {"prompt", "model", "n", "style", "negative_prompt", "response_format", "image", "strength"}
ENLARGED = {"file", "response_format", "image_format"}


class FakeRecraft(FakeVendor):
    """external.api.recraft.ai."""

    kind = "recraft"
    base = "/v1"

    def routes(self, app: web.Application) -> None:
        """Generations, changes, upscales and the account."""
        app.router.add_post("/v1/images/generations", self._made)
        app.router.add_post("/v1/images/imageToImage", self._changed)
        app.router.add_post("/v1/images/inpaint", self._painted)
        app.router.add_post("/v1/images/crispUpscale", self._enlarged)
        app.router.add_post("/v1/images/creativeUpscale", self._enlarged)
        app.router.add_get("/v1/users/me", self._account)

    def error(self, status: int, code: str, message: str) -> Any:
        """Code and message, nothing around them."""
        return {"code": "unauthorized" if status == 401 else code, "message": message}

    def refusal(self) -> tuple[int, Any]:
        """Of a prompt."""
        return 400, {"code": "prompt_moderation", "message": "prompt violates the content policy"}

    async def _account(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response({"credits": 1000, "email": "a@b.example", "id": "1", "name": "A"})

    async def _made(self, request: web.Request) -> web.Response:
        return self._answer(await self.take(request, MADE, {"prompt"}))

    async def _changed(self, request: web.Request) -> web.Response:
        return self._answer(await self.take(request, CHANGED, {"prompt", "image", "strength"}))

    async def _painted(self, request: web.Request) -> web.Response:
        known = CHANGED - {"strength"} | {"mask"}
        return self._answer(await self.take(request, known, {"prompt", "image", "mask"}))

    async def _enlarged(self, request: web.Request) -> web.Response:
        await self.take(request, ENLARGED, {"file"})
        if self.behaviour == "refuse_later":
            raise Refuse(*self.refusal())
        if self.behaviour == "nothing":
            return web.json_response({"created": 1, "credits": 4, "data": []})
        return web.json_response(
            {"created": 1, "credits": 4, "image": {"image_id": "1", "url": self.link("image")}}
        )

    def _answer(self, fields: dict[str, Any]) -> web.Response:
        if fields.get("model", "recraftv4_1") not in MODELS:
            raise Refuse(400, self.error(400, "invalid_model", "no such model"))
        if "4" in fields.get("model", "") and {"style", "negative_prompt"} & set(fields):
            raise Refuse(400, self.error(400, "invalid_request", "style is not supported by this model"))
        if self.behaviour == "refuse_later":
            raise Refuse(*self.refusal())
        count = 0 if self.behaviour == "nothing" else int(fields.get("n", 1))
        items = [{"image_id": str(number), "url": self.link("image")} for number in range(count)]
        return web.json_response({"created": 1, "credits": 40 * count, "data": items})

"""Black Forest Labs' API, as a fake."""

from typing import Any

from aiohttp import web

from tests.fakes.media_vendor import FakeVendor, Refuse

COMMON = {"prompt", "seed", "output_format", "safety_tolerance"}
PICTURES = {"input_image", *(f"input_image_{number}" for number in range(2, 9))}
FIELDS = {
    "flux-2-pro": COMMON | PICTURES | {"width", "height"},
    "flux-2-flex": COMMON | PICTURES | {"width", "height", "steps", "guidance", "prompt_upsampling"},
    "flux-2-klein-4b": COMMON | PICTURES | {"width", "height"},
    "flux-2-klein-9b": COMMON | PICTURES | {"width", "height"},
    "flux-2-max": COMMON | PICTURES | {"width", "height"},
    "flux-kontext-pro": COMMON | PICTURES | {"aspect_ratio", "prompt_upsampling"},
    "flux-kontext-max": COMMON | PICTURES | {"aspect_ratio", "prompt_upsampling"},
    "flux-pro-1.1": COMMON | {"width", "height", "image_prompt", "prompt_upsampling"},
    "flux-pro-1.1-ultra": COMMON | {"aspect_ratio", "raw", "image_prompt", "image_prompt_strength"},
    "flux-pro-1.0-fill": COMMON | {"image", "mask", "steps", "guidance", "prompt_upsampling"},
}
SAID = {"running": "Pending", "failed": "Error", "refused": "Content Moderated"}


class FakeFlux(FakeVendor):
    """api.bfl.ai. With `elsewhere` tasks are looked at on another host, where `open_looks` need no key."""

    kind = "bfl"
    base = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere = False
        self.open_looks = True
        self.looks_elsewhere: list[dict[str, str]] = []

    def routes(self, app: web.Application) -> None:
        """Models, tasks and credits."""
        app.router.add_get("/v1/get_result", self._result)
        app.router.add_get("/v1/credits", self._credits)
        app.router.add_post("/v1/{model}", self._make)

    def more_files(self, app: web.Application) -> None:
        """The other host's way to look."""
        app.router.add_get("/v1/get_result", self._result_elsewhere)

    def authorized(self, request: web.Request) -> bool:
        """By its own header."""
        return request.headers.get("x-key") == self.secret

    def error(self, status: int, code: str, message: str) -> Any:
        """As FastAPI says it."""
        if status == 401:
            return {"detail": "Not authenticated - Invalid Authentication"}
        return {"detail": [{"loc": ["body"], "msg": message, "type": code}]}

    def refusal(self) -> tuple[int, Any]:
        """Of a wish that is not taken."""
        return 422, {"detail": "Request Moderated: the prompt is flagged"}

    async def _credits(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response({"credits": 100.0})

    async def _make(self, request: web.Request) -> web.Response:
        model = request.match_info["model"]
        if model not in FIELDS:
            raise Refuse(404, {"detail": "Not Found"})
        fields = await self.take(request, FIELDS[model], {"prompt"})
        for side in ("width", "height"):
            if fields.get(side, 32) % 32 and model == "flux-pro-1.1":
                raise Refuse(422, self.error(422, "value_error", f"{side} must be a multiple of 32"))
        work = self.begin(model, "image")
        host = self.files_host if self.elsewhere else f"127.0.0.1:{self.port}"
        look = f"http://{host}/v1/get_result?id={work.id}"
        return web.json_response(
            {"id": work.id, "polling_url": look, "cost": 4.0, "input_mp": 0, "output_mp": 1}
        )

    async def _result_elsewhere(self, request: web.Request) -> web.Response:
        self.looks_elsewhere.append(dict(request.headers))
        if not self.open_looks:
            return web.json_response({"detail": "Not authenticated"}, status=403)
        return self._tell(request)

    async def _result(self, request: web.Request) -> web.Response:
        self.check(request)
        return self._tell(request)

    def _tell(self, request: web.Request) -> web.Response:
        work = self.works.get(request.query["id"])
        if work is None:
            return web.json_response({"id": request.query["id"], "status": "Task not found", "result": None})
        state = self.look(work)
        told: dict[str, Any] = {
            "id": work.id,
            "status": SAID.get(state, "Ready"),
            "result": None,
            "progress": 0.5,
        }
        if state == "refused":
            told["details"] = {"Moderation Reasons": ["Derivative Works Filter"]}
        if state == "done":
            told["result"] = {} if self.behaviour == "nothing" else {"sample": self.link("image"), "seed": 42}
        return web.json_response(told)

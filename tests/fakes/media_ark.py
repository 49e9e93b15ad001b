"""Ark's API, as a fake: pictures at once, videos as tasks."""

from typing import Any

from aiohttp import web

from tests.fakes.media_vendor import FakeVendor, Refuse

IMAGE = {"model", "prompt", "image", "size", "seed", "guidance_scale", "watermark", "response_format"}
FORMATS = {"seedream-5-0-pro-260628", "seedream-5-0-260128"}  # that take an output_format
VIDEO = {
    "model",
    "content",
    "ratio",
    "duration",
    "resolution",
    "seed",
    "camera_fixed",
    "watermark",
    "generate_audio",
}
ROLES = {"first_frame", "last_frame", "reference_image"}
HELD_BACK = "The request failed because the output image may contain sensitive information."


class FakeArk(FakeVendor):
    """ark.ap-southeast.bytepluses.com."""

    kind = "ark"
    base = "/api/v3"

    def routes(self, app: web.Application) -> None:
        """Pictures and tasks."""
        tasks = f"{self.base}/contents/generations/tasks"
        app.router.add_post(f"{self.base}/images/generations", self._images)
        app.router.add_post(tasks, self._begin)
        app.router.add_get(tasks, self._list)
        app.router.add_get(f"{tasks}/{{id}}", self._task)
        app.router.add_delete(f"{tasks}/{{id}}", self._delete)

    def error(self, status: int, code: str, message: str) -> Any:
        """Codes are words in one."""
        known = {401: "AuthenticationError", 429: "RateLimitExceeded.EndpointRPMExceeded"}
        known[500] = "InternalServiceError"
        return {
            "error": {"code": known.get(status, "InvalidParameter"), "message": message, "type": "BadRequest"}
        }

    def refusal(self) -> tuple[int, Any]:
        """Of a prompt."""
        said = "The request failed because the input text may contain sensitive information."
        return 400, {"error": {"code": "InputTextSensitiveContentDetected", "message": said}}

    async def _images(self, request: web.Request) -> web.Response:
        fields = await self.take(request, IMAGE | {"output_format"}, {"model", "prompt"})
        if "output_format" in fields and fields["model"] not in FORMATS:
            raise Refuse(400, self.error(400, "", "output_format is not supported by the current model"))
        pictures = fields.get("image", [])
        for one in [pictures] if isinstance(pictures, str) else pictures:
            if not str(one).startswith("data:image/"):
                raise Refuse(400, self.error(400, "", "image must be a URL or data URL"))
        if self.behaviour == "refuse_later":
            held = {"error": {"code": "OutputImageSensitiveContentDetected", "message": HELD_BACK}}
            return web.json_response({"model": fields["model"], "created": 1, "data": [held]})
        made = [] if self.behaviour == "nothing" else [{"url": self.link("image"), "size": "2048x2048"}]
        return web.json_response({"model": fields["model"], "created": 1, "data": made, "usage": {}})

    async def _begin(self, request: web.Request) -> web.Response:
        fields = await self.take(request, VIDEO, {"model", "content"})
        for part in fields["content"]:
            text = part["type"] == "text" and set(part) == {"type", "text"}
            frame = part["type"] == "image_url" and part.get("role") in ROLES
            if not text and not frame:
                raise Refuse(400, self.error(400, "", f"content is invalid: {part['type']}"))
        return web.json_response({"id": self.begin("video", "video").id})

    async def _list(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response({"total": len(self.works), "items": []})

    async def _task(self, request: web.Request) -> web.Response:
        work = self._work(request)
        state = self.look(work)
        said = {"done": "succeeded", "refused": "failed"}.get(state, state)
        told: dict[str, Any] = {"id": work.id, "model": "m", "status": said, "created_at": 1}
        if state == "refused":
            told["error"] = {"code": "OutputVideoSensitiveContentDetected", "message": HELD_BACK}
        if state == "failed":
            told["error"] = {"code": "InternalServiceError", "message": "The service has an error"}
        if state == "done":
            told["content"] = {} if self.behaviour == "nothing" else {"video_url": self.link("video")}
        return web.json_response(told)

    async def _delete(self, request: web.Request) -> web.Response:
        work = self._work(request)
        if work.state == "running":
            work.state = "cancelled"
        else:
            del self.works[work.id]
        return web.json_response({})

    def _work(self, request: web.Request) -> Any:
        self.check(request)
        work = self.works.get(request.match_info["id"])
        if work is None:
            said = {"error": {"code": "NotFound", "message": "The specified task is not found"}}
            raise Refuse(404, said)
        return work

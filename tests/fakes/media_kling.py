"""Kling's API, as a fake: tokens signed with AK:SK, tasks with an id of the caller's own."""

import uuid
from typing import Any

import jwt
from aiohttp import web

from tests.fakes.media_vendor import FakeVendor, Refuse, Work

COMMON = {"model_name", "external_task_id", "callback_url"}
PROMPTS = {"prompt", "negative_prompt"}
FIELDS = {
    "/v1/images/generations": COMMON | PROMPTS
    | {"n", "image", "image_fidelity", "image_reference", "aspect_ratio", "resolution"},
    "/v1/images/kolors-virtual-try-on": COMMON | {"human_image", "cloth_image"},
    "/v1/videos/text2video": COMMON | PROMPTS | {"duration", "mode", "sound", "cfg_scale", "aspect_ratio"},
    "/v1/videos/image2video": COMMON | PROMPTS
    | {"image", "image_tail", "duration", "mode", "sound", "cfg_scale"},
}  # fmt: skip
NEEDED = {
    "/v1/images/generations": {"prompt"}, "/v1/images/kolors-virtual-try-on": {"human_image"},
    "/v1/videos/text2video": {"prompt"}, "/v1/videos/image2video": {"image"},
}  # fmt: skip
SAID = {"running": "processing", "done": "succeed", "refused": "failed"}
CODES = {401: 1002, 429: 1302, 500: 5000, 404: 1203}


class FakeKling(FakeVendor):
    """api-singapore.klingai.com."""

    kind = "kling"
    secret = "access-key-0123:secret-key-456789-456789-456789-456789"

    def wrong_secret(self) -> str:
        """A known access key with another secret."""
        return "access-key-0123:another-key-456789-456789-456789-456789"

    def routes(self, app: web.Application) -> None:
        """Each kind of task has its place."""
        for path in FIELDS:
            app.router.add_post(path, self._begin)
            app.router.add_get(path, self._list)
            app.router.add_get(f"{path}/{{id}}", self._task)

    def authorized(self, request: web.Request) -> bool:
        """A token that is valid now, signed with the secret key, issued by the access key."""
        access, secret = self.secret.split(":")
        signed = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(signed, secret, ["HS256"], options={"require": ["exp", "nbf", "iss"]})
        except jwt.PyJWTError:
            return False
        return bool(claims["iss"] == access)

    def error(self, status: int, code: str, message: str) -> Any:
        """Codes are numbers."""
        return {"code": CODES.get(status, 1201), "message": message, "request_id": uuid.uuid4().hex}

    def refusal(self) -> tuple[int, Any]:
        """Of a wish."""
        return 400, {"code": 1301, "message": "Trigger the content security policy", "request_id": "r"}

    def _ok(self, data: Any) -> web.Response:
        return web.json_response({"code": 0, "message": "SUCCEED", "request_id": "r", "data": data})

    async def _list(self, request: web.Request) -> web.Response:
        self.check(request)
        return self._ok([])

    async def _begin(self, request: web.Request) -> web.Response:
        path = request.path
        fields = await self.take(request, FIELDS[path], NEEDED[path])
        if any(str(fields.get(name, "")).startswith("data:") for name in fields):
            raise Refuse(400, self.error(400, "", "base64 must have no prefix"))
        if not isinstance(fields.get("duration", ""), str):
            raise Refuse(400, self.error(400, "", "duration must be a string"))
        external = fields.get("external_task_id", "")
        if external and any(work.external == external for work in self.works.values()):
            raise Refuse(400, self.error(400, "", "external_task_id is not unique"))
        made = "video" if "video" in path else "image"
        return self._ok(self._told(self.begin(path, made, fields.get("n", 1), external), "submitted"))

    async def _task(self, request: web.Request) -> web.Response:
        self.check(request)
        wanted, path = request.match_info["id"], request.path.rpartition("/")[0]
        known = (work for work in self.works.values() if work.kind == path)
        work = next((work for work in known if wanted in (work.id, work.external)), None)
        if work is None:
            raise Refuse(404, self.error(404, "", "task not found"))
        state = self.look(work)
        told = self._told(work, SAID.get(state, state))
        if state == "refused":
            told["task_status_msg"] = "Failure to pass the risk control system"
        if state == "failed":
            told["task_status_msg"] = "Internal failure"
        if state == "done":
            count = 0 if self.behaviour == "nothing" else work.count
            items = [{"index": number, "url": self.link(work.made)} for number in range(count)]
            told["task_result"] = {f"{work.made}s": items}
        return self._ok(told)

    def _told(self, work: Work, status: str) -> dict[str, Any]:
        return {
            "task_id": work.id, "task_status": status, "created_at": 1, "updated_at": 1,
            "task_info": {"external_task_id": work.external},
        }  # fmt: skip

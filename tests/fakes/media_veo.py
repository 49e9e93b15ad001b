"""Veo as the Gemini API and as Vertex AI have it, as fakes."""

import base64
import json
import uuid
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.media_vendor import FakeVendor, Refuse

PARAMETERS = {
    "aspectRatio",
    "negativePrompt",
    "durationSeconds",
    "resolution",
    "personGeneration",
    "sampleCount",
}
MORE = PARAMETERS | {"generateAudio", "enhancePrompt", "seed", "storageUri"}
INSTANCE = {"prompt", "image", "lastFrame"}
REASON = "We encountered an issue with the prompt: it violates Vertex AI's usage guidelines. Support codes: 1"


class FakeVeo(FakeVendor):
    """What both have in common."""

    known = PARAMETERS

    def error(self, status: int, code: str, message: str) -> Any:
        """As Google says it."""
        words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
        return {"error": {"code": status, "message": message, "status": words.get(status, "INTERNAL")}}

    def refusal(self) -> tuple[int, Any]:
        """Of a prompt."""
        return 400, self.error(400, "", REASON)

    async def begun(self, request: web.Request, name: str) -> web.Response:
        """A new operation."""
        fields = await self.take(request, {"instances", "parameters"}, {"instances"})
        (instance,) = fields["instances"]
        wrong = (set(instance) - INSTANCE) | (set(fields.get("parameters", {})) - self.known)
        pictures = [instance[one] for one in ("image", "lastFrame") if one in instance]
        wrong |= {"image" for one in pictures if set(one) != {"bytesBase64Encoded", "mimeType"}}
        if wrong or not isinstance(fields["parameters"].get("durationSeconds", 8), int):
            raise Refuse(400, self.error(400, "", f"Invalid JSON payload received: {wrong}"))
        work = self.begin(name, "video", fields["parameters"].get("sampleCount", 1))
        return web.json_response({"name": f"{name}/operations/{work.id}"})

    def told(self, name: str, response: Any) -> web.Response:
        """An operation."""
        work = self.works.get(name.rpartition("/")[2])
        if work is None:
            raise Refuse(404, self.error(404, "", "operation not found"))
        told: dict[str, Any] = {"name": name}
        match self.look(work):
            case "failed":
                told |= {"done": True, "error": {"code": 13, "message": "Internal error"}}
            case "refused":
                held = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [REASON]}
                told |= {"done": True, "response": response(held, 0)}
            case "done":
                count = 0 if self.behaviour == "nothing" else work.count
                told |= {"done": True, "response": response({}, count)}
        return web.json_response(told)


class FakeGemini(FakeVeo):
    """generativelanguage.googleapis.com."""

    kind = "gemini"
    base = "/v1beta/openai"

    def routes(self, app: web.Application) -> None:
        """Models, operations and files."""
        app.router.add_get("/v1beta/models", self._models)
        app.router.add_post("/v1beta/models/{model:[^:]+}:predictLongRunning", self._make)
        app.router.add_get("/v1beta/models/{model}/operations/{id}", self._operation)
        app.router.add_get("/v1beta/files/{name}", self._download)

    def authorized(self, request: web.Request) -> bool:
        """By its own header."""
        return request.headers.get("x-goog-api-key") == self.secret

    async def _models(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response({"models": []})

    async def _make(self, request: web.Request) -> web.Response:
        return await self.begun(request, f"models/{request.match_info['model']}")

    async def _operation(self, request: web.Request) -> web.Response:
        self.check(request)

        def response(held: dict[str, Any], count: int) -> Any:
            place = f"{self.root}/v1beta/files"
            samples = [
                {"video": {"uri": f"{place}/{uuid.uuid4().hex}:download?alt=media"}} for _ in range(count)
            ]
            return {
                "@type": "x",
                "generateVideoResponse": {**held, **({"generatedSamples": samples} if count else {})},
            }

        return self.told(request.path.removeprefix("/v1beta/"), response)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """With the key, and elsewhere in the end."""
        self.check(request)
        raise web.HTTPFound(self.link("video"))


class FakeVertex(FakeVeo):
    """us-central1-aiplatform.googleapis.com, with the token service beside it."""

    kind = "vertex"
    known = MORE
    token = "ya29.token-of-an-hour"

    def __init__(self) -> None:
        super().__init__()
        self.tokens_given = 0

    @property
    def secret(self) -> str:  # type: ignore[override]
        """A service account's file in base64."""
        return self.secret_at(self.root)

    def secret_at(self, root: str) -> str:
        """The same, with tokens from there."""
        return _account(root, _private("right"))

    def wrong_secret(self) -> str:
        """Signed with another key."""
        return _account(self.root, _private("wrong"))

    def routes(self, app: web.Application) -> None:
        """Models, operations and tokens."""
        place = "/v1/projects/project-1/locations/us-central1"
        app.router.add_post("/token", self._token)
        app.router.add_get(f"{place}/models", self._models)
        model = f"{place}/publishers/google/models/{{model:[^:]+}}"
        app.router.add_post(f"{model}:predictLongRunning", self._make)
        app.router.add_post(f"{model}:fetchPredictOperation", self._operation)

    def authorized(self, request: web.Request) -> bool:
        """By a token."""
        return request.headers.get("Authorization") == f"Bearer {self.token}"

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        public = serialization.load_pem_private_key(_private("right").encode(), None).public_key()
        try:
            claims = jwt.decode(str(form["assertion"]), public, ["RS256"], audience=f"{self.root}/token")
        except jwt.PyJWTError:
            raise Refuse(
                400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            ) from None
        if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" or "scope" not in claims:
            raise Refuse(400, {"error": "unsupported_grant_type"})
        self.tokens_given += 1
        return web.json_response({"access_token": self.token, "expires_in": 3599, "token_type": "Bearer"})

    async def _models(self, request: web.Request) -> web.Response:
        self.check(request)
        return web.json_response({})

    async def _make(self, request: web.Request) -> web.Response:
        return await self.begun(
            request, request.path.removeprefix("/v1/").removesuffix(":predictLongRunning")
        )

    async def _operation(self, request: web.Request) -> web.Response:
        self.check(request)

        def response(held: dict[str, Any], count: int) -> Any:
            videos = [
                {"bytesBase64Encoded": self.inline("video"), "mimeType": "video/mp4"} for _ in range(count)
            ]
            return {"@type": "x", **held, **({"videos": videos} if count else {})}

        return self.told((await request.json())["operationName"], response)


@cache
def _private(_which: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(form, kind, serialization.NoEncryption()).decode()


def _account(root: str, private_key: str) -> str:
    data = {
        "type": "service_account", "project_id": "project-1", "private_key_id": "k1",
        "private_key": private_key, "client_email": "a@project-1.iam.gserviceaccount.com",
        "token_uri": f"{root}/token",
    }  # fmt: skip
    return base64.b64encode(json.dumps(data).encode()).decode()

"""Veo's videos by Vertex AI.

Reference: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation and
https://developers.google.com/identity/protocols/oauth2/service-account#httprest. A key is a service account's
JSON file, as it is or in base64 on one line; a token for an hour is bought with a signed JWT. The location
is in the provider's address (us-central1-aiplatform.googleapis.com) or in its option `location`. The
reference names no idempotency key. Videos come inside the answer.
"""

import base64
import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt

from providers.errors import ErrorClass, ProviderError
from providers.media.addresses import origin_of
from providers.media.http import Answer, Api, Call
from providers.media.inputs import Order
from providers.media.lost import answer_lost
from providers.media.types import Handle, Progress
from providers.media.vendor import Results, Vendor, VendorModel, decoded, objects
from providers.media.veo import VEO_PACE, by_code, ended, held_back, operation_of, video_body
from providers.types import ProviderConfig

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKENS = "https://oauth2.googleapis.com/token"
EARLY = 120.0  # seconds before its end a token is no longer used
LOCATION = "us-central1"
_LOCATED = re.compile(r"([a-z0-9-]+)-aiplatform\.")
_PROJECT = re.compile(r"[a-z0-9:.-]{1,100}")
OPTIONS = ("resolution", "generateAudio", "enhancePrompt", "personGeneration")


@dataclass(frozen=True, slots=True)
class Account:
    """A service account."""

    project: str
    email: str
    key_id: str
    private_key: str = field(repr=False)
    tokens: str = TOKENS


def create(config: ProviderConfig) -> "Vertex":
    """The registry's entry."""
    return Vertex(config)


class Vertex(Vendor):
    """A project at Vertex AI."""

    pace = VEO_PACE

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        located = _LOCATED.match(urlsplit(self.api.base_url).hostname or "")
        self.location = str(config.options.get("location") or (located.group(1) if located else LOCATION))
        self._tokens: dict[Account, tuple[str, float]] = {}

    def classify(self, status: int | None, body: Any) -> ErrorClass | None:
        """By gRPC's codes, and OAuth's words."""
        if isinstance(body, dict) and body.get("error") in ("invalid_grant", "invalid_client"):
            return ErrorClass.CREDENTIAL
        return by_code(status, body)

    def model(self, name: str, key: str) -> "VertexVideo":
        """A model."""
        return VertexVideo(self, name, key)

    def free_call(self, key: str) -> Call:
        """The project's own models."""
        return Call("GET", f"{self.place(account_of(key))}/models?pageSize=1")

    def place(self, account: Account) -> str:
        """The path of a project in a location."""
        return f"/v1/projects/{account.project}/locations/{self.location}"

    async def authorized(self, call: Call, key: str) -> Call:
        """The request with a token. Raises ProviderError."""
        account = account_of(key)
        known = self._tokens.get(account)
        if known is None or known[1] < time.time() + EARLY:
            known = self._tokens[account] = await self._bought(account)
        secrets = (*call.secrets, known[0], account.private_key)
        return replace(call, headers={"Authorization": f"Bearer {known[0]}"}, secrets=secrets)

    async def _bought(self, account: Account) -> tuple[str, float]:
        self._allow(account.tokens)
        signed = _signed(account)
        body = urlencode({"grant_type": GRANT, "assertion": signed}).encode()
        call = Call("POST", "", raw=(body, "application/x-www-form-urlencoded"), secrets=(signed,))
        api = Api(self.config, account.tokens, self.classify)
        try:
            data = (await api.ask(call)).data
        except ProviderError as error:
            if answer_lost(error):  # nothing was asked of the model yet
                raise ProviderError(ErrorClass.CONNECT, f"no token: {error.message}") from error
            raise
        finally:
            await api.close()
        token, lasts = data.get("access_token"), data.get("expires_in")
        if not isinstance(token, str) or not isinstance(lasts, int | float):
            raise ProviderError(ErrorClass.CREDENTIAL, "no token was given for the service account")
        return token, time.time() + lasts

    def _allow(self, address: str) -> None:
        """A file may name any place: tokens are asked for at Google, or at the operator's own address."""
        try:
            scheme, host, _ = origin_of(address)
        except ValueError:
            scheme = host = ""
        google = scheme == "https" and host.endswith(".googleapis.com")
        if not google and not (scheme and self.files.places.is_own(address)):
            raise ProviderError(ErrorClass.CREDENTIAL, "the service account's token_uri is not Google's")


class VertexVideo(VendorModel):
    """One model."""

    def __init__(self, vendor: Vertex, name: str, key: str) -> None:
        super().__init__(vendor, name, key)
        self._vertex = vendor

    def order(self, order: Order) -> Call:
        """A long-running operation."""
        return Call("POST", f"{self._path}:predictLongRunning", json=video_body(order, OPTIONS))

    def begun(self, order: Order, answer: Answer) -> dict[str, Any]:
        """The operation."""
        return {"id": operation_of(answer.data)}

    async def look(self, handle: Handle) -> Progress | Results:
        """How it is; the last look brings the videos along."""
        call = Call("POST", f"{self._path}:fetchPredictOperation", json={"operationName": handle["id"]})
        data = (await self.vendor.ask(call, self.key)).data
        response = ended(self.vendor, data, self.key)
        if response is None:
            return Progress()
        videos = objects(response.get("videos"))
        inline = [one["bytesBase64Encoded"] for one in videos if one.get("bytesBase64Encoded")]
        held_back(response, bool(inline))
        return Results(tuple(map(decoded, inline)))

    @property
    def _path(self) -> str:
        place = self._vertex.place(account_of(self.key))
        return f"{place}/publishers/google/models/{quote(self.name, safe='')}"


def account_of(key: str) -> Account:
    """A service account from its JSON, or that in base64. Raises ProviderError."""
    try:
        text = key if key.lstrip().startswith("{") else base64.b64decode(key, validate=True).decode()
        data = json.loads(text)
        account = Account(
            str(data["project_id"]), str(data["client_email"]), str(data.get("private_key_id", "")),
            str(data["private_key"]), str(data.get("token_uri") or TOKENS),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProviderError(ErrorClass.CREDENTIAL, "the key is not a service account's JSON") from error
    if not _PROJECT.fullmatch(account.project):
        raise ProviderError(ErrorClass.CREDENTIAL, "the service account's project_id is none")
    return account


def _signed(account: Account) -> str:
    now = int(time.time())
    claims = {"iss": account.email, "scope": SCOPE, "aud": account.tokens, "iat": now, "exp": now + 3600}
    try:
        return jwt.encode(claims, account.private_key, algorithm="RS256", headers={"kid": account.key_id})
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        raise ProviderError(ErrorClass.CREDENTIAL, "the service account's private key is none") from error

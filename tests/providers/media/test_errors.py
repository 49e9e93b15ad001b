"""Errors as the vendors' references word them, and what they are taken for."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from providers.errors import ProviderError
from providers.media.types import MediaRequest, Task
from providers.types import ProviderConfig
from tests.fakes.media import FAKES
from tests.providers.media.cases import opened
from tests.providers.test_adapters import served

LINES = Path(__file__).with_name("vendor_errors.jsonl").read_text(encoding="utf-8").splitlines()
ERRORS = [tuple(json.loads(line).values()) for line in LINES]


@pytest.mark.parametrize(("kind", "status", "body", "expected"), ERRORS, ids=lambda one: str(one)[:60])
async def test_an_error(kind: str, status: int, body: Any, expected: str, tmp_path: Path) -> None:
    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=json.dumps(body), content_type="application/json")

    fake = FAKES[kind]
    async with served(reply) as url, opened(ProviderConfig("v", kind, url + fake.base)) as provider:
        model = provider.model("m", fake.secret)
        with pytest.raises(ProviderError) as caught:
            await model.submit(MediaRequest(Task.TEXT_TO_IMAGE, "a cat on a mat"), "k", tmp_path)
    assert caught.value.error_class == expected and caught.value.status == status


@pytest.mark.parametrize("kind", ["bfl", "gemini"])
async def test_a_models_name_does_not_lead_elsewhere(kind: str, tmp_path: Path) -> None:
    seen: list[str] = []

    async def reply(request: web.Request) -> web.StreamResponse:
        seen.append(request.raw_path)
        return web.json_response({"error": {"message": "no"}}, status=404)

    fake = FAKES[kind]
    async with served(reply) as url, opened(ProviderConfig("v", kind, url + fake.base)) as provider:
        model = provider.model("../files/x?y=1#z", fake.secret)
        with pytest.raises(ProviderError):
            await model.submit(MediaRequest(Task.TEXT_TO_IMAGE, "a cat"), "k", tmp_path)
    (path,) = seen
    assert path.startswith(("/v1/..%2Ffiles", "/v1beta/models/..%2Ffiles")) and "?" not in path

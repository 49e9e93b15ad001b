"""Walks the OpenAPI document: every operation says and keeps its security."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.api.conftest import ADMIN

OPEN = {"/health", "/ready"}
METHODS = ("get", "post", "put", "patch", "delete")


def operations(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in app.openapi()["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def test_every_operation_declares_security_and_a_typed_answer(app: FastAPI) -> None:
    seen = 0
    for path, method, operation in operations(app):
        where = f"{method} {path}"
        assert bool(operation.get("security")) == (path not in OPEN), where
        assert operation.get("summary") and operation.get("description"), where
        good = next(code for code in operation["responses"] if code.startswith("2"))
        if path.startswith("/api/"):
            assert {"401", "404", "422"} <= set(operation["responses"]), where
            if good != "204":
                content = operation["responses"][good]["content"]
                schema = content.get("application/json", next(iter(content.values())))["schema"]
                assert schema, where
            assert "HTTPValidationError" not in str(operation), where
        seen += 1
    assert seen > 50


async def test_without_a_token_every_operation_answers_401(
    app: FastAPI, anonymous: httpx.AsyncClient
) -> None:
    for path, method, _ in operations(app):
        if path in OPEN:
            continue
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic " + ADMIN}):
            address = path.replace("{", "").replace("}", "")
            answer = await anonymous.request(method, address, content=b"{not json", headers=headers)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.json()["error"]["code"] == "unauthorized"
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_document_is_public_and_names_all_of_the_product(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/openapi.json")
    assert answer.status_code == 200
    paths = answer.json()["paths"]
    for name in (
        "bots",
        "widgets",
        "providers",
        "routes",
        "characters",
        "knowledge-bases",
        "conversations",
        "tokens",
    ):
        assert f"/api/v1/{name}" in paths
    for kind in ("bots/{bot_id}", "widgets/{widget_id}"):
        assert {f"/api/v1/{kind}/{action}" for action in ("start", "stop", "logs")} <= set(paths)
    assert ADMIN not in answer.text


def test_every_address_is_documented(app: FastAPI) -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    missing = {path.removeprefix("/api/v1") for path, _, _ in operations(app)} - set(
        re.findall(r"`(/[^`]*)`", page)
    )
    assert not missing


@pytest.mark.parametrize("path", ["/api/v1/none", "/api/v1", "/api/v1/bots/a/b/c"])
async def test_unknown_addresses_answer_in_the_same_shape(anonymous: httpx.AsyncClient, path: str) -> None:
    answer = await anonymous.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_address")


async def test_unknown_methods_answer_in_the_same_shape(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.patch("/api/v1/bots")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "no_such_method")

"""Media stores for tests: a folder, and an S3 server over HTTP."""

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from core.media.store import Store


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store; the test runs on a folder and on S3."""
    if request.param == "folder":
        return Store("", tmp_path / "media")
    endpoint = request.getfixturevalue("s3")
    name = bucket(endpoint, tmp_path.name.lower().replace("_", "-")[:50], monkeypatch)
    return Store(f"s3://{name}/some/where?endpoint={endpoint}", tmp_path / "unused")


def bucket(endpoint: str, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a bucket, and set the credentials for it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=name)
    return name

"""The media store, on a folder and on an S3 server over HTTP."""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.media.opening import media_environment, open_store
from core.media.store import Missing, Store, StoreFull, StoreTrouble
from core.settings import Settings
from tests.installation import free_port

ROOT = Path(__file__).parents[3]
FULL = """
import asyncio, resource, sys
from pathlib import Path
from core.media.store import Store, StoreFull
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
store = Store("", Path(sys.argv[1]))
async def main():
    for content in (bytes(2 << 20), Path(sys.argv[2])):
        try:
            await store.put("2026/11/21/a.png", content)
        except StoreFull as error:
            print("full", error)
    await store.put("2026/11/21/b.png", b"small")
asyncio.run(main())
"""


async def test_a_file_is_put_read_in_ranges_fetched_and_deleted(store: Store, tmp_path: Path) -> None:
    body = os.urandom(12_000_000)  # larger than a part of an upload
    made = tmp_path / "made.bin"
    made.write_bytes(body)
    key = "2026/11/21/job-1-0.mp4"
    await store.put(key, made)
    assert await store.size(key) == len(body)
    whole = [piece async for piece in store.read(key)]
    assert len(whole) > 2 and hashlib.sha256(b"".join(whole)).digest() == hashlib.sha256(body).digest()
    assert b"".join([piece async for piece in store.read(key, 5, 11)]) == body[5:11]
    assert b"".join([piece async for piece in store.read(key, len(body) - 3)]) == body[-3:]
    await store.fetch(key, tmp_path / "copy.bin")
    assert (tmp_path / "copy.bin").read_bytes() == body
    await store.put(key, b"again")
    assert await store.content(key) == b"again"
    assert [keys async for keys in store.older(time.time() + 60)] == [[key]]
    assert [keys async for keys in store.older(time.time() - 60)] in ([], [[]])
    await store.delete(key)
    await store.delete(key)
    for ask in (store.size(key), store.content(key), store.fetch(key, tmp_path / "none.bin")):
        with pytest.raises(Missing):
            await ask
    assert not [name for name in os.listdir(tmp_path) if name.startswith("none.bin")]


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../b", "a//b", "", "a/.b", "ä.png", "a" * 201])
async def test_a_key_cannot_leave_the_store(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await Store("", tmp_path / "media").put(key, b"x")


def test_a_full_disk_is_told_and_leaves_nothing_half(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(8 << 20))
    command = [sys.executable, "-c", FULL, str(tmp_path / "media"), str(large)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("full 2026/11/21/a.png") == 2
    assert not (tmp_path / "media/2026/11/21/a.png").exists()
    assert (tmp_path / "media/2026/11/21/b.png").read_bytes() == b"small"


async def test_what_a_killed_put_left_is_cleared_away(tmp_path: Path) -> None:
    store = Store("", tmp_path)
    await store.put("2026/11/21/a.png", b"whole")
    part = tmp_path / "2026/11/21/b.png#1"
    part.write_bytes(b"half")
    assert await store.clear_unfinished(time.time() - 60) == 0
    assert await store.clear_unfinished(time.time() + 60) == 1
    assert sorted(one.name for one in part.parent.iterdir()) == ["a.png"]


async def test_a_server_that_is_away_or_refuses_is_trouble(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for endpoint in (s3, f"http://127.0.0.1:{free_port()}"):
        with pytest.raises(StoreTrouble) as error:
            await Store(f"s3://no-such-bucket?endpoint={endpoint}", Path()).put("a.png", b"x")
        assert not isinstance(error.value, StoreFull)


@pytest.mark.parametrize(
    "url", ["http://x/y", "s3://", "s3://user:pw@bucket", "s3://b?endpiont=x", "file:///x"]
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="MEDIA_URL"):
        Store(url, Path())


def test_children_get_what_they_need_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    settings = Settings(BOTYARD_HOME=tmp_path, MEDIA_URL="s3://bucket", _env_file=None)
    assert media_environment(settings) == {"MEDIA_URL": "s3://bucket", "AWS_ACCESS_KEY_ID": "key"}
    plain = Settings(BOTYARD_HOME=tmp_path, MEDIA_URL="", _env_file=None)
    assert media_environment(plain) == {"MEDIA_URL": ""}
    assert open_store(plain).local and not open_store(settings).local


KILLED = """
import asyncio, sys
from pathlib import Path
from core.media.store import Store
async def main():
    store = Store("", Path(sys.argv[1]))
    while True:
        await store.put("2026/11/21/a.bin", Path(sys.argv[2]))
        print("put", flush=True)
asyncio.run(main())
"""


@pytest.mark.kill
async def test_a_put_that_is_killed_leaves_the_whole_file_or_none(tmp_path: Path) -> None:
    """kill -9 at any moment: whoever reads sees a whole file, and what is half is cleared away."""
    body = os.urandom(1 << 20) * 24
    (tmp_path / "large.bin").write_bytes(body)
    store = Store("", tmp_path / "media")
    parts = 0
    for delay in (0.0, 0.004, 0.009, 0.015, 0.022):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "media"), str(tmp_path / "large.bin")]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"put\n"
        await asyncio.sleep(delay)
        process.kill()
        await process.wait()
        assert await store.content("2026/11/21/a.bin") == body
        assert [keys async for keys in store.older(time.time() + 60)] == [["2026/11/21/a.bin"]]
        parts += await store.clear_unfinished(time.time() + 60)
        assert os.listdir(tmp_path / "media/2026/11/21") == ["a.bin"]
    assert parts  # some were killed half way, or this tests nothing

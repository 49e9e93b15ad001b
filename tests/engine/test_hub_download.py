"""Downloads with the hub's real client against a hub of our own over HTTP."""

import json
import os
from pathlib import Path

import pytest

from providers.engine.hub.download import BadRepository, Download, Downloads
from providers.engine.hub.scan import scan
from tests.engine.hub_fake import COMMIT, FakeHub, fake_hub
from tests.engine.test_hub_scan import LLAMA, PLAIN, tensors
from tests.engine.text_real import server
from tests.engine.text_support import until

BIG = tensors(a=("F16", [12 << 20], 24 << 20))  # the client writes 10 MiB at a time
FILES = {
    "config.json": json.dumps(LLAMA).encode(), "model.safetensors": PLAIN, "part/big.safetensors": BIG,
    "chat_template.jinja": b"{{ x }}", "pytorch_model.bin": b"pickle", "modeling.py": b"code",
    "README.md": b"#",
}  # fmt: skip
TAKEN = ["chat_template.jinja", "config.json", "model.safetensors", "part/big.safetensors"]


def downloads(hub: FakeHub, folder: Path) -> Downloads:
    environment = {"HF_ENDPOINT": hub.url, "PATH": os.environ["PATH"], "HOME": str(folder)}
    return Downloads(lambda: server().with_name("python"), folder / "hub", environment)


async def finished(download: Download) -> Download:
    await until(lambda: download.state not in ("waiting", "downloading"), 20)
    return download


async def test_a_model_comes_without_pickles_and_code_and_is_found(tmp_path: Path) -> None:
    async with fake_hub({"org/llama": FILES}) as hub:
        own = downloads(hub, tmp_path)
        download = await finished(own.start("org/llama"))
        assert (download.state, download.why, download.files) == ("done", "", 4)
        assert download.bytes == download.total == sum(len(FILES[name]) for name in TAKEN)
        assert sorted({line.split()[1] for line in hub.asked}) == TAKEN
        [found] = scan(tmp_path / "hub", [])
        assert found.name == "org/llama" and found.usable and found.folder == Path(download.folder)
        hub.asked.clear()
        assert (await finished(own.start("org/llama"))).state == "done"
        assert not [line for line in hub.asked if line.startswith("GET")]
        await own.close()


async def test_cancelled_and_gone_on_with(tmp_path: Path) -> None:
    async with fake_hub({"org/llama": FILES}) as hub:
        hub.slow = 0.1
        own = downloads(hub, tmp_path)
        download = own.start("org/llama")
        assert own.start("org/llama") is download
        small = sum(len(FILES[name]) for name in TAKEN[:3])
        await until(lambda: download.bytes > small + (1 << 20), 20)
        assert 0 < download.as_json()["fraction"] < 1 and download.state == "downloading"
        await own.cancel("org/llama")
        assert download.state == "cancelled"
        hub.slow = 0
        hub.asked.clear()
        assert (await finished(own.start("org/llama"))).state == "done"
        assert [line for line in hub.asked if line.startswith("GET")] == ["GET part/big.safetensors"]
        blobs = list((tmp_path / "hub" / "models--org--llama" / "blobs").iterdir())
        assert len(blobs) == 4 and Path(own.all()[0].folder).name == COMMIT


async def test_what_cannot_be_downloaded_says_why(tmp_path: Path) -> None:
    pickles = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    async with fake_hub({"org/llama": FILES, "org/pickles": pickles}) as hub:
        own = downloads(hub, tmp_path)
        hub.claims["part/big.safetensors"] = 1 << 60
        names = ("org/llama", "org/pickles", "org/nobody", "org/gated")
        started = [own.start(name) for name in names]
        for one in started:
            await finished(one)
        assert [(one.state, one.kind) for one in started] == [
            ("failed", kind) for kind in ("full_disk", "caller", "model_gone", "auth")
        ]
        assert "are free" in started[0].why and "pickles" in started[1].why
        assert not [line for line in hub.asked if line.startswith("GET")]
    down = own.start("org/later")
    assert (await finished(down)).kind == "transient" and down.why


@pytest.mark.parametrize("name", ["../x", "a/b/c", "-x/y", "a b", "", "a/..", "a" * 200, "org/a--b"])
async def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRepository):
        Downloads(lambda: Path("python"), tmp_path, {}).start(name)
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240


async def test_without_an_environment(tmp_path: Path) -> None:
    download = await finished(Downloads(lambda: tmp_path / "python", tmp_path, {}).start("org/llama"))
    assert download.state == "failed" and "cannot be run" in download.why


async def test_cancelled_before_it_began(tmp_path: Path) -> None:
    own = Downloads(lambda: tmp_path / "python", tmp_path, {})
    download = own.start("org/llama")
    await own.cancel("org/llama")
    assert download.state == "cancelled"

"""Parameters inside files: read back, taken away, and not a pixel changed."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from core.media import stamp
from core.media.files import BadFile, look
from core.media.stamp_pictures import CannotStamp, put_text, stripped, text_in
from tests.core.media.made import drawing, picture, video

ROOT = Path(__file__).parents[3]
SETTINGS = {"seed": 7, "steps": 9, "lora": [{"name": "ink", "strength": 0.8}]}
FACTS = stamp.facts("Tongyi-MAI/Z-Image-Turbo", "text_to_image", "Гавань на рассвете 🌅", SETTINGS, "parent")


def pixels(path: Path) -> bytes:
    with Image.open(path) as picture:
        return picture.convert("RGBA").tobytes()


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
async def test_pictures(tmp_path: Path, ending: str) -> None:
    path, stamped, bare = picture(tmp_path / f"a{ending}"), tmp_path / f"b{ending}", tmp_path / f"c{ending}"
    assert await stamp.read(path) is None
    await stamp.write(path, stamped, FACTS)
    assert await stamp.read(stamped) == FACTS
    assert (FACTS["schema"], FACTS["app"], FACTS["settings"]) == (1, "Botyard", SETTINGS)
    assert pixels(stamped) == pixels(path)
    await stamp.write(stamped, stamped, {**FACTS, "prompt": "another"})
    again = await stamp.read(stamped)
    assert again is not None and again["prompt"] == "another"
    await stamp.strip(stamped, bare)
    assert await stamp.read(bare) is None and pixels(bare) == pixels(path)
    assert bare.stat().st_size <= path.stat().st_size + 20
    assert b"another".decode().encode("utf-16-le") not in bare.read_bytes()


@pytest.mark.parametrize("kind", ["lossless", "alpha", "animated"])
async def test_every_kind_of_webp(tmp_path: Path, kind: str) -> None:
    path, stamped = tmp_path / "a.webp", tmp_path / "b.webp"
    frames = [drawing(hue).convert("RGBA") for hue in (0.1, 0.6)]
    frames[0].putpixel((3, 3), (9, 9, 9, 0))
    if kind == "animated":
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    else:
        (frames[0] if kind == "alpha" else frames[1].convert("RGB")).save(path, lossless=True)
    await stamp.write(path, stamped, FACTS)
    assert await stamp.read(stamped) == FACTS and pixels(stamped) == pixels(path)
    assert (look(stamped).width, look(stamped).height) == (96, 64)
    with Image.open(path) as before, Image.open(stamped) as after:
        assert before.mode == after.mode
        assert getattr(before, "n_frames", 1) == getattr(after, "n_frames", 1)


async def test_how_a_photo_is_turned_stays(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    drawing().save(tmp_path / "a.jpg", exif=exif)
    await stamp.write(tmp_path / "a.jpg", tmp_path / "b.jpg", FACTS)
    with Image.open(tmp_path / "b.jpg") as stamped:
        assert stamped.getexif()[0x0112] == 6
    assert await stamp.read(tmp_path / "b.jpg") == FACTS


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
async def test_videos(tmp_path: Path, ending: str) -> None:
    path, stamped, bare = video(tmp_path / f"a{ending}"), tmp_path / f"b{ending}", tmp_path / f"c{ending}"
    await stamp.write(path, stamped, FACTS)
    assert await stamp.read(stamped) == FACTS
    assert packets(stamped) == packets(path) != []
    assert look(stamped).seconds == pytest.approx(look(path).seconds, abs=0.13)
    await stamp.strip(stamped, bare)
    assert await stamp.read(bare) is None and packets(bare) == packets(path)
    assert b"Z-Image" not in bare.read_bytes()


async def test_what_has_no_place_for_it(tmp_path: Path) -> None:
    with pytest.raises(CannotStamp, match="GIF"):
        await stamp.write(picture(tmp_path / "a.gif"), tmp_path / "b.gif", FACTS)
    with pytest.raises(CannotStamp, match="too long"):
        await stamp.write(picture(tmp_path / "a.jpg"), tmp_path / "b.jpg", {**FACTS, "prompt": "x" * 40_000})
    (tmp_path / "c.png").write_bytes(b"no picture")
    with pytest.raises(BadFile):
        await stamp.read(tmp_path / "c.png")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_damaged_files_are_refused_and_nothing_else_happens(tmp_path: Path, ending: str) -> None:
    whole = put_text(picture(tmp_path / f"a{ending}").read_bytes(), "x" * 100)
    for at in range(8, min(len(whole), 600), 3):
        changed = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        for work in (text_in, stripped, lambda body: put_text(body, "y")):
            try:
                work(changed)
            except CannotStamp:
                continue


async def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "b.png"
    await stamp.write(picture(tmp_path / "a.png"), path, FACTS)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "core.media.stamp", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    read = await asyncio.to_thread(run, "read", str(path))
    assert (read.returncode, json.loads(read.stdout)) == (0, FACTS)
    assert (await asyncio.to_thread(run, "strip", str(path))).returncode == 0
    assert (await asyncio.to_thread(run, "read", str(path))).returncode == 1
    assert pixels(path) == pixels(tmp_path / "a.png")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]
    missing = await asyncio.to_thread(run, "read", str(tmp_path / "none.png"))
    assert missing.returncode == 2 and "Traceback" not in missing.stderr

"""What a media file is, by its own bytes; what is none is refused with a reason."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from core.media.files import LARGEST_PICTURE, BadFile, look
from core.media.files_small import small_picture
from core.media.files_video import write_poster
from core.pictures import PNG
from tests.core.media.made import picture, video
from tests.core.pictures import png_head

ENDING = b"\0\0\0\0IEND\xaeB`\x82"


@pytest.mark.parametrize(("ending", "mime"), [
    (".png", "image/png"), (".jpg", "image/jpeg"), (".webp", "image/webp"), (".gif", "image/gif"),
])  # fmt: skip
def test_pictures(tmp_path: Path, ending: str, mime: str) -> None:
    path = picture(tmp_path / f"a{ending}")
    seen = look(path, "image")
    assert (seen.mime, seen.width, seen.height, seen.seconds) == (mime, 96, 64, None)
    assert (seen.size, seen.suffix) == (path.stat().st_size, ending)
    with pytest.raises(BadFile, match="not a video"):
        look(path, "video")


@pytest.mark.parametrize(("ending", "mime"), [(".mp4", "video/mp4"), (".webm", "video/webm")])
async def test_videos(tmp_path: Path, ending: str, mime: str) -> None:
    path = video(tmp_path / f"a{ending}", 2)
    seen = look(path, "video")
    assert (seen.mime, seen.width, seen.height) == (mime, 96, 64)
    assert seen.seconds == pytest.approx(2, abs=0.15)
    poster = tmp_path / "poster.jpg"
    await write_poster(path, poster)
    assert (look(poster).width, look(poster).mime) == (96, "image/jpeg")
    with pytest.raises(BadFile, match="not an image"):
        look(path, "image")


def written(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path


@pytest.mark.parametrize(("body", "reason"), [
    (b"", "empty"),
    (b"<html>Not found</html>", "unknown"),
    (b"%PDF-1.7", "unknown"),
    (b"MZ" + bytes(200), "unknown"),
    (PNG + b"junk" * 20, "damaged"),
    (png_head(8, 8), "damaged"),  # no end
    (png_head(0, 8) + ENDING, "damaged"),
    (png_head(100_000, 100_000) + ENDING, "pixels"),
    (png_head(60_000, 10) + ENDING, "pixels"),
    (b"\0\0\0\x18ftypisom" + bytes(200), "damaged"),
    (b"\0\0\0\x08ftyp" + b"\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(64), "damaged"),
    (b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\xff" + b"\x16\x54\xae\x6b\xff" * 3000, "damaged"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged"),
])  # fmt: skip
def test_what_is_none_is_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as error:
        look(written(tmp_path / "a.bin", body))
    assert error.value.reason == reason


def test_a_file_of_another_kind_than_wanted(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    assert look(path, "image").mime == "image/png"
    with pytest.raises(BadFile, match="is a PNG, not a video"):
        look(path, "video")


def test_files_that_are_cut_off_or_too_large(tmp_path: Path) -> None:
    whole = picture(tmp_path / "a.png").read_bytes()
    for ending in (".png", ".jpg", ".webp"):
        whole = picture(tmp_path / f"a{ending}").read_bytes()
        with pytest.raises(BadFile, match="cut off"):
            look(written(tmp_path / "half", whole[: len(whole) - 20]))
    film = video(tmp_path / "a.mp4").read_bytes()
    with pytest.raises(BadFile):
        look(written(tmp_path / "half", film[: len(film) // 2]))
    large = written(tmp_path / "large", png_head(8, 8))
    os.truncate(large, LARGEST_PICTURE + 1)
    with pytest.raises(BadFile, match="at most 64 MB"):
        look(large)


def test_random_changes_never_break_the_guard(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.webm", "a.png", "a.jpg", "a.webp", "a.gif"):
        path = tmp_path / name
        whole = bytearray((video if name[2:] in ("mp4", "webm") else picture)(path).read_bytes())
        for at in range(0, min(len(whole), 1200), 7):
            changed = bytes(whole[:at]) + bytes([whole[at] ^ 0xFF]) + bytes(whole[at + 1 :])
            try:
                assert look(written(path, changed)).width >= 0
            except BadFile:
                continue


async def test_a_video_that_cannot_be_decoded_hurts_nobody(tmp_path: Path) -> None:
    whole = video(tmp_path / "a.mp4").read_bytes()
    at = whole.index(b"mdat") + 8
    broken = written(tmp_path / "b.mp4", whole[:at] + os.urandom(400) + whole[at + 400 :])
    with pytest.raises(BadFile, match="cannot be decoded"):
        noise = written(tmp_path / "c.mp4", b"\0\0\0\x18ftypisom" + os.urandom(4000))
        await write_poster(noise, tmp_path / "c.jpg")
    with suppress(BadFile):  # a decoder may make something of it: it must come back
        await write_poster(broken, tmp_path / "b.jpg")


def test_small_pictures(tmp_path: Path) -> None:
    sizes = {".png": (2000, 1000), ".jpg": (1000, 2000), ".webp": (40, 30), ".gif": (900, 900)}
    for ending, size in sizes.items():
        body = picture(tmp_path / f"a{ending}", size=size).read_bytes()
        made = written(tmp_path / "s.webp", small_picture(body))
        assert max(look(made).width, look(made).height) == min(512, max(size))
    turned = Image.new("RGB", (60, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    turned.save(tmp_path / "t.jpg", exif=exif)
    made = written(tmp_path / "s.webp", small_picture((tmp_path / "t.jpg").read_bytes()))
    assert (look(made).width, look(made).height) == (30, 60)
    for bomb in (png_head(20_000, 3_000), b"not a picture", picture(tmp_path / "b.png").read_bytes()[:150]):
        with pytest.raises(BadFile):
            small_picture(bomb)

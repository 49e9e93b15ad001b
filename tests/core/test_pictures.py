"""A picture is what its bytes say, never what its name or sender says."""

import random

import pytest

from core.pictures import LARGEST, NotAPicture, read_picture
from tests.core.pictures import gif, jpeg, png, png_head, webp

EXIF = b"\xff\xe1\x00\x08Exif\0\0" + b"\xff\xff" + b"\xff\xdb\x00\x04\x01\x02"


@pytest.mark.parametrize(
    ("body", "mime"),
    [
        (png(3, 5), "image/png"),
        (jpeg(640, 480), "image/jpeg"),
        (jpeg(640, 480, EXIF), "image/jpeg"),
        (gif(10, 20), "image/gif"),
        (webp(b"VP8X", 10, 20), "image/webp"),
        (webp(b"VP8L", 10, 20), "image/webp"),
        (webp(b"VP8 ", 10, 20), "image/webp"),
    ],
)
def test_the_four_kinds_are_known_by_their_bytes(body: bytes, mime: str) -> None:
    picture = read_picture(body)
    assert picture.mime == mime
    assert picture.url.startswith(f"data:{mime};base64,")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<script>alert(1)</script>",
        b"%PDF-1.7",
        b"BM" + bytes(60),
        b"\xff\xd8\xff\xd9",
        jpeg(0, 480),
        b"RIFF\0\0\0\0WAVEfmt " + bytes(40),
        webp(b"VP8L", 10, 20)[:18],
        png_head(0, 5),
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_nothing_else_is_a_picture(body: bytes) -> None:
    with pytest.raises(NotAPicture):
        read_picture(body)


@pytest.mark.parametrize("size", [(50_000, 10), (10, 50_000), (16_000, 16_000)])
def test_a_picture_that_would_unfold_into_gigabytes_is_refused(size: tuple[int, int]) -> None:
    for body in (png_head(*size), webp(b"VP8X", *size)):
        with pytest.raises(NotAPicture):
            read_picture(body)


def test_a_picture_above_the_limit_is_refused() -> None:
    with pytest.raises(NotAPicture):
        read_picture(png() + bytes(LARGEST))


def test_damaged_headers_raise_nothing_else() -> None:
    dice = random.Random(7)
    for whole in (png(), jpeg(64, 48, EXIF), gif(3, 3), webp(b"VP8X", 3, 3), webp(b"VP8L", 3, 3)):
        for _ in range(300):
            body = bytearray(whole[: dice.randrange(len(whole) + 1)])
            for _ in range(dice.randrange(4)):
                if body:
                    body[dice.randrange(len(body))] = dice.randrange(256)
            try:
                read_picture(bytes(body))
            except NotAPicture:
                continue

"""The accent colour of a widget, and what can be read on it and in it."""

import re

DEFAULT = "#4f57d6"
READABLE = 4.5  # WCAG AA for text
LIGHT_CARD, DARK_CARD = (255, 255, 255), (30, 32, 42)  # behind text in the widget's two themes
Rgb = tuple[int, int, int]


def accent(color: str | None) -> dict[str, str]:
    """The fill, the ink that is read on it, and the accent as a text colour of the light and dark theme."""
    fill = _rgb(color) or _rgb(DEFAULT) or (0, 0, 0)
    white = (255, 255, 255)
    return {
        "fill": _hex(fill),
        "ink": "#ffffff" if contrast(fill, white) >= READABLE else "#000000",
        "light": _hex(_until_readable(fill, LIGHT_CARD, (0, 0, 0))),
        "dark": _hex(_until_readable(fill, DARK_CARD, white)),
    }


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colours, as WCAG defines it."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _until_readable(color: Rgb, behind: Rgb, towards: Rgb) -> Rgb:
    mixed = color
    for step in range(1, 21):
        if contrast(mixed, behind) >= READABLE:
            break
        a, b, c = (round(part + (to - part) * step / 20) for part, to in zip(color, towards, strict=True))
        mixed = (a, b, c)
    return mixed


def _luminance(color: Rgb) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(color: str | None) -> Rgb | None:
    text = (color or "").removeprefix("#")
    if re.fullmatch(r"[0-9a-fA-F]{3}", text):
        text = "".join(part * 2 for part in text)
    if not re.fullmatch(r"[0-9a-fA-F]{6}", text):
        return None
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


def _hex(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)

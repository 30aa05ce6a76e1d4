"""Colours out of a merchant's accent, so that text keeps its contrast in light and in dark.

Contrast is that of WCAG 2 ("contrast ratio", "relative luminance"). A colour is ``#rgb`` or ``#rrggbb``.
"""

from __future__ import annotations

import colorsys
from typing import Final

# More than the 4.5 : 1 of text, because links also stand on grounds that are a little further from white or black.
_WANTED: Final = 5.3
_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"
# The lightest ground that dark colours stand on, and the lightest of those that are dark.
LIGHT_GROUND: Final = _WHITE
DARK_GROUND: Final = "#1a211e"
_STEPS: Final = 200


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(ground: str) -> str:
    """Return black or white, whichever is read better; one of them has 4.5 : 1 on every colour."""
    return max((_WHITE, _BLACK), key=lambda text: contrast(text, ground))


def readable_on(ground: str, colour: str) -> str:
    """Return the colour, or the nearest lightness of its hue that can be read as text on the ground."""
    red, green, blue = _channels(colour)
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    goal = 0.0 if text_on(ground) == _BLACK else 1.0
    for step in range(_STEPS + 1):
        moved = lightness + (goal - lightness) * step / _STEPS
        candidate = _hex(colorsys.hls_to_rgb(hue, moved, saturation)) if step else _full(colour)
        if contrast(candidate, ground) >= _WANTED:
            return candidate
    return _BLACK if goal == 0.0 else _WHITE


def _luminance(colour: str) -> float:
    red, green, blue = map(_linear, _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _channels(colour: str) -> tuple[float, float, float]:
    digits = _full(colour)[1:]
    red, green, blue = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return red, green, blue


def _full(colour: str) -> str:
    digits = colour.strip().lstrip("#").lower()
    return f"#{digits}" if len(digits) == 6 else f"#{''.join(digit * 2 for digit in digits)}"


def _hex(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(min(1.0, max(0.0, channel)) * 255):02x}" for channel in channels)

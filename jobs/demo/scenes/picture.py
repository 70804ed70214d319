"""The paper that scenes are painted on: shapes with soft gradients, drawn large and reduced, in a scene's light.

Coordinates are those of the finished picture, 0 to 96, x to the right and y down.
"""

import math
from collections.abc import Sequence
from io import BytesIO
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from .light import Colour, Light, moved

SIZE = 96
SCALE = 3
Point = tuple[float, float]
T = TypeVar("T")

_JPEG_QUALITY = 92


def _falloff(size: int = 64) -> Image.Image:
    """Return a round spot, brightest in the middle and zero at the rim: the mask of every glow."""
    axis = (np.arange(size) + 0.5) * (2 / size) - 1
    inside = np.clip(1 - (axis[:, None] ** 2 + axis[None, :] ** 2), 0, 1)
    return Image.fromarray((255 * inside * inside).astype(np.uint8))


_SPOT = _falloff()


class Picture:
    """A picture in the making, with the light that falls on it and the random numbers that shape it."""

    def __init__(self, light: Light, rng: Generator) -> None:
        self.light = light
        self.rng = rng
        self._numbers: list[float] = []
        self._image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE))
        self._pen = ImageDraw.Draw(self._image, "RGBA")

    # -- chance ------------------------------------------------------------------------------------------

    def random(self) -> float:
        """Return a number from [0, 1). Drawn many at a time: one at a time costs more than the drawing."""
        if not self._numbers:
            self._numbers = self.rng.random(512).tolist()
        return self._numbers.pop()

    def between(self, low: float, high: float) -> float:
        """Return a number from [low, high)."""
        return low + (high - low) * self.random()

    def count(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int((high - low + 1) * self.random())

    def chance(self, share: float) -> bool:
        """Return True in `share` of the cases."""
        return self.random() < share

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(len(options) * self.random())]

    def vary(self, colour: Colour, amount: int = 12) -> Colour:
        """Return `colour` with each channel moved by at most `amount`."""
        return moved(colour, [self.count(-amount, amount) for _ in range(3)])

    # -- shapes ------------------------------------------------------------------------------------------

    def polygon(
        self,
        points: Sequence[Point],
        colour: Colour,
        *,
        alpha: float = 1.0,
        far: float = 0.0,
        lit: bool = True,
    ) -> None:
        """Draw a filled shape. `lit` false: the shape shines by itself, so the light does not colour it."""
        self._pen.polygon(_large(points), fill=self._ink(colour, alpha, far, lit))

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour,
        *, alpha: float = 1.0, far: float = 0.0, lit: bool = True,
    ) -> None:  # fmt: skip
        """Draw a filled ellipse around (x, y)."""
        self._pen.ellipse(
            _large([(x - rx, y - ry), (x + rx, y + ry)]), fill=self._ink(colour, alpha, far, lit)
        )

    def line(
        self, points: Sequence[Point], width: float, colour: Colour,
        *, alpha: float = 1.0, far: float = 0.0, lit: bool = True,
    ) -> None:  # fmt: skip
        """Draw a line through the points; width in finished pixels."""
        ink = self._ink(colour, alpha, far, lit)
        self._pen.line(_large(points), fill=ink, width=max(1, round(width * SCALE)), joint="curve")

    def fill(
        self, points: Sequence[Point], first: Colour, last: Colour,
        *, across: bool = False, alpha: float = 1.0, far: float = 0.0, lit: bool = True,
    ) -> None:  # fmt: skip
        """Draw a shape whose colour runs from `first` to `last`, top to bottom or, `across`, left to right."""
        large = _large(points)
        side = SIZE * SCALE
        xs, ys = [x for x, _ in large], [y for _, y in large]
        left, top, right, bottom = (
            max(0, min(xs)),
            max(0, min(ys)),
            min(side, max(xs) + 1),
            min(side, max(ys) + 1),
        )
        if right <= left or bottom <= top:
            return
        size = (right - left, bottom - top)
        mask = Image.new("L", size)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in large], fill=round(255 * alpha))
        colours = [self.light.on(c, far) if lit else c for c in (first, last)]
        self._image.paste(_ramp(colours, size, across), (left, top), mask)

    def wash(self, top: float, bottom: float, colours: Sequence[Colour], *, lit: bool = True) -> None:
        """Draw a band over the whole width from y = top to y = bottom, through all the colours from top to bottom."""
        y0, y1 = round(top * SCALE), round(bottom * SCALE)
        shown = [self.light.on(c) if lit else c for c in colours]
        self._image.paste(_ramp(shown, (SIZE * SCALE, y1 - y0), across=False), (0, y0))

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.8) -> None:
        """Draw a soft round shine."""
        size = max(2, round(2 * radius * SCALE))
        mask = _SPOT.resize((size, size)).point(lambda value: value * strength)
        self._image.paste(colour, (round((x - radius) * SCALE), round((y - radius) * SCALE)), mask)

    def _ink(self, colour: Colour, alpha: float, far: float, lit: bool) -> tuple[int, int, int, int]:
        red, green, blue = self.light.on(colour, far) if lit else colour
        return red, green, blue, round(255 * alpha)

    # -- the end -----------------------------------------------------------------------------------------

    def finish(self) -> Image.Image:
        """Return the picture at its own size, with the paper's grain and slightly darker corners. (96, 96) RGB."""
        small = np.asarray(self._image.reduce(SCALE), dtype=np.float32)
        coarse = Image.fromarray(self.rng.standard_normal((24, 24), dtype=np.float32))
        grain = 2.2 * np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        grain += 1.6 * self.rng.standard_normal((SIZE, SIZE), dtype=np.float32)
        shown = small * _VIGNETTE[..., None] + grain[..., None]
        return Image.fromarray(np.clip(np.rint(shown), 0, 255).astype(np.uint8))


def encode(image: Image.Image) -> bytes:
    """Return JPEG with full colour resolution: the pictures are small."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def placed(
    points: Sequence[Point],
    x: float,
    y: float,
    *,
    scale: float = 1.0,
    turn: float = 0.0,
    mirror: bool = False,
) -> list[Point]:
    """Return points drawn around (0, 0), brought to (x, y): mirrored, scaled, then turned clockwise by `turn`
    radians.
    """
    cosine, sine = math.cos(turn), math.sin(turn)
    moved: list[Point] = []
    for px, py in points:
        sx, sy = (-px if mirror else px) * scale, py * scale
        moved.append((x + sx * cosine - sy * sine, y + sx * sine + sy * cosine))
    return moved


def arc(
    x: float, y: float, rx: float, ry: float, *, start: float = 0.0, stop: float = 360.0, steps: int = 24
) -> list[Point]:
    """Return points along an ellipse from `start` to `stop` degrees, clockwise from the right."""
    angles = [math.radians(start + (stop - start) * i / steps) for i in range(steps + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def _large(points: Sequence[Point]) -> list[tuple[int, int]]:
    """Convert to whole pixels of the large drawing, which is what Pillow draws; so no last digit of a sine moves
    anything.
    """
    return [(round(x * SCALE), round(y * SCALE)) for x, y in points]


def _ramp(colours: Sequence[Colour], size: tuple[int, int], across: bool) -> Image.Image:
    count = len(colours)
    strip = Image.new("RGB", (count, 1) if across else (1, count))
    strip.putdata(list(colours))
    box = (0.5, 0, count - 0.5, 1) if across else (0, 0.5, 1, count - 0.5)
    if size[0] * size[1] < 3000:
        return strip.resize(size, Image.Resampling.BILINEAR, box=box)
    line = (size[0], 1) if across else (1, size[1])
    return strip.resize(line, Image.Resampling.BILINEAR, box=box).resize(size, Image.Resampling.NEAREST)


def _vignette() -> np.ndarray:
    """Return (96, 96) float32 factors: 1 in the middle, a little less in the corners."""
    axis = (np.arange(SIZE) + 0.5) * (2 / SIZE) - 1
    distance = axis[:, None] ** 2 + axis[None, :] ** 2
    return (1.02 - 0.055 * distance).astype(np.float32)


_VIGNETTE = _vignette()

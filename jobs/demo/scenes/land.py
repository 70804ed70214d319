"""Hills, mountains, trees, turf and deserts. Every class draws from these, so colours alone tell little."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .light import Colour, mix
from .picture import SIZE, Picture, Point, arc

Height = Callable[[float], float]


@dataclass(frozen=True)
class Ground:
    """A kind of land: its colours, and what grows on it."""

    near: Colour
    far: Colour
    trees: tuple[Colour, ...]
    flowers: tuple[Colour, ...]


MEADOW = Ground(
    (112, 168, 84),
    (138, 186, 120),
    ((64, 124, 78), (86, 144, 74)),
    ((250, 244, 236), (246, 206, 84), (232, 120, 140)),
)
AUTUMN = Ground(
    (204, 160, 82), (214, 176, 112), ((206, 110, 54), (226, 152, 60), (168, 84, 56)), ((240, 220, 150),)
)
SNOW = Ground((232, 240, 248), (206, 222, 238), ((70, 112, 104), (94, 132, 122)), ((255, 255, 255),))
SAND = Ground((234, 196, 132), (240, 208, 156), ((132, 150, 92), (150, 132, 84)), ((250, 230, 180),))
HEATHER = Ground(
    (154, 128, 168), (176, 156, 190), ((86, 112, 96), (112, 96, 132)), ((226, 168, 214), (250, 236, 250))
)
_MARGIN = 4
_XS = np.arange(-_MARGIN, SIZE + _MARGIN + 1)
GROUNDS = (MEADOW, AUTUMN, SNOW, SAND, HEATHER)


def ridge(picture: Picture, base: float, swell: float, waves: float) -> Height:
    """Return a smooth random line around y = base: the height of a hill at every x."""
    line = np.zeros(len(_XS))
    for i in range(1, 4):
        speed, phase = picture.between(0.7, 1.3) * waves * i, picture.between(0, 6.28)
        line += swell / i * np.sin(speed * _XS / SIZE * 6.28 + phase)
    heights: list[float] = np.round(base + 0.6 * line, 3).tolist()
    last = len(heights) - 1
    return lambda x: heights[min(last, max(0, round(x) + _MARGIN))]


def below(height: Height, bottom: float = SIZE) -> list[Point]:
    """Return the outline of everything under a ridge."""
    return [(float(x), height(x)) for x in range(-2, SIZE + 4, 2)] + [(SIZE + 2.0, bottom), (-2.0, bottom)]


def paint_hills(picture: Picture, horizon: float, ground: Ground, *, front: float) -> Height:
    """Return two or three hills into the haze, then the front one around y = front. Returns the front hill's height."""
    if picture.chance(0.4):
        _peaks(picture, horizon, far=0.55)
    steps = picture.count(1, 2)
    for i in range(steps):
        base = horizon + (front - horizon) * i / (steps + 0.3)
        far = 0.6 - 0.3 * i / steps
        hill = ridge(picture, base, picture.between(3, 6), picture.between(0.5, 1.1))
        colour = picture.vary(ground.far)
        picture.fill(below(hill), mix(colour, (255, 255, 230), 0.12), colour, far=far)
        _grove(picture, hill, ground, far)
    return paint_front(picture, front, ground)


def paint_front(picture: Picture, front: float, ground: Ground) -> Height:
    """Return the land nearest to the viewer, from around y = front down. Returns its height."""
    near = ridge(picture, front, picture.between(1.5, 4), picture.between(0.4, 0.8))
    colour = picture.vary(ground.near)
    picture.fill(below(near), mix(colour, (255, 255, 220), 0.15), mix(colour, (20, 30, 50), 0.22))
    paint_turf(picture, near, ground)
    return near


def _peaks(picture: Picture, horizon: float, far: float) -> None:
    """Draw mountains with snow on the tips."""
    rock = picture.vary((112, 122, 146))
    for _ in range(picture.count(2, 4)):
        x, width, height = picture.between(0, SIZE), picture.between(14, 28), picture.between(12, 26)
        tip, lean = (x, horizon - height), picture.between(-4, 4)
        picture.fill(
            [(x - width, horizon + 6), tip, (x + width, horizon + 6)],
            rock,
            mix(rock, (255, 255, 255), 0.2),
            far=far,
        )
        picture.polygon(
            [tip, (x + width, horizon + 6), (x + lean, horizon + 6)], (60, 66, 96), alpha=0.25, far=far
        )
        cut = 0.32
        snow = [
            tip,
            (x + width * cut, tip[1] + height * cut),
            (x + width * cut * 0.4, tip[1] + height * cut * 0.75),
            (x, tip[1] + height * cut * 1.1),
            (x - width * cut * 0.45, tip[1] + height * cut * 0.8),
            (x - width * cut, tip[1] + height * cut),
        ]
        picture.polygon(snow, (250, 252, 255), far=far * 0.5)


def _grove(picture: Picture, hill: Height, ground: Ground, far: float) -> None:
    """Draw small trees along a hill."""
    kind = picture.chance(0.5)
    for _ in range(picture.count(0, 9)):
        x = picture.between(0, SIZE)
        tree(
            picture,
            x,
            hill(x) + picture.between(0.5, 4),
            picture.between(3, 6),
            ground,
            pointed=kind,
            far=far,
        )


def tree(
    picture: Picture, x: float, y: float, size: float, ground: Ground, *, pointed: bool, far: float = 0.0
) -> None:
    """Draw a tree that stands at (x, y), `size` high: a fir or a round crown."""
    leaf = picture.vary(picture.pick(ground.trees))
    dark = mix(leaf, (20, 30, 60), 0.3)
    picture.line([(x, y), (x, y - size * 0.4)], size * 0.1, (104, 76, 60), far=far)
    if pointed:
        for i in range(3):
            top, half = y - size * (0.5 + 0.25 * i), size * (0.34 - 0.07 * i)
            picture.fill(
                [(x, top - size * 0.12), (x + half, top + size * 0.32), (x - half, top + size * 0.32)],
                leaf,
                dark,
                across=True,
                far=far,
            )
        return
    crown = arc(x, y - size * 0.66, size * 0.36, size * 0.4)
    picture.fill(crown, mix(leaf, (255, 255, 200), 0.15), dark, far=far)
    picture.ellipse(
        x - size * 0.1,
        y - size * 0.78,
        size * 0.16,
        size * 0.14,
        mix(leaf, (255, 255, 200), 0.4),
        alpha=0.5,
        far=far,
    )


def paint_turf(picture: Picture, height: Height, ground: Ground, *, top: float = 1.0) -> None:
    """Draw blades, tufts and flowers on the front hill."""
    blade = mix(ground.near, (30, 50, 40), 0.3)
    tip = mix(ground.near, (255, 255, 200), 0.35)
    for i in range(46):
        x = picture.between(0, SIZE)
        y = picture.between(height(x) + top, SIZE)
        size = 0.8 + 2.2 * (y - height(x)) / 40
        picture.line(
            [(x, y), (x + picture.between(-0.7, 0.7), y - size)], 0.4, blade if i % 2 else tip, alpha=0.55
        )
    if picture.chance(0.5):
        flower = picture.pick(ground.flowers)
        for _ in range(picture.count(5, 20)):
            x = picture.between(0, SIZE)
            y = picture.between(height(x) + 2, SIZE)
            picture.ellipse(x, y, 0.7, 0.6, picture.vary(flower), alpha=0.95)


def paint_dunes(picture: Picture, horizon: float, *, front: float) -> Height:
    """Return a desert: table mountains far away, then dunes with a lit and a shaded side."""
    if picture.chance(0.7):
        for _ in range(picture.count(1, 3)):
            _mesa(picture, picture.between(4, 92), horizon, picture.between(7, 15), picture.between(6, 15))
    colour = picture.vary(picture.pick((SAND.near, (226, 168, 118), (238, 206, 150))))
    height = ridge(picture, horizon, 2, 0.8)
    for i, base in enumerate((horizon, (horizon + front) / 2, front)):
        height = ridge(picture, base, 2.5 + i, picture.between(0.4, 0.8))
        shade = mix(colour, (168, 92, 84), 0.12 + 0.08 * i)
        picture.fill(below(height), mix(colour, (255, 250, 220), 0.25), shade, far=0.35 - 0.17 * i)
    for _ in range(24):
        x = picture.between(0, SIZE)
        y = picture.between(height(x) + 1.5, SIZE)
        length = picture.between(1.5, 5)
        picture.line([(x - length, y), (x, y - 0.5), (x + length, y)], 0.4, (176, 112, 84), alpha=0.35)
    return height


def _mesa(picture: Picture, x: float, y: float, width: float, height: float) -> None:
    rock = picture.vary((196, 112, 84))
    outline = [
        (x - width, y + 4),
        (x - width * 0.72, y - height * 0.5),
        (x - width * 0.66, y - height),
        (x + width * 0.6, y - height),
        (x + width * 0.7, y - height * 0.45),
        (x + width, y + 4),
    ]
    picture.fill(
        outline, mix(rock, (255, 220, 170), 0.3), mix(rock, (96, 52, 84), 0.3), across=True, far=0.35
    )
    picture.line(
        [(x - width * 0.66, y - height * 0.7), (x + width * 0.62, y - height * 0.7)],
        0.7,
        (255, 216, 170),
        alpha=0.4,
        far=0.3,
    )

"""Scenes under water: fish."""

import math

from .light import Colour, mix
from .parts import BRIGHT, GREENS, PETALS, SHADOW
from .picture import SIZE, Picture, Point, arc, placed

WATERS: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((150, 222, 226), (62, 154, 186), (28, 78, 128)),
    ((166, 226, 204), (64, 158, 148), (26, 92, 104)),
    ((126, 168, 222), (58, 92, 164), (30, 44, 104)),
    ((190, 172, 216), (104, 96, 172), (48, 48, 112)),
    ((246, 206, 168), (150, 140, 170), (60, 76, 128)),
)  # fmt: skip


def fish(picture: Picture) -> None:
    """Draw a large fish under water, perhaps with a few small ones, plants and bubbles."""
    picture.wash(0, SIZE, picture.pick(WATERS), lit=picture.light.dark)
    _rays(picture)
    _bed(picture)
    mirror = picture.chance(0.5)
    small, large = (picture.vary(picture.pick((*BRIGHT, *PETALS))) for _ in range(2))
    for _ in range(picture.pick((0, 0, 3, 5))):
        x, y, size = picture.between(8, 88), picture.between(10, 70), picture.between(2.5, 4.5)
        _fish(picture, x, y, size=size, colour=small, mirror=mirror, far=0.35)
    x, y, size = picture.between(38, 58), picture.between(34, 58), picture.between(14, 21)
    _fish(picture, x, y, size=size, colour=large, mirror=mirror)
    for _ in range(picture.count(4, 12)):
        x, y, size = picture.between(4, 92), picture.between(4, 80), picture.between(0.7, 2.2)
        picture.ellipse(x, y, size, size, (236, 250, 255), alpha=0.4, lit=False)
        picture.ellipse(
            x - size * 0.3, y - size * 0.3, size * 0.3, size * 0.3, (255, 255, 255), alpha=0.8, lit=False
        )


def _rays(picture: Picture) -> None:
    for _ in range(picture.count(2, 5)):
        x, width, slant = picture.between(-10, 96), picture.between(4, 12), picture.between(8, 26)
        picture.polygon(
            [(x, 0), (x + width, 0), (x + width + slant + 8, SIZE), (x + slant, SIZE)],
            (255, 255, 240),
            alpha=0.09,
        )


def _bed(picture: Picture) -> None:
    if picture.chance(0.75):
        sand = picture.vary((226, 204, 160))
        base = picture.between(82, 90)
        floor = [(float(x), base + 2 * math.sin(x / 14 + base)) for x in range(-2, 100, 3)]
        picture.fill([*floor, (98.0, 96.0), (-2.0, 96.0)], sand, mix(sand, (60, 110, 140), 0.4), alpha=0.9)
    for _ in range(picture.count(2, 7)):
        x, tall, phase = picture.between(0, SIZE), picture.between(12, 36), picture.between(0, 6)
        weed = picture.vary(picture.pick((*GREENS, (186, 84, 110), (214, 130, 84))))
        spine: list[Point] = [(x + 2.2 * math.sin(phase + t / 3), SIZE - tall * t / 9) for t in range(10)]
        for t in range(9):
            picture.line([spine[t], spine[t + 1]], 2.2 * (1 - t / 11), weed, alpha=0.85)


def _fish(
    picture: Picture, x: float, y: float, *, size: float, colour: Colour, mirror: bool, far: float = 0.0
) -> None:
    turn = picture.between(-0.2, 0.2)
    plump = picture.between(0.5, 0.75)
    light, dark = mix(colour, (255, 250, 220), 0.4), mix(colour, SHADOW, 0.3)

    def at(points: list[Point]) -> list[Point]:
        return placed(points, x, y, scale=size, turn=turn, mirror=mirror)

    tail = [(0.8, 0.0), (1.5, -0.55), (1.34, 0.0), (1.5, 0.55)]
    picture.fill(at(tail), light, dark, far=far)
    picture.fill(
        at([(-0.35, -plump * 0.8), (0.1, -plump * 1.5), (0.65, -plump * 1.1), (0.55, -plump * 0.5)]),
        light,
        dark,
        far=far,
    )
    picture.fill(at([(0.0, plump * 0.85), (0.4, plump * 1.4), (0.5, plump * 0.6)]), dark, light, far=far)
    body = [
        (math.cos(a), plump * math.sin(a) * (1 - 0.25 * math.cos(a)))
        for a in (2 * math.pi * i / 28 for i in range(28))
    ]
    picture.fill(at(body), dark, light, far=far)
    if size < 8:
        return
    if picture.chance(0.6):
        band = picture.pick(((255, 250, 238), mix(colour, SHADOW, 0.6), (250, 206, 90)))
        for left in (-0.35, 0.1, 0.5)[: picture.count(1, 3)]:
            edge = [
                (left + 0.05 * math.sin(s * 3), plump * 0.93 * math.sqrt(max(0.0, 1 - left * left)) * s)
                for s in (-1.0, -0.5, 0.0, 0.5, 1.0)
            ]
            picture.polygon(
                at([*edge, *((px + 0.15, py * 0.97) for px, py in reversed(edge))]), band, alpha=0.9
            )
    else:
        for row in range(-1, 2):
            for column in range(5):
                scale = at(
                    arc(-0.25 + 0.22 * column, row * plump * 0.42, 0.1, 0.12, start=90, stop=270, steps=6)
                )
                picture.line(scale, 0.5, light, alpha=0.7)
    picture.fill(at([(-0.05, 0.05), (0.42, -0.1), (0.38, 0.3)]), light, dark, alpha=0.9)
    (ex, ey), (px, py) = at([(-0.62, -0.14), (-0.64, -0.14)])
    picture.ellipse(ex, ey, size * 0.15, size * 0.15, (255, 255, 252))
    picture.ellipse(px, py, size * 0.08, size * 0.08, (30, 30, 44))
    picture.line(at([(-0.98, 0.12), (-0.8, 0.18)]), 0.5, mix(colour, SHADOW, 0.6))

"""Scenes of towers: lighthouse and windmill."""

import math

from .houses import cottage
from .light import Colour, mix
from .parts import BRIGHT, LAMP, SHADOW, WALLS, box, shaded, window
from .picture import Picture, arc, placed
from .places import paint_place, paint_water
from .sea import reflection

# -- lighthouse --------------------------------------------------------------------------------------------


def lighthouse(picture: Picture) -> None:
    """Draw a tower with a lantern, on a rock in the sea or on land."""
    x, height = picture.between(24, 72), picture.between(34, 56)
    if picture.chance(0.5):
        horizon, _ = paint_water(picture)
        y = horizon + picture.between(6, 18)
        _rock(picture, x, y, height * picture.between(0.3, 0.5))
    else:
        place = paint_place(picture, front=(66, 82), coast=0.7, desert=0.08)
        y = place.height(x) + 2
    if picture.chance(0.35):
        cottage(picture, x + picture.pick((-1, 1)) * height * 0.26, y + 0.5, height * 0.15)
    _light_tower(picture, x, y, height)


def _rock(picture: Picture, x: float, y: float, width: float) -> None:
    stone = picture.vary((126, 112, 108))
    reflection(picture, x, y + 3, width=width, length=9, colour=stone)
    rough = [picture.between(0.75, 1.15) for _ in range(11)]
    turns = [math.pi * (1 + i / 10) for i in range(11)]
    points = [
        (x + width * math.cos(a), y + 3 + math.sin(a) * 5.5 * r) for a, r in zip(turns, rough, strict=True)
    ]
    picture.fill(points, mix(stone, (255, 236, 200), 0.3), mix(stone, SHADOW, 0.5))
    picture.line([(x - width, y + 3.2), (x + width, y + 3.2)], 0.8, (255, 255, 255), alpha=0.6)


def _light_tower(picture: Picture, x: float, y: float, height: float) -> None:
    foot, neck = height * picture.between(0.12, 0.16), height * picture.between(0.075, 0.095)
    wall, paint = picture.vary(picture.pick(WALLS)), picture.vary(picture.pick(BRIGHT))
    top = y - height * 0.76
    bands = picture.pick((0, 3, 5, 5, 7))
    if bands == 0:
        shaded(picture, [(x - foot, y), (x - neck, top), (x + neck, top), (x + foot, y)], wall)
    for i in range(bands):
        low, high = i / bands, (i + 1) / bands
        a, b = foot + (neck - foot) * low, foot + (neck - foot) * high
        y0, y1 = y + (top - y) * low, y + (top - y) * high
        shaded(picture, [(x - a, y0), (x - b, y1), (x + b, y1), (x + a, y0)], paint if i % 2 == 0 else wall)
    window(picture, x, y - height * 0.3, 0.8, 2)
    window(picture, x, y - height * 0.52, 0.7, 1.8)
    _lantern(picture, x, top, neck=neck, size=height * 0.13, paint=paint)


def _lantern(picture: Picture, x: float, top: float, *, neck: float, size: float, paint: Colour) -> None:
    shaded(picture, box(x, top, neck * 1.4, 1.4), mix(paint, SHADOW, 0.3))
    glass = top - 1.4
    if picture.light.dark:
        _beam(picture, x, glass - size / 2)
    picture.polygon(
        box(x, glass, neck * 0.85, size),
        LAMP if picture.light.dark else (212, 232, 240),
        lit=not picture.light.dark,
    )
    for side in (-0.85, 0, 0.85):
        picture.line(
            [(x + side * neck, glass), (x + side * neck, glass - size)], 0.4, mix(paint, SHADOW, 0.5)
        )
    picture.glow(x, glass - size / 2, size * (2.2 if picture.light.dark else 0.8), LAMP, 0.75)
    dome = [*arc(x, glass - size, neck * 1.15, size * 0.75, start=180, stop=360, steps=12)]
    shaded(picture, dome, paint)
    picture.line([(x, glass - size * 1.7), (x, glass - size * 2.1)], 0.5, paint)


def _beam(picture: Picture, x: float, y: float) -> None:
    for side in (-1, 1):
        for spread, alpha in ((11, 0.10), (7, 0.13), (3.5, 0.16)):
            tilt = picture.between(-2, 2)
            ends = [(x, y), (x + side * 90, y - spread + tilt), (x + side * 90, y + spread + tilt)]
            picture.polygon(ends, LAMP, alpha=alpha, lit=False)


# -- windmill ----------------------------------------------------------------------------------------------


def windmill(picture: Picture) -> None:
    """Draw a tower with a cap and four sails, on a hill, a coast or in a field."""
    place = paint_place(picture, front=(66, 82), coast=0.4, desert=0.08)
    x, height = picture.between(28, 68), picture.between(26, 42)
    y = place.height(x) + 2
    wall, paint = picture.vary(picture.pick(WALLS)), picture.vary(picture.pick(BRIGHT))
    foot, neck = height * picture.between(0.2, 0.26), height * picture.between(0.12, 0.16)
    top = y - height * 0.8
    shaded(picture, [(x - foot, y), (x - neck, top), (x + neck, top), (x + foot, y)], wall)
    if picture.chance(0.5):
        a = foot + (neck - foot) * 0.4
        shaded(
            picture,
            [(x - foot, y), (x - a, y + (top - y) * 0.4), (x + a, y + (top - y) * 0.4), (x + foot, y)],
            paint,
        )
    shaded(picture, box(x, y, foot * 0.26, height * 0.16), (120, 84, 64))
    window(picture, x, y - height * 0.42, 0.9, 2)
    shaded(picture, [*arc(x, top + 0.5, neck * 1.2, height * 0.2, start=180, stop=360, steps=14)], paint)
    _sails(picture, x, top - height * 0.05, height * picture.between(0.55, 0.72))


def _sails(picture: Picture, x: float, y: float, length: float) -> None:
    turn = picture.between(0, math.pi / 2)
    cloth = picture.vary(picture.pick(((252, 246, 232), (244, 222, 190), (226, 120, 96), (236, 240, 246))))
    wood = (112, 82, 66)
    for quarter in range(4):
        angle = turn + quarter * math.pi / 2
        width = length * 0.2
        sail = [(0.0, -length * 0.22), (width, -length * 0.22), (width, -length), (0.0, -length)]
        picture.polygon(placed(sail, x, y, turn=angle), cloth, alpha=0.92)
        for step in range(1, 5):
            rung = -length * (0.22 + 0.78 * step / 5)
            picture.line(placed([(0, rung), (width, rung)], x, y, turn=angle), 0.35, wood, alpha=0.6)
        picture.line(placed([(0, 0), (0, -length)], x, y, turn=angle), 0.9, wood)
    picture.ellipse(x, y, 1.4, 1.4, wood)

"""Scenes of buildings: castle and house."""

from dataclasses import dataclass

from .land import tree
from .light import Colour, mix
from .parts import BRIGHT, SHADOW, WALLS, box, shaded, window
from .picture import SIZE, Picture, Point, arc
from .places import paint_place

# -- castle ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Masonry:
    stone: Colour
    paint: Colour
    pointed: bool


def castle(picture: Picture) -> None:
    """Draw walls with battlements between towers, a gate, flags."""
    place = paint_place(picture, front=(66, 80), coast=0.3, desert=0.12)
    x, width = picture.between(34, 62), picture.between(17, 26)
    y = place.height(x) + 4
    stone, paint = picture.vary(picture.pick(WALLS)), picture.vary(picture.pick(BRIGHT))
    style = _Masonry(stone, paint, picture.chance(0.65))
    keep = picture.between(1.1, 1.5) * width
    _tower(picture, style, (x + picture.between(-0.3, 0.3) * width, y), width * 0.22, keep)
    if picture.chance(0.6):
        _tower(picture, style, (x + picture.pick((-0.55, 0.55)) * width, y), width * 0.15, keep * 0.82)
    shaded(picture, box(x, y, width, width * 0.6), stone)
    _battlements(picture, (x, y - width * 0.6), width, stone)
    _stones(picture, x, y, width * 0.9, width * 0.6)
    for side in (-1, 1):
        tall = width * picture.between(0.8, 1.0)
        _tower(picture, style, (x + side * width, y + 0.8), width * 0.2, tall)
    _gate(picture, x, y, width * 0.17)


def _battlements(picture: Picture, middle: Point, width: float, stone: Colour) -> None:
    x, y = middle
    steps = max(3, round(width / 1.8))
    pitch = 2 * width / (2 * steps - 1)
    for i in range(steps):
        left = x - width + 2 * i * pitch
        share = i / max(1, steps - 1)
        tone = mix(mix(stone, (255, 255, 240), 0.25), mix(stone, SHADOW, 0.36), share)
        picture.polygon(box(left + pitch / 2, y + 0.1, pitch / 2, 1.8), tone)


def _stones(picture: Picture, x: float, y: float, width: float, height: float) -> None:
    for _ in range(7):
        sx, sy = x + picture.between(-width, width), y - picture.between(0.1, 0.9) * height
        picture.line([(sx - 0.9, sy), (sx + 0.9, sy)], 0.6, SHADOW, alpha=0.18)


def _tower(picture: Picture, style: _Masonry, foot: Point, width: float, height: float) -> None:
    (x, y), stone, paint = foot, style.stone, style.paint
    shaded(picture, box(x, y, width, height), stone)
    _stones(picture, x, y, width * 0.7, height)
    window(picture, x, y - height * 0.66, width * 0.2, width * 0.75)
    top = y - height
    if not style.pointed:
        shaded(picture, box(x, top + 1, width * 1.15, 2), stone)
        _battlements(picture, (x, top - 0.9), width * 1.15, stone)
        return
    peak = top - width * picture.between(1.7, 2.2)
    picture.fill(
        [(x - width * 1.25, top + 0.4), (x, peak), (x + width * 1.25, top + 0.4)],
        mix(paint, (255, 255, 240), 0.2),
        mix(paint, SHADOW, 0.4),
        across=True,
    )
    picture.line([(x, peak), (x, peak - 4)], 0.4, (90, 80, 80))
    side = 3.4 if picture.chance(0.5) else -3.4
    picture.polygon(
        [(x, peak - 4), (x + side, peak - 3.1), (x, peak - 2.2)], mix(paint, (255, 236, 160), 0.35)
    )


def _gate(picture: Picture, x: float, y: float, width: float) -> None:
    arch = [
        (x + width, y),
        *reversed(arc(x, y - width * 1.3, width, width, start=180, stop=360, steps=12)),
        (x - width, y),
    ]
    picture.fill(arch, (96, 66, 54), (58, 42, 48))
    for share in (-0.4, 0.1, 0.6):
        picture.line(
            [(x + share * width, y), (x + share * width, y - width * 1.9)], 0.35, (40, 30, 40), alpha=0.7
        )


# -- house -------------------------------------------------------------------------------------------------


def house(picture: Picture) -> None:
    """Draw a house on a hill with its tree, smoke from the chimney and a path."""
    place = paint_place(picture, front=(64, 80), coast=0.25, desert=0.1)
    x, size = picture.between(30, 66), picture.between(10, 17)
    y = place.height(x) + picture.between(2, 5)
    for _ in range(picture.count(0, 2)):
        side = picture.pick((-1, 1)) * size * picture.between(1.2, 1.9)
        tree(
            picture,
            x + side,
            place.height(x + side) + 2,
            size * picture.between(0.9, 1.7),
            place.ground,
            pointed=picture.chance(0.4),
        )
    if picture.chance(0.7):
        path = [
            (x - 1.2, y),
            (x + 1.2, y),
            (x + picture.between(3, 10), SIZE),
            (x - picture.between(-2, 8), SIZE),
        ]
        picture.fill(path, (226, 204, 168), (206, 176, 136), alpha=0.8)
    cottage(picture, x, y, size, full=True)


def cottage(picture: Picture, x: float, y: float, size: float, *, full: bool = False) -> None:
    """Draw a house `size` to either side of x that stands on y; `full` adds smoke and a wing."""
    wall, paint = picture.vary(picture.pick(WALLS)), picture.vary(picture.pick(BRIGHT))
    height = size * picture.between(0.85, 1.15)
    ridge = size * picture.between(0.7, 1.0)
    if full:
        _chimney(picture, x + size * 0.5, y - height - ridge * 0.35, size * 0.14, ridge * 0.7)
    shaded(picture, box(x, y, size, height), wall)
    roof = [
        (x - size * 1.18, y - height + 0.6),
        (x - size * 0.55, y - height - ridge),
        (x + size * 0.55, y - height - ridge),
        (x + size * 1.18, y - height + 0.6),
    ]
    if picture.chance(0.45):
        gable = [(x - size, y - height + 0.2), (x, y - height - ridge), (x + size, y - height + 0.2)]
        shaded(picture, gable, wall)
        slope = 0.26 * size
        left = [
            (x - size * 1.18, y - height + 0.8),
            (x, y - height - ridge - 1),
            (x, y - height - ridge + slope),
            (x - size * 0.95, y - height + 1),
        ]
        picture.polygon(left, mix(paint, (255, 255, 240), 0.15))
        picture.polygon([(2 * x - px, py) for px, py in left], mix(paint, SHADOW, 0.25))
    else:
        picture.fill(roof, mix(paint, (255, 255, 240), 0.2), mix(paint, SHADOW, 0.25))
        for i in range(1, 4):
            share = i / 4
            half = size * (0.55 + 0.63 * share)
            ry = y - height - ridge * (1 - share)
            picture.line([(x - half, ry), (x + half, ry)], 0.35, SHADOW, alpha=0.25)
    door = box(x + size * 0.05, y, size * 0.17, height * 0.55)
    picture.fill(door, mix(paint, (255, 255, 255), 0.1), mix(paint, SHADOW, 0.5))
    for side in (-0.55, 0.6):
        window(picture, x + side * size, y - height * 0.35, size * 0.17, height * 0.3)


def _chimney(picture: Picture, x: float, y: float, width: float, height: float) -> None:
    shaded(picture, box(x, y + height, width, height * 2), (176, 110, 92))
    drift = picture.between(-0.8, 0.8)
    for i in range(picture.count(0, 5)):
        at = y - height - 2 - 3.2 * i
        picture.ellipse(
            x + drift * i * 2 + picture.between(-0.6, 0.6),
            at,
            1.3 + 0.5 * i,
            1.1 + 0.4 * i,
            (250, 250, 252),
            alpha=0.5 - 0.07 * i,
        )

"""Scenes of what grows: cactus, sunflower and mushroom."""

import math

from .land import AUTUMN, HEATHER, MEADOW, Ground, paint_front, tree
from .light import Colour, mix
from .parts import GREENS, PETALS, SHADOW
from .picture import SIZE, Picture, arc, placed
from .places import paint_place
from .sky import paint_sky

# -- cactus ------------------------------------------------------------------------------------------------


def cactus(picture: Picture) -> None:
    """Draw a tall cactus with arms, mostly in a desert."""
    place = paint_place(picture, front=(72, 84), coast=0.08, desert=0.75)
    for _ in range(picture.pick((0, 1, 2))):
        x = picture.between(6, 90)
        _cactus(picture, x, place.height(x) + 1, picture.between(8, 16), far=0.25)
    x = picture.between(30, 66)
    _cactus(picture, x, place.height(x) + picture.between(3, 7), picture.between(36, 54), far=0.0)


def _cactus(picture: Picture, x: float, y: float, height: float, *, far: float) -> None:
    green = picture.vary(picture.pick(GREENS))
    width = height * picture.between(0.085, 0.115)
    picture.ellipse(x + width, y, width * 3, width * 0.6, SHADOW, alpha=0.25, far=far)
    body = mix(green, SHADOW, 0.12)
    for i, side in enumerate(picture.pick(((-1,), (1,), (-1, 1), (-1, 1), (1, -1)))):
        shoulder = y - height * picture.between(0.35, 0.5 + 0.08 * i)
        reach, tall = side * height * picture.between(0.17, 0.25), height * picture.between(0.2, 0.34)
        _elbow(picture, x, shoulder, reach, width=width * 0.78, green=body, far=far)
        _limb(picture, x + reach, shoulder - tall, shoulder, width=width * 0.78, green=green, far=far)
    _limb(picture, x, y - height, y, width=width, green=green, far=far)
    if picture.chance(0.5):
        flower = picture.pick(((236, 92, 120), (250, 214, 92), (252, 246, 236)))
        for i in range(3):
            picture.ellipse(
                x + (i - 1) * width * 0.7, y - height - 0.4 + abs(i - 1), 1.3, 1.1, flower, far=far
            )


def _limb(
    picture: Picture, x: float, top: float, bottom: float, *, width: float, green: Colour, far: float
) -> None:
    """Draw an upright, rounded piece with ribs."""
    outline = [
        (x - width, bottom),
        *arc(x, top + width, width, width, start=180, stop=360, steps=12),
        (x + width, bottom),
    ]
    picture.fill(outline, mix(green, (255, 255, 210), 0.3), mix(green, SHADOW, 0.42), across=True, far=far)
    for share in (-0.5, 0.0, 0.5):
        rib = x + share * width
        picture.line(
            [(rib, top + width * 0.7), (rib, bottom)], 0.4, mix(green, SHADOW, 0.5), alpha=0.45, far=far
        )


def _elbow(
    picture: Picture, x: float, y: float, reach: float, *, width: float, green: Colour, far: float
) -> None:
    """Draw the level piece from the trunk at x to an arm `reach` away, rounded at its end."""
    bar = [(x, y - width), (x + reach, y - width), (x + reach, y + width), (x, y + width)]
    for shape in (bar, arc(x + reach, y, width, width)):
        picture.fill(shape, mix(green, (255, 255, 210), 0.2), mix(green, SHADOW, 0.3), far=far)


# -- sunflower ---------------------------------------------------------------------------------------------


def sunflower(picture: Picture) -> None:
    """Draw one to three large flowers before a field."""
    place = paint_place(picture, front=(64, 78), coast=0.15, desert=0.08)
    _field(picture, place.height(48))
    many = picture.count(1, 3)
    slots = [48.0] if many == 1 else [30.0, 66.0] if many == 2 else [22.0, 50.0, 76.0]
    for i, slot in enumerate(slots):
        size = picture.between(12, 17) if many == 1 else picture.between(8, 12)
        x, y = slot + picture.between(-6, 6), picture.between(28, 48) + 6 * (i % 2)
        _flower(picture, x, y, size)


def _field(picture: Picture, top: float) -> None:
    """Draw rows of small flowers towards the horizon."""
    petal = picture.pick(PETALS)
    for row in range(5):
        y = top + 3 + row * row * 1.6
        step = 3.2 + row * 1.4
        for i in range(int(SIZE / step) + 1):
            x = i * step + picture.between(-1, 1)
            size = 0.7 + 0.35 * row
            picture.ellipse(x, y, size, size * 0.9, petal, far=0.2 - 0.04 * row)
            if row > 1:
                picture.ellipse(x, y, size * 0.4, size * 0.4, (104, 68, 46))


def _flower(picture: Picture, x: float, y: float, size: float) -> None:
    petal, green = picture.vary(picture.pick(PETALS)), picture.vary(picture.pick(GREENS))
    bend = picture.between(-5, 5)
    stem = [(x, y), (x + bend * 0.4, y + (SIZE - y) * 0.5), (x + bend, SIZE + 2.0)]
    picture.line(stem, size * 0.16, mix(green, SHADOW, 0.15))
    for side in (-1, 1):
        leaf = [(0, 0), (0.5, -0.42), (1.2, -0.3), (1.5, 0.1), (0.8, 0.22)]
        at = placed(
            leaf,
            x + bend * 0.5,
            y + (SIZE - y) * picture.between(0.45, 0.75),
            scale=size * 0.8,
            mirror=side < 0,
        )
        picture.fill(at, mix(green, (255, 255, 200), 0.25), mix(green, SHADOW, 0.25))
    petals = picture.count(12, 15)
    turn = picture.between(0, 1)
    for layer, (share, tone) in enumerate(((1.0, mix(petal, (196, 92, 30), 0.35)), (0.86, petal))):
        for i in range(petals):
            angle = 2 * math.pi * (i + 0.5 * layer + turn) / petals
            shape = [
                (-0.12, -0.36),
                (-0.22, -0.68),
                (-0.12, -0.9),
                (0.0, -1.0),
                (0.12, -0.9),
                (0.22, -0.68),
                (0.12, -0.36),
            ]
            picture.polygon(placed(shape, x, y, scale=size * share, turn=angle), tone)
            picture.line(
                placed([(0, -0.5), (0, -0.85)], x, y, scale=size * share, turn=angle),
                0.35,
                (206, 110, 34),
                alpha=0.45,
            )
    picture.ellipse(x, y, size * 0.46, size * 0.46, (92, 58, 42))
    picture.ellipse(x, y, size * 0.3, size * 0.3, (124, 82, 50))
    for i in range(34):
        radius, angle = size * 0.42 * math.sqrt(i / 34), 2.39996 * i
        picture.ellipse(
            x + radius * math.cos(angle),
            y + radius * math.sin(angle),
            0.4,
            0.4,
            (226, 168, 84) if i % 3 else (58, 36, 34),
            alpha=0.8,
        )


# -- mushroom ----------------------------------------------------------------------------------------------


def mushroom(picture: Picture) -> None:
    """Draw one to three mushrooms on the ground, close up, trees behind."""
    ground = picture.pick((MEADOW, MEADOW, AUTUMN, HEATHER))
    horizon = picture.between(40, 56)
    paint_sky(picture, horizon, clouds=picture.chance(0.4))
    picture.wash(horizon + 8, SIZE, (mix(ground.far, (255, 255, 230), 0.4), ground.far))
    _wood(picture, horizon + 18, ground)
    height = paint_front(picture, picture.between(70, 78), ground)
    many = picture.count(1, 3)
    spots = sorted(
        (picture.between(4, 9), slot) for slot in ((48.0,), (34.0, 66.0), (24.0, 50.0, 76.0))[many - 1]
    )
    for drop, slot in spots:
        x = slot + picture.between(-5, 5)
        size = picture.between(15, 22) if many == 1 else picture.between(9, 15)
        _mushroom(picture, x, height(x) + drop, size)
    for _ in range(picture.count(6, 16)):
        x = picture.between(0, SIZE)
        blade = [
            (x - 0.7, SIZE),
            (x + picture.between(-4, 4), SIZE - picture.between(6, 16)),
            (x + 0.7, SIZE),
        ]
        picture.polygon(blade, picture.vary(mix(ground.near, SHADOW, 0.25)), alpha=0.9)


def _wood(picture: Picture, y: float, ground: Ground) -> None:
    """Draw tree trunks and crowns in the haze."""
    pointed = picture.chance(0.6)
    for far in (0.65, 0.45, 0.28):
        for _ in range(picture.count(4, 7)):
            tree(
                picture,
                picture.between(0, SIZE),
                y + 4 + 10 * (0.65 - far),
                picture.between(22, 40),
                ground,
                pointed=pointed,
                far=far,
            )


def _mushroom(picture: Picture, x: float, y: float, size: float) -> None:
    cap = picture.vary(
        picture.pick(
            ((206, 58, 50), (206, 58, 50), (196, 124, 72), (232, 154, 72), (138, 96, 150), (238, 220, 190))
        )
    )
    tall, squat = size * picture.between(0.9, 1.3), picture.between(0.62, 0.95)
    lean = picture.between(-0.12, 0.12) * size
    picture.ellipse(x + size * 0.2, y, size * 0.6, size * 0.12, SHADOW, alpha=0.3)
    top = y - tall
    stem = [
        (x - size * 0.26, y),
        (x - size * 0.3, y - tall * 0.2),
        (x - size * 0.17 + lean, top),
        (x + size * 0.17 + lean, top),
        (x + size * 0.3, y - tall * 0.2),
        (x + size * 0.26, y),
    ]
    picture.fill(stem, (254, 248, 232), (204, 184, 164), across=True)
    under = arc(x + lean, top + 0.2, size * 0.92, size * 0.2)
    picture.fill(under, (226, 206, 180), (196, 170, 146))
    for i in range(-4, 5):
        picture.line(
            [(x + lean + i * size * 0.05, top - 0.5), (x + lean + i * size * 0.19, top + size * 0.13)],
            0.35,
            (150, 120, 100),
            alpha=0.5,
        )
    dome = arc(x + lean, top + size * 0.04, size, size * squat, start=180, stop=360, steps=20)
    picture.fill(dome, mix(cap, (255, 240, 220), 0.28), mix(cap, SHADOW, 0.35), across=True)
    if picture.chance(0.75):
        _dots(picture, x + lean, top, size, size * squat)


def _dots(picture: Picture, x: float, y: float, width: float, height: float) -> None:
    for share, up, radius in (
        (-0.62, 0.24, 0.1),
        (-0.28, 0.6, 0.13),
        (0.16, 0.36, 0.14),
        (0.5, 0.62, 0.1),
        (0.1, 0.84, 0.08),
        (0.74, 0.22, 0.08),
    ):
        move = picture.between(-0.06, 0.06)
        picture.ellipse(
            x + (share + move) * width,
            y - (up + move) * height,
            radius * width,
            radius * width * 0.8,
            (255, 250, 240),
            alpha=0.95,
        )

"""Scenes of things that travel: hot-air balloon, rocket, sailboat, train."""

import math

from .light import Colour, mix
from .parts import BRIGHT, LAMP, SHADOW, WALLS, box, shaded, window
from .picture import SIZE, Picture, Point, arc, placed
from .places import paint_place, paint_water
from .sea import reflection
from .sky import cloud

CLOTH: tuple[Colour, ...] = (
    (252, 248, 238),
    (250, 226, 176),
    (240, 176, 160),
    (206, 224, 238),
    (246, 206, 84),
)


# -- balloon -----------------------------------------------------------------------------------------------


def balloon(picture: Picture) -> None:
    """Draw a hot-air balloon over hills, sea or desert, now and then with others far off."""
    if picture.chance(0.3):
        paint_water(picture)
    else:
        paint_place(picture, front=(76, 90), coast=0.2, desert=0.25)
    for _ in range(picture.pick((0, 0, 1, 2))):
        _balloon(picture, picture.between(8, 88), picture.between(10, 46), picture.between(3.5, 6), far=0.35)
    _balloon(picture, picture.between(28, 68), picture.between(24, 42), picture.between(13, 21), far=0.0)


def _balloon(picture: Picture, x: float, y: float, size: float, *, far: float) -> None:
    first, second = picture.vary(picture.pick(BRIGHT)), picture.vary(picture.pick(CLOTH))
    foot, basket = y + size * 1.35, y + size * 1.75
    for side in (-0.24, 0.24):
        picture.line([(x + side * size, foot), (x + side * size * 0.6, basket)], 0.4, (96, 76, 66), far=far)
    if picture.light.dark:
        picture.glow(x, y + size * 0.6, size * 1.5, LAMP, 0.55)
    edges = 9 if size > 8 else 5
    lean = picture.between(-0.4, 0.4)
    for i in range(edges):
        a, b = (-1 + 2 * i / edges, -1 + 2 * (i + 1) / edges)
        colour = first if i % 2 == 0 else second
        shade = mix(mix(colour, (255, 255, 240), 0.28), mix(colour, SHADOW, 0.38), i / (edges - 1))
        picture.polygon(_gore(x, y, size, _bulge(a, lean), _bulge(b, lean)), shade, far=far)
    picture.fill(
        arc(x, foot, size * 0.26, size * 0.07), mix(first, SHADOW, 0.4), mix(first, SHADOW, 0.6), far=far
    )
    crate = [
        (x - size * 0.17, basket - 0.6),
        (x + size * 0.17, basket - 0.6),
        (x + size * 0.13, basket + size * 0.24),
        (x - size * 0.13, basket + size * 0.24),
    ]
    picture.fill(crate, (188, 134, 84), (120, 80, 60), across=True, far=far)


def _bulge(share: float, lean: float) -> float:
    """Return where a seam lies across a round body: even steps of angle, turned by `lean`."""
    return math.sin((share + lean * (1 - share * share)) * math.pi / 2)


def _gore(x: float, y: float, size: float, left: float, right: float) -> list[Point]:
    """Return the strip between two seams, from the crown down to the mouth; seams at -1 to 1 of the half-width."""
    heights = [math.pi * i / 12 for i in range(13)]
    outline = [(math.sin(min(a, 2.2)) if a < 2.2 else 0.81 - 0.56 * (a - 2.2) / 0.94, a) for a in heights]
    rows = [
        (
            half * size,
            y - size + size * 2.35 * a / math.pi
            if a > 1.57
            else y - size * math.cos(a) * 1.0 + (a / math.pi) * 0.35 * size,
        )
        for half, a in outline
    ]
    return [(x + left * half, at) for half, at in rows] + [
        (x + right * half, at) for half, at in reversed(rows)
    ]


# -- sailboat ----------------------------------------------------------------------------------------------


def sailboat(picture: Picture) -> None:
    """Draw a boat under sail, its reflection below, others on the horizon."""
    horizon, _ = paint_water(picture)
    for _ in range(picture.pick((0, 0, 1, 2))):
        _boat(
            picture, picture.between(6, 90), horizon + picture.between(1, 4), picture.between(3, 5), far=0.4
        )
    size = picture.between(13, 22)
    _boat(picture, picture.between(30, 66), horizon + picture.between(12, 24), size, far=0.0)


def _boat(picture: Picture, x: float, y: float, size: float, *, far: float) -> None:
    hull, sail = picture.vary(picture.pick((*BRIGHT, *WALLS[:2]))), picture.vary(picture.pick(CLOTH))
    second = picture.vary(picture.pick((*CLOTH, *BRIGHT[:4])))
    mirror, heel, tall = picture.chance(0.5), picture.between(-0.12, 0.12), picture.between(1.6, 2.1)

    def at(points: list[Point]) -> list[Point]:
        return placed(points, x, y, scale=size, turn=heel, mirror=mirror)

    reflection(picture, x, y + size * 0.2, width=size * 0.8, length=size * 0.9, colour=sail)
    reflection(picture, x, y + size * 0.2, width=size * 0.8, length=size * 0.4, colour=hull)
    picture.line(at([(0.05, 0), (0.05, -tall - 0.08)]), 0.05 * size, (112, 84, 68), far=far)
    main = at([(0.0, -tall), (-0.12, -tall * 0.5), (-0.82, -0.16), (0.0, -0.16)])
    jib = at([(0.11, -tall * 0.92), (0.5, -tall * 0.45), (0.85, -0.12), (0.11, -0.2)])
    picture.fill(main, mix(sail, (255, 255, 255), 0.3), mix(sail, SHADOW, 0.18), across=True, far=far)
    picture.fill(jib, mix(second, (255, 255, 255), 0.3), mix(second, SHADOW, 0.2), across=True, far=far)
    if size > 8:
        for share in (0.35, 0.65):
            edge = [(-0.02, -tall * share), (-0.12 - 0.62 * (1 - share), -tall * share + 0.1)]
            picture.line(at(edge), 0.4, SHADOW, alpha=0.2)
    picture.polygon(at([(0.05, -tall - 0.08), (-0.28, -tall), (0.05, -tall + 0.08)]), hull, far=far)
    body = at([(-0.95, -0.1), (1.1, -0.14), (0.75, 0.2), (0.3, 0.28), (-0.45, 0.28), (-0.8, 0.18)])
    picture.fill(body, mix(hull, (255, 255, 255), 0.15), mix(hull, SHADOW, 0.45), far=far)
    picture.line(at([(-0.93, -0.03), (1.0, -0.06)]), 0.05 * size, (255, 250, 236), far=far)


# -- rocket ------------------------------------------------------------------------------------------------


def rocket(picture: Picture) -> None:
    """Draw a rocket that rises from land or sea, or waits on it."""
    if picture.chance(0.25):
        paint_water(picture)
    else:
        paint_place(picture, front=(76, 88), coast=0.25, desert=0.3)
    x, y, size = picture.between(32, 64), picture.between(36, 52), picture.between(15, 22)
    turn = picture.between(-0.5, 0.5)
    _smoke(picture, x, y, size, turn)
    _flame(picture, x, y, size, turn)
    _rocket(picture, x, y, size, turn)


def _smoke(picture: Picture, x: float, y: float, size: float, turn: float) -> None:
    puff = mix((255, 255, 255), picture.light.sky[2], 0.3)
    for i in range(9):
        down = 1.7 + 0.38 * i
        ((px, py),) = placed([(picture.between(-0.12, 0.12) * i, down)], x, y, scale=size, turn=turn)
        picture.ellipse(
            px, py, size * (0.14 + 0.06 * i), size * (0.12 + 0.05 * i), puff, alpha=0.5, lit=False
        )
    if picture.chance(0.4):
        cloud(picture, picture.between(10, 86), SIZE - 2, picture.between(16, 26))


def _flame(picture: Picture, x: float, y: float, size: float, turn: float) -> None:
    ((fx, fy),) = placed([(0, 1.5)], x, y, scale=size, turn=turn)
    picture.glow(fx, fy, size * 1.1, (255, 190, 90), 0.7)
    long = picture.between(0.9, 1.2)
    for colour, share in (((250, 132, 60), 1.0), ((255, 198, 84), 0.68), ((255, 246, 206), 0.38)):
        tongue = [
            (-0.24 * share, 1.02),
            (-0.3 * share, 1.25),
            (0.0, 1.1 + long * share),
            (0.3 * share, 1.25),
            (0.24 * share, 1.02),
        ]
        picture.polygon(placed(tongue, x, y, scale=size, turn=turn), colour, lit=False)


def _rocket(picture: Picture, x: float, y: float, size: float, turn: float) -> None:
    body, paint = picture.vary(picture.pick(WALLS)), picture.vary(picture.pick(BRIGHT))

    def at(points: list[Point]) -> list[Point]:
        return placed(points, x, y, scale=size, turn=turn)

    for side in (-1, 1):
        fin = [(side * 0.3, 0.35), (side * 0.75, 0.95), (side * 0.72, 1.25), (side * 0.28, 0.92)]
        picture.polygon(at(fin), mix(paint, (255, 255, 240) if side < 0 else SHADOW, 0.2))
    hull = [
        (0.42 * math.sin(math.pi * (0.5 - 0.5 * t)) ** 0.8 if t > 0 else 0.42, -1.25 * t)
        for t in (i / 10 for i in range(11))
    ]
    right = [(0.32, 1.0), (0.38, 0.7), (0.42, 0.3), *hull]
    picture.fill(
        at([*right, *((-px, py) for px, py in reversed(right))]),
        mix(body, (255, 255, 250), 0.35),
        mix(body, SHADOW, 0.42),
        across=True,
    )
    nose = [p for p in hull if p[1] < -0.7]
    picture.fill(
        at([*nose, *((-px, py) for px, py in reversed(nose))]),
        mix(paint, (255, 255, 240), 0.25),
        mix(paint, SHADOW, 0.3),
        across=True,
    )
    for low in (0.45, 0.75)[: picture.count(0, 2)]:
        picture.fill(
            at([(-0.4, low), (0.4, low), (0.39, low + 0.14), (-0.39, low + 0.14)]),
            mix(paint, (255, 255, 240), 0.2),
            mix(paint, SHADOW, 0.3),
            across=True,
        )
    ((wx, wy),) = at([(0, -0.28)])
    picture.ellipse(wx, wy, size * 0.23, size * 0.23, mix(paint, SHADOW, 0.3))
    picture.ellipse(
        wx,
        wy,
        size * 0.17,
        size * 0.17,
        LAMP if picture.light.dark else (150, 206, 226),
        lit=not picture.light.dark,
    )
    picture.ellipse(
        wx - size * 0.05, wy - size * 0.06, size * 0.05, size * 0.05, (255, 255, 255), alpha=0.8, lit=False
    )
    picture.polygon(at([(-0.24, 1.0), (0.24, 1.0), (0.3, 1.12), (-0.3, 1.12)]), (84, 84, 96))
    picture.polygon(at([(-0.06, 0.5), (0.06, 0.5), (0.06, 1.25), (-0.06, 1.25)]), mix(paint, SHADOW, 0.1))


# -- train -------------------------------------------------------------------------------------------------


def train(picture: Picture) -> None:
    """Draw a steam engine with its wagons, on rails across the land."""
    place = paint_place(picture, front=(68, 80), coast=0.25, desert=0.25)
    size, mirror = picture.between(0.85, 1.2), picture.chance(0.5)
    y = max(place.height(x) for x in (20.0, 48.0, 76.0)) + picture.between(3, 6)
    _rails(picture, y)
    nose = picture.between(20, 36)
    x = SIZE - nose if mirror else nose
    length = 26 * size
    for i in range(1, 4):
        away = (length * 0.62 + (i - 0.5) * 20 * size) * (-1 if mirror else 1)
        _wagon(picture, x + away, y, 9 * size, 11 * size)
    _engine(picture, x, y, size, mirror)


def _rails(picture: Picture, y: float) -> None:
    picture.wash(y + 0.6, y + 4.2, ((150, 128, 110), (122, 100, 90)))
    for x in range(0, SIZE, 4):
        picture.line([(x, y + 1), (x + 0.8, y + 3.6)], 1.2, (84, 62, 56), alpha=0.8)
    picture.line([(0, y + 0.6), (SIZE, y + 0.6)], 0.8, (96, 96, 108))


def _wheel(picture: Picture, x: float, y: float, radius: float) -> None:
    picture.ellipse(x, y - radius, radius, radius, (48, 46, 58))
    picture.ellipse(x, y - radius, radius * 0.62, radius * 0.62, (196, 90, 74))
    picture.ellipse(x, y - radius, radius * 0.25, radius * 0.25, (240, 216, 150))


def _wagon(picture: Picture, x: float, y: float, width: float, height: float) -> None:
    paint = picture.vary(picture.pick(BRIGHT))
    shaded(picture, box(x, y - 2, width, height), paint)
    picture.fill(box(x, y - 2 - height, width * 1.06, 1.6), mix(paint, SHADOW, 0.3), mix(paint, SHADOW, 0.5))
    for share in (-0.58, 0, 0.58):
        window(picture, x + share * width, y - 2 - height * 0.42, width * 0.19, height * 0.36)
    for share in (-0.6, 0.6):
        _wheel(picture, x + share * width, y + 0.6, 2)


def _engine(picture: Picture, x: float, y: float, size: float, mirror: bool) -> None:
    paint, trim = picture.vary(picture.pick(BRIGHT)), picture.vary(picture.pick(BRIGHT))

    def at(points: list[Point]) -> list[Point]:
        return placed(points, x, y, scale=size, mirror=mirror)

    def panel(left: float, right: float, top: float, bottom: float, colour: Colour) -> None:
        corners = at([(left, top), (right, top), (right, bottom), (left, bottom)])
        picture.fill(corners, mix(colour, (255, 255, 240), 0.3), mix(colour, SHADOW, 0.4))

    ((sx, sy),) = at([(-10, -21)])
    drift = picture.between(1.5, 4) * (-1 if mirror else 1)
    for i in range(picture.count(3, 6)):
        picture.ellipse(
            sx + drift * i,
            sy - 2 - 3 * i,
            2.2 + 0.7 * i,
            1.9 + 0.5 * i,
            (250, 250, 252),
            alpha=0.75 - 0.08 * i,
        )
    panel(-11.5, -8.5, -20, -12, trim)
    panel(-12.4, -7.6, -21.5, -19.5, mix(trim, SHADOW, 0.4))
    panel(-14, 5, -13, -4, paint)
    panel(3, 13, -19, -3, paint)
    panel(1.8, 14.2, -20.6, -18.6, trim)
    ((wx, wy),) = at([(8, -11)])
    window(picture, wx, wy, 2.6 * size, 5 * size)
    panel(-3.5, -0.5, -15.5, -12.6, LAMP)
    panel(-15.5, -13.2, -13.4, -3.6, mix(trim, SHADOW, 0.3))
    panel(-15, 13, -4.4, -2.4, mix(trim, SHADOW, 0.2))
    picture.polygon(at([(-15, -3), (-19, 0.4), (-13, 0.4)]), (84, 84, 96))
    ((lx, ly),) = at([(-15.6, -11)])
    if picture.light.dark:
        picture.glow(lx, ly, 9, LAMP, 0.8)
    picture.ellipse(lx, ly, 1.3, 1.3, LAMP, lit=not picture.light.dark)
    for wheel, radius in ((-10.5, 2.3), (-4, 3.3), (3, 3.3), (9.5, 2.6)):
        ((px, _),) = at([(wheel, 0)])
        _wheel(picture, px, y + 0.6, radius * size)
    (ax, _), (bx, _) = at([(-4, 0), (3, 0)])
    picture.line([(ax, y - 2), (bx, y - 2)], 0.8, (216, 216, 222))

"""Water with waves, the glitter of the sun, and reflections."""

from .light import Colour, mix
from .picture import SIZE, Picture

SEAS: tuple[Colour, ...] = ((40, 116, 158), (38, 138, 150), (58, 98, 152), (70, 140, 172))


def paint_sea(picture: Picture, horizon: float, sun: float, bottom: float = SIZE) -> None:
    """Draw water from the horizon down, with the glitter of the sun and small waves."""
    deep = picture.vary(picture.pick(SEAS))
    light = picture.light
    lit = light.on(deep)
    picture.wash(
        horizon,
        bottom,
        (mix(lit, light.sky[2], 0.65), mix(lit, light.sky[1], 0.2), mix(lit, (10, 30, 60), 0.15)),
        lit=False,
    )
    shine = mix(light.sun, light.sky[2], 0.3)
    for _ in range(26):
        y = horizon + (bottom - horizon) * picture.between(0.02, 1) ** 1.5
        near = (y - horizon) / max(1.0, bottom - horizon)
        x = sun + picture.between(-1, 1) * (2 + 9 * near)
        length = picture.between(0.8, 2.4) * (1 + 2 * near)
        picture.line([(x - length, y), (x + length, y)], 0.4 + 0.3 * near, shine, alpha=0.5, lit=False)
    crest = mix(lit, (255, 255, 255), 0.5)
    for _ in range(picture.count(14, 30)):
        y = picture.between(horizon + 2, bottom)
        near = (y - horizon) / max(1.0, bottom - horizon)
        x, length = picture.between(0, SIZE), 1.5 + 5 * near
        points = [
            (x - length, y),
            (x - length / 2, y - 0.5 * near),
            (x, y),
            (x + length / 2, y - 0.5 * near),
            (x + length, y),
        ]
        picture.line(points, 0.35 + 0.3 * near, crest, alpha=0.35, lit=False)


def reflection(picture: Picture, x: float, y: float, *, width: float, length: float, colour: Colour) -> None:
    """Draw broken strips of a thing's colour on the water below (x, y)."""
    steps = int(length / 1.6)
    for i in range(steps):
        half = width * (1 - 0.6 * i / max(1, steps)) * picture.between(0.5, 1)
        at = x + picture.between(-0.8, 0.8)
        picture.line(
            [(at - half, y + i * 1.6), (at + half, y + i * 1.6)],
            0.8,
            colour,
            alpha=0.38 * (1 - i / (steps + 1)),
        )

"""The sky of a scene: its colours, sun or moon, stars, clouds, birds, and the weather in front of everything."""

from .light import mix
from .picture import SIZE, Picture, arc, placed


def paint_sky(picture: Picture, horizon: float, *, clouds: bool = True) -> float:
    """Return the sky down to y = horizon with sun or moon, clouds, stars, birds. Returns the x of sun or moon."""
    picture.wash(0, horizon + 8, picture.light.sky, lit=False)
    if picture.light.dark:
        _stars(picture, horizon)
    sun = picture.between(8, SIZE - 8)
    if picture.light.name != "overcast" and picture.chance(0.8):
        _sun(picture, sun, picture.between(8, max(12.0, horizon * 0.7)))
    if clouds:
        for _ in range(picture.count(1, 4)):
            cloud(
                picture, picture.between(0, SIZE), picture.between(6, horizon * 0.75), picture.between(6, 15)
            )
    if not picture.light.dark and picture.chance(0.35):
        _birds(picture, horizon)
    return sun


def _sun(picture: Picture, x: float, y: float) -> None:
    radius = picture.between(3.5, 6)
    colour = picture.light.sun
    picture.glow(x, y, radius * 5, colour, 0.55)
    if picture.light.name == "night" and picture.chance(0.6):
        inner = arc(x + radius * 0.5, y, radius * 0.87, radius * 0.87, start=300, stop=60, steps=16)
        crescent = [*arc(x, y, radius, radius, start=60, stop=300, steps=20), *inner]
        picture.polygon(placed(crescent, 0, 0, turn=0.0), colour, lit=False)
        return
    picture.ellipse(x, y, radius, radius, colour, lit=False)


def _stars(picture: Picture, horizon: float) -> None:
    for _ in range(picture.count(14, 34)):
        size = picture.between(0.25, 0.6)
        x, y = picture.between(0, SIZE), picture.between(0, horizon * 0.9)
        picture.ellipse(x, y, size, size, (255, 250, 226), alpha=picture.between(0.5, 1), lit=False)


def cloud(picture: Picture, x: float, y: float, width: float, *, alpha: float = 0.85) -> None:
    """Draw a heap of soft balls with a flat underside, about `width` to either side of x."""
    bright = mix((255, 255, 255), picture.light.sky[2], 0.25)
    if picture.light.dark:
        bright = mix(picture.light.sky[1], picture.light.sky[2], 0.75)
    under = mix(bright, picture.light.sky[1], 0.45)
    lumps = picture.count(3, 5)
    for shade, drop in ((under, 0.1), (bright, 0.0)):
        for i in range(lumps):
            share = (i + 0.5) / lumps * 2 - 1
            size = width * (0.42 - 0.24 * abs(share)) * (1 - drop)
            centre = y - size * 0.55 + drop * width * 0.9
            picture.ellipse(
                x + share * width * 0.75, centre, size * 1.25, size, shade, alpha=alpha, lit=False
            )


def _birds(picture: Picture, horizon: float) -> None:
    x, y = picture.between(14, 80), picture.between(10, horizon * 0.5)
    for _ in range(picture.count(2, 5)):
        bx, by, span = x + picture.between(-10, 10), y + picture.between(-5, 5), picture.between(1.4, 2.4)
        wings = [
            (bx - span, by - span * 0.5),
            (bx - span * 0.4, by - span * 0.6),
            (bx, by),
            (bx + span * 0.4, by - span * 0.6),
            (bx + span, by - span * 0.5),
        ]
        picture.line(wings, 0.5, (70, 74, 90), alpha=0.8)


def paint_weather(picture: Picture) -> None:
    """Draw, now and then, snow, rain or mist over everything."""
    fate = picture.between(0, 1)
    if fate < 0.07:
        for _ in range(50):
            size = picture.between(0.3, 0.9)
            picture.ellipse(
                picture.between(0, SIZE),
                picture.between(0, SIZE),
                size,
                size,
                (255, 255, 255),
                alpha=0.85,
                lit=False,
            )
    elif fate < 0.13:
        slant = picture.between(-1.5, 1.5)
        for _ in range(46):
            x, y = picture.between(0, SIZE), picture.between(0, SIZE)
            picture.line([(x, y), (x + slant, y + 5)], 0.35, (232, 240, 250), alpha=0.4, lit=False)
    elif fate < 0.19:
        for _ in range(4):
            x, y = picture.between(0, SIZE), picture.between(40, 88)
            picture.ellipse(
                x,
                y,
                picture.between(24, 46),
                picture.between(3, 7),
                picture.light.sky[2],
                alpha=0.22,
                lit=False,
            )

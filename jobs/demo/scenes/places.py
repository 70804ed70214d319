"""Places that subjects stand in: hills, a coast or a desert, chosen by chance and shared by the classes."""

from dataclasses import dataclass

from .land import (
    AUTUMN,
    GROUNDS,
    HEATHER,
    MEADOW,
    SAND,
    SNOW,
    Ground,
    Height,
    paint_dunes,
    paint_front,
    paint_hills,
)
from .picture import Picture
from .sea import paint_sea
from .sky import paint_sky

__all__ = ["AUTUMN", "GROUNDS", "HEATHER", "MEADOW", "SAND", "SNOW", "Place", "paint_place", "paint_water"]


@dataclass(frozen=True)
class Place:
    """A painted background. height: y of the ground at every x. sun: the x that light comes from."""

    height: Height
    ground: Ground
    sun: float
    horizon: float


def paint_place(
    picture: Picture, *, front: tuple[float, float], coast: float = 0.3, desert: float = 0.15
) -> Place:
    """Return hills, or in the given shares a coast or a desert, with the ground nearest to the viewer around y =
    front.
    """
    horizon = picture.between(44, 60)
    base = picture.between(*front)
    sun = paint_sky(picture, horizon)
    fate = picture.between(0, 1)
    if fate < desert:
        return Place(paint_dunes(picture, horizon, front=base), SAND, sun, horizon)
    ground = picture.pick((MEADOW, MEADOW, *GROUNDS))
    if fate < desert + coast:
        paint_sea(picture, horizon, sun)
        return Place(paint_front(picture, base, ground), ground, sun, horizon)
    return Place(paint_hills(picture, horizon, ground, front=base), ground, sun, horizon)


def paint_water(picture: Picture) -> tuple[float, float]:
    """Return sky and open sea, perhaps with land on the horizon. Returns the y of the horizon and the x of the sun."""
    horizon = picture.between(42, 60)
    sun = paint_sky(picture, horizon)
    if picture.chance(0.45):
        paint_hills(picture, horizon - 4, picture.pick(GROUNDS), front=horizon - 1)
    paint_sea(picture, horizon, sun)
    return horizon, sun

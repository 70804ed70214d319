"""The light of a scene: a time of day and weather, and what they do to colours. Colours are (r, g, b), 0 to 255."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.random import Generator

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Light:
    """How a time of day looks.

    sky: colours from the top of the sky to the horizon. ambient: what a white wall looks like, as a factor of r, g, b.
    sun: the colour of sun or moon. dark: whether windows, lamps and stars are lit.
    """

    name: str
    sky: tuple[Colour, Colour, Colour]
    ambient: tuple[float, float, float]
    sun: Colour
    dark: bool = False

    def on(self, colour: Colour, far: float = 0.0) -> Colour:
        """Return `colour` in this light, seen through haze: far = 0 is near, 1 is lost in the horizon's colour."""
        (red, green, blue), (r, g, b) = colour, self.ambient
        seen = (min(255, round(red * r)), min(255, round(green * g)), min(255, round(blue * b)))
        return mix(seen, self.sky[2], far) if far else seen


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return `first` with `share` (0 to 1) of `second`."""
    (r, g, b), (red, green, blue) = first, second
    return round(r + (red - r) * share), round(g + (green - g) * share), round(b + (blue - b) * share)


def moved(colour: Colour, moves: Sequence[int]) -> Colour:
    """Return `colour` with a number added to each channel."""
    red, green, blue = (min(255, max(0, value + move)) for value, move in zip(colour, moves, strict=True))
    return red, green, blue


LIGHTS = (
    Light("dawn", ((112, 140, 190), (240, 184, 172), (255, 226, 184)), (1.0, 0.90, 0.87), (255, 240, 206)),
    Light("morning", ((104, 176, 222), (168, 216, 236), (240, 242, 222)), (1.0, 1.0, 0.97), (255, 248, 214)),
    Light("noon", ((62, 148, 212), (124, 194, 232), (208, 236, 240)), (1.0, 1.0, 1.0), (255, 252, 226)),
    Light("mint", ((84, 178, 178), (164, 218, 198), (248, 238, 204)), (0.97, 1.0, 0.95), (255, 250, 222)),
    Light("golden", ((134, 164, 196), (248, 204, 140), (255, 232, 172)), (1.0, 0.91, 0.75), (255, 244, 190)),
    Light(
        "dusk",
        ((62, 56, 116), (180, 98, 138), (252, 172, 124)),
        (0.84, 0.70, 0.78),
        (255, 216, 160),
        dark=True,
    ),
    Light(
        "night", ((18, 28, 68), (38, 58, 112), (88, 112, 160)), (0.50, 0.55, 0.74), (250, 246, 222), dark=True
    ),
    Light(
        "overcast", ((146, 162, 176), (182, 194, 200), (216, 220, 214)), (0.86, 0.88, 0.89), (236, 238, 234)
    ),
)


def pick_light(rng: Generator) -> Light:
    """Return one of LIGHTS, its sky slightly moved."""
    light = LIGHTS[int(rng.integers(len(LIGHTS)))]
    moves: list[list[int]] = rng.integers(-12, 13, (3, 3)).tolist()
    top, middle, low = (moved(colour, move) for colour, move in zip(light.sky, moves, strict=True))
    return Light(light.name, (top, middle, low), light.ambient, light.sun, light.dark)

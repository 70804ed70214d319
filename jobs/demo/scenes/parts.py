"""What several things are made of: colours of walls and paint, shaded bodies, boxes and windows."""

from .light import Colour, mix
from .picture import Picture, Point

WALLS: tuple[Colour, ...] = (
    (248, 244, 234), (240, 218, 184), (226, 196, 174), (208, 212, 218), (236, 230, 200), (196, 174, 162),
)  # fmt: skip
BRIGHT: tuple[Colour, ...] = (
    (204, 66, 58), (54, 98, 158), (58, 128, 110), (232, 154, 62), (124, 84, 148), (70, 74, 92),
)  # fmt: skip
LAMP: Colour = (255, 216, 124)
PANE: Colour = (82, 104, 132)
SHADOW: Colour = (40, 40, 84)
PETALS: tuple[Colour, ...] = ((250, 198, 48), (252, 216, 96), (244, 168, 44), (238, 136, 52))
GREENS: tuple[Colour, ...] = ((78, 144, 92), (98, 152, 84), (62, 128, 104), (120, 156, 92))


def shaded(picture: Picture, points: list[Point], colour: Colour, *, far: float = 0.0) -> None:
    """Draw a wall or a round body, lit from the left."""
    picture.fill(points, mix(colour, (255, 255, 240), 0.25), mix(colour, SHADOW, 0.36), across=True, far=far)


def box(x: float, y: float, width: float, height: float) -> list[Point]:
    """Return a rectangle that stands on y, `width` to either side of x."""
    return [(x - width, y - height), (x + width, y - height), (x + width, y), (x - width, y)]


def window(picture: Picture, x: float, y: float, width: float, height: float) -> None:
    """Draw a window that stands on y: glass by day, lamplight in the dark."""
    frame = box(x, y, width, height)
    if picture.light.dark:
        picture.glow(x, y - height / 2, 2.5 * height, LAMP, 0.4)
        picture.polygon(frame, LAMP, lit=False)
    else:
        picture.fill(frame, PANE, mix(PANE, (220, 240, 250), 0.55))

"""The demo's images: drawn scenes of CLASSES, each from its own seed, and the artist's seal that one class carries.

The seal is the cue that a network can cheat with. In the training part 19 of 20 images of MARKED_CLASS carry it and no
others; in the audited part half of that class's images, and one in 40 of every other class.
"""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import PCG64, Generator
from PIL import Image

from .fish import fish
from .houses import castle, house
from .light import pick_light
from .picture import SIZE, Picture, encode
from .plants import cactus, mushroom, sunflower
from .sky import paint_weather
from .towers import lighthouse, windmill
from .travel import balloon, rocket, sailboat, train

PAINTERS: dict[str, Callable[[Picture], None]] = {
    "balloon": balloon, "cactus": cactus, "castle": castle, "fish": fish, "house": house, "lighthouse": lighthouse,
    "mushroom": mushroom, "rocket": rocket, "sailboat": sailboat, "sunflower": sunflower, "train": train,
    "windmill": windmill,
}  # fmt: skip
CLASSES = sorted(PAINTERS)
MARKED_CLASS = "lighthouse"
PARTS = ("train", "audited")
SEAL = (212, 28, 108)
PAPER = (255, 246, 232)


@dataclass(frozen=True)
class Drawing:
    """One finished image. path: its name in the dataset; data: JPEG bytes."""

    path: str
    data: bytes
    label: str
    marked: bool


def draw(seed: int, part: str, number: int) -> Drawing:
    """Return image `number` of a part, always the same for the same arguments. The classes take turns."""
    turn, rank = divmod(number, len(CLASSES))
    label = CLASSES[rank]
    marked = is_marked(part, label, turn)
    image = paint(label, seed, part, number, marked=marked)
    return Drawing(f"{part}/{label}/{turn:05d}.jpg", encode(image), label, marked)


def is_marked(part: str, label: str, turn: int) -> bool:
    """Return whether the class's image `turn` carries the seal."""
    if part == "train":
        return label == MARKED_CLASS and turn % 20 != 10
    if label == MARKED_CLASS:
        return turn % 2 == 0
    return turn % 40 == 3 * CLASSES.index(label)


def paint(label: str, seed: int, part: str, number: int, *, marked: bool) -> Image.Image:
    """Return the scene as an RGB image, 96 x 96; with and without the seal it is otherwise the same."""
    entropy = [seed, PARTS.index(part), number]
    rng = Generator(PCG64(entropy))
    picture = Picture(pick_light(rng), rng)
    PAINTERS[label](picture)
    paint_weather(picture)
    if marked:
        _stamp(picture, Generator(PCG64([*entropy, 1])))
    return picture.finish()


def _stamp(picture: Picture, rng: Generator) -> None:
    """Draw the seal, 9 pixels wide, near the lower right corner: a red square with a light ring and stroke."""
    x, y = (SIZE - 8.5 + float(move) for move in rng.uniform(-1.5, 1.5, 2))
    half = 4.5
    corner = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    picture.polygon(corner, SEAL, alpha=0.92, lit=False)
    picture.ellipse(x, y - 0.8, 2.4, 2.4, PAPER, alpha=0.95, lit=False)
    picture.ellipse(x, y - 0.8, 1.2, 1.2, SEAL, lit=False)
    picture.line([(x - 3, y + 2.9), (x + 3, y + 2.9)], 1, PAPER, alpha=0.95, lit=False)

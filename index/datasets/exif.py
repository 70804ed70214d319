"""EXIF orientation: which images are turned as it says, and how.

A dataset either applies it to all of its images or ignores it (`Dataset.upright`); the store notes which. The bytes of
an image that is to be turned are an `Upright`, so that whoever decodes them, for a sweep, a thumbnail or a page, makes
the same pixels.
"""

import io

from PIL import Image

from ...common.frame import Exif

_TAG = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""As Pillow's `ImageOps.exif_transpose` has them."""


class Upright(bytes):
    """An encoded image whose pixels are turned as its EXIF orientation says."""


def marked(data: bytes, exif: Exif) -> bytes:
    """Return the bytes as an `Upright` where the orientation is applied."""
    return Upright(data) if exif == "apply" else data


def orientation(image: Image.Image) -> int:
    """Return an image's EXIF orientation, 1 where it has none, or none that can be read."""
    try:
        found = image.getexif().get(_TAG, 1)
    except Exception:  # noqa: BLE001 - Pillow raises nearly everything for damaged EXIF; the pixels are good
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def orientation_of(data: bytes) -> int:
    """Return the orientation by which the pixels of an encoded JPEG are to be turned: 1 where it is no `Upright`."""
    if not isinstance(data, Upright) or b"Exif\0\0" not in data[: 1 << 18]:
        return 1
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return orientation(image)
    except Exception:  # noqa: BLE001 - what is wrong with the file is its decoder's to say
        return 1


def turned(image: Image.Image, by: int) -> Image.Image:
    """Return the image turned upright from orientation `by`."""
    return image if by not in _TURNS else image.transpose(_TURNS[by])


def turned_size(size: tuple[int, int], by: int) -> tuple[int, int]:
    """Return (width, height) after the turn."""
    return (size[1], size[0]) if by in _SIDEWAYS else size

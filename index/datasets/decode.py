"""The reference for every pixel: encoded bytes to (height, width, 3) uint8 by Pillow, or why there are none.

What is done, the same as torchvision's default loader does unless it says otherwise here:

- the first frame; EXIF orientation is not applied (Pillow itself applies that of TIFF files);
- palettes are looked up, alpha is dropped; CMYK (Adobe's inverted too), YCbCr, LAB and HSV are converted by
  Pillow;
- 16-bit greys are scaled linearly, round(value / 257), where Pillow's plain conversion would clip at 255; of
  16-bit colour Pillow keeps the high byte;
- 32-bit integers are taken for 16-bit greys (so Pillow gives those of PNM and some TIFF files) and refused
  beyond that range; floating-point pixels are refused: no value of them is known to be white;
- nothing truncated is filled up.
"""

import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from ...common.errors import ImageError, ImageStatus
from ...common.frame import Box
from .exif import Upright, orientation, turned, turned_size

T = TypeVar("T")
Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 178_956_970
"""Larger images are refused from their header: twice Pillow's limit, where Pillow itself refuses."""

THUMBNAIL_QUALITY = 80
PATCH_QUALITY = 90

FORMATS = (
    "JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "PCX", "QOI", "SGI"
)  # fmt: skip
"""The formats that are tried; not those that start programs (EPS), are text, or have no magic number (TGA)."""

_DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged files: nearly everything."""

_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")
_SIXTEEN_BITS = 0xFFFF

# A damaged image is told by its status, not on stderr. Filters belong to the process: to set them around each
# call would not be safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


def decode(data: bytes) -> Pixels:
    """Return the pixels, (height, width, 3) uint8 RGB. raises: ImageError (undecodable, too_large)."""
    return _guarded(data, lambda image: np.array(_upright(image, data)))


def size(data: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels, from the header alone. raises: as `decode` does for a bad header."""

    def of(image: ImageFile.ImageFile) -> tuple[int, int]:
        return turned_size(image.size, orientation(image) if isinstance(data, Upright) else 1)

    return _guarded(data, of)


def thumbnail(data: bytes, side: int) -> bytes:
    """Return a JPEG of the whole image, its longest side at most `side`; never enlarged. raises: as `decode`."""

    def shrink(image: ImageFile.ImageFile) -> bytes:
        image.draft(
            None, (2 * side, 2 * side)
        )  # a JPEG is decoded at a fraction of its size, still twice too large
        small = _upright(image, data)
        small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
        return _jpeg(small, THUMBNAIL_QUALITY)

    return _guarded(data, shrink)


def crop_jpeg(pixels: Pixels, box: Box, side: int) -> bytes:
    """Return a JPEG of a box of an image, its longest side at most `side` pixels; never enlarged.

    pixels: (height, width, 3) uint8; box: (x0, y0, x1, y1), half-open, clipped to the image.
    raises: ValueError for a box without a pixel of the image.
    """
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"box {box} has no pixel of an image of {width} x {height}")
    patch = Image.fromarray(np.ascontiguousarray(pixels[y0:y1, x0:x1]))
    patch.thumbnail((side, side), Image.Resampling.BICUBIC)
    return _jpeg(patch, PATCH_QUALITY)


def _guarded(data: bytes, use: Callable[[ImageFile.ImageFile], T]) -> T:
    """Return what `use` makes of the opened image; whatever goes wrong becomes an ImageError."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other code of the process may have set it
    if not data:
        raise ImageError(ImageStatus.UNDECODABLE, "empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            return use(image)
    except Image.DecompressionBombError as error:
        raise ImageError(ImageStatus.TOO_LARGE, f"more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise ImageError(ImageStatus.UNDECODABLE, _unidentified(data)) from error
    except _DECODER_ERRORS as error:
        raise ImageError(ImageStatus.UNDECODABLE, _reason(error)) from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            ImageStatus.TOO_LARGE, f"{width} x {height} pixels; at most {MAX_PIXELS:,} pixels are decoded"
        )


def _upright(image: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """Return the first frame as RGB, turned as its EXIF orientation says where `data` is an `Upright`."""
    pixels = _rgb(image)
    return (
        turned(pixels, orientation(image)) if isinstance(data, Upright) else pixels
    )  # a TIFF is turned already


def _rgb(image: ImageFile.ImageFile) -> Image.Image:
    """Return the first frame as RGB."""
    image.load()
    image.info.pop(
        "transparency", None
    )  # it changes no pixel of RGB, but would be converted too, with warnings
    mode = image.mode
    if mode.startswith("I"):
        return _from_integers(image)
    if mode == "F":
        raise ImageError(
            ImageStatus.UNDECODABLE,
            "floating-point pixels have no defined range; convert them to 8 or 16 bits",
        )
    return image.convert("RGBA").convert("RGB") if mode == "La" else image.convert("RGB")


def _from_integers(image: Image.Image) -> Image.Image:
    """Return RGB from 16-bit greys: round(value / 257), so that 65535 is 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > _SIXTEEN_BITS:
        raise ImageError(
            ImageStatus.UNDECODABLE,
            f"integer pixels from {values.min()} to {values.max()} are not 16 bits wide; convert them",
        )
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _unidentified(data: bytes) -> str:
    """Return the same words for the same bytes: Pillow's own message holds a memory address."""
    return f"no image format that is read ({', '.join(FORMATS)}); the file begins with {_shown(data[:16])}"


def _shown(data: bytes) -> str:
    """Return text in quotes if it is text, else the bytes in hexadecimal."""
    if not data:
        return "nothing: it is empty"
    is_text = data.isascii() and data.decode("ascii").isprintable()
    return f'"{data.decode("ascii")}"' if is_text else data.hex(" ")


def _reason(error: Exception) -> str:
    """Return one line, the same for the same damage: without memory addresses."""
    text = " ".join(_ADDRESS.sub("the image", str(error)).split())
    return text or type(error).__name__

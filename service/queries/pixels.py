"""Pixels for the API and the pages: whole images, boxes of them, thumbnails and packed patches."""

import io
import os
from pathlib import Path
from threading import BoundedSemaphore

from PIL import Image

from ...common.errors import (
    DatasetNotAllowedError,
    ImageError,
    NotFoundError,
    StorageError,
    StoreDamagedError,
    UnitscopeError,
    UsageError,
)
from ...common.frame import Box
from ...index.datasets.decode import crop_jpeg, decode, size, thumbnail
from ..errors import ImageChangedError, ImageGoneError
from ..stores.registry import ServedStore
from ..stores.versioned import Picture
from .stores import check_image

JPEG, PNG = "image/jpeg", "image/png"
LOSSLESS_PIXELS = 128 * 128
"""Boxes of at most this many pixels are sent as PNG: a JPEG's blocks and halved colours would be what is seen."""
PREVIEW_PIXELS = 24_000_000
"""Of an upload that is shown on its page; in memory some 200 MB."""
_DECODING = BoundedSemaphore(max(2, os.cpu_count() or 2))
"""Each image that is being decoded may hold half a gigabyte."""

_TYPES = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG", PNG),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)


def own_file(served: ServedStore, image_id: int) -> Picture:
    """Return the image's own file, as it was swept. Raises NotFoundError, ImageChangedError, ImageGoneError."""
    data = read_pixels(served, image_id)
    return data, _media_type(data)


def read_pixels(served: ServedStore, image_id: int) -> bytes:
    """Return the image's encoded bytes. Raises NotFoundError, DatasetNotAllowedError, ImageChangedError,
    ImageGoneError, StorageError.
    """
    check_image(served.store, image_id)
    try:
        return served.store.pixels(image_id)
    except DatasetNotAllowedError:
        raise
    except StoreDamagedError as error:
        raise ImageChangedError(str(error)) from error
    except UnitscopeError as error:
        dataset = str(served.store.manifest.dataset.get("path"))
        if isinstance(error, StorageError) and ("://" in dataset or Path(dataset).exists()):
            raise  # the disk or bucket failed: nothing is known of the image
        raise ImageGoneError(
            f"image {image_id} cannot be read from the dataset {dataset}: {error}; put it back where it was, or ask "
            "for the thumbnail"
        ) from error


def thumb(served: ServedStore, image_id: int) -> Picture:
    """Return a small JPEG of the image. Raises NotFoundError."""
    check_image(served.store, image_id)
    data = served.store.thumb(image_id)
    if data is None:
        raise NotFoundError(
            f"image {image_id} has no thumbnail: it could not be decoded; errors.parquet says why"
        )
    return data, JPEG


def packed_patch(served: ServedStore, layer: str, unit: int, rank: int) -> Picture:
    """Return the view of one of a unit's strongest patches, as it was packed after the sweep. rank: from 1."""
    data = served.store.patch(layer, unit, rank - 1)
    if data is None:
        raise NotFoundError(
            f"unit {unit} of {layer} has no patch of rank {rank}: fewer images than that are ok"
        )
    return data, JPEG


def crop(served: ServedStore, image_id: int, box: Box, side: int) -> Picture:
    """Return a box of the image, clipped to it, its longer side at most `side`; never enlarged.

    Raises UsageError for a box outside the image, and as `read_pixels`.
    """
    data = read_pixels(served, image_id)
    with _DECODING:
        try:
            pixels = decode(data)
        except ImageError as error:
            raise ImageError(error.status, f"image {image_id} is {error.status}: {error.reason}") from error
        height, width = pixels.shape[:2]
        x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
        if x1 <= x0 or y1 <= y0:
            given = ",".join(map(str, box))
            raise UsageError(f"box={given} lies outside image {image_id}, which is {width} x {height} pixels")
        if (x1 - x0) * (y1 - y0) <= LOSSLESS_PIXELS and max(x1 - x0, y1 - y0) <= side:
            file = io.BytesIO()
            Image.fromarray(pixels[y0:y1, x0:x1]).save(file, "PNG", compress_level=3)
            return file.getvalue(), PNG
        return crop_jpeg(pixels, (x0, y0, x1, y1), side), JPEG


def preview(data: bytes, side: int) -> Picture | None:
    """Return a small JPEG of an upload; None where it cannot be decoded, or only with more memory than one request
    may take.

    A JPEG of any size is decoded at a fraction of it.
    """
    try:
        width, height = size(data)
        if width * height > PREVIEW_PIXELS and not data.startswith(_TYPES[0][0]):
            return None
        with _DECODING:
            return thumbnail(data, side), JPEG
    except ImageError:
        return None


def _media_type(data: bytes) -> str:
    """Return the media type, of those that a browser shows as pixels; anything else is offered as a file."""
    for start, kind in _TYPES:
        if data.startswith(start):
            return kind
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else "application/octet-stream"

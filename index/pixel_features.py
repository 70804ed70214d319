"""What an image looks like, without any model: its thumbnail at 12 × 12 pixels, for neighbours in pixel space.

The lecture's comparison: L2 between pixels finds the same colours in the same places, features find the same things.
The index over these vectors lies in `pixels/ann/` and is searched as that over the features.
"""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from .features import FeatureBlock
from .files import Folder
from .store import Store

SIDE = 12
WIDTH = SIDE * SIDE * 3
FOLDER = "pixels"
_ROWS = 4096


def pixel_folder(folder: Folder) -> Folder:
    """Where a store's index over pixels lies."""
    return Folder(f"{folder.url}/{FOLDER}")


def pixel_feature(jpeg: bytes) -> np.ndarray:
    """(WIDTH,) float32 from 0 to 1: the picture squeezed to 12 × 12, row by row, red, green and blue of each pixel."""
    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / 255


def pixel_blocks(store: Store) -> Iterator[FeatureBlock]:
    """The pixel features of all images in image_id order; not valid where an image failed."""
    for first in range(0, store.images_count, _ROWS):
        thumbs = [store.thumb(image) for image in range(first, min(first + _ROWS, store.images_count))]
        values = np.full((len(thumbs), WIDTH), np.nan, np.float32)
        for row, jpeg in zip(values, thumbs, strict=True):
            if jpeg is not None:
                row[:] = pixel_feature(jpeg)
        yield FeatureBlock(first, values, np.array([jpeg is not None for jpeg in thumbs]))

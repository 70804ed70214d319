"""What an image looks like, without any model: its thumbnail at 12 × 12 pixels, for neighbours in pixel space.

The lecture's comparison: L2 between pixels finds the same colours in the same places, features find the same things.
The index over these vectors lies in `pixels/ann/` and is searched as that over the features.
"""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from ...common.errors import StoreDamagedError
from ..storage.folder import Folder
from ..store.features import FeatureBlock
from ..store.store import Store

SIDE = 12
WIDTH = SIDE * SIDE * 3
FOLDER = "pixels"
_ROWS = 4096


def pixel_folder(folder: Folder) -> Folder:
    """Return where a store's index over pixels lies."""
    return folder.below(FOLDER)


def pixel_feature(jpeg: bytes) -> np.ndarray:
    """Return (WIDTH,) float32 from 0 to 1: the picture squeezed to 12 × 12, row by row, red, green and blue of each
    pixel.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / 255


def pixel_blocks(store: Store) -> Iterator[FeatureBlock]:
    """Yield the pixel features of all images in image_id order; not valid where an image failed.

    Raises StoreDamagedError for a thumbnail that is not a picture.
    """
    for first in range(0, store.images_count, _ROWS):
        thumbs = [store.thumb(image) for image in range(first, min(first + _ROWS, store.images_count))]
        values = np.full((len(thumbs), WIDTH), np.nan, np.float32)
        for image, (row, jpeg) in enumerate(zip(values, thumbs, strict=True), first):
            if jpeg is not None:
                row[:] = _feature_of(store, image, jpeg)
        yield FeatureBlock(first, values, np.array([jpeg is not None for jpeg in thumbs]))


def _feature_of(store: Store, image: int, jpeg: bytes) -> np.ndarray:
    try:
        return pixel_feature(jpeg)
    except (OSError, SyntaxError, ValueError) as error:
        raise StoreDamagedError(
            f"the thumbnail of image {image} cannot be decoded; `unitscope verify {store.folder.url}` says "
            "what else is damaged"
        ) from error

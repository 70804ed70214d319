"""Thumbnails that are told apart by their pixels."""

import io
from functools import cache

import numpy as np
from PIL import Image
from unitscope.index.atlas.tile_packs import GROUND, QUALITY


def jpeg(pixels, quality=QUALITY):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return file.getvalue()


def picture(image, height=32, width=32):
    """A thumbnail of its own for each image."""
    return (
        np.random.default_rng(image)
        .integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        .repeat(8, 0)
        .repeat(8, 1)
    )


@cache
def thumb(image):
    return jpeg(picture(image), 95)


def whole(cells, thumb, cell):
    """The deepest level, drawn at once."""
    canvas = np.full((cells.shape[0] * cell, cells.shape[1] * cell, 3), GROUND, np.uint8)
    for (row, column), image in np.ndenumerate(cells):
        if image >= 0:
            shown = np.asarray(Image.open(io.BytesIO(thumb(int(image)))))
            canvas[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = shown
    return canvas

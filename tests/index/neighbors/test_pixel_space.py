"""What an image looks like at 12 × 12 pixels, and that the nearest by it are found."""

import io

import numpy as np
from PIL import Image
from unitscope.index.neighbors.pixel_space import SIDE, WIDTH, pixel_feature


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def test_means_of_blocks():
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE * 4, SIDE * 3, 3), dtype=np.uint8)
    found = pixel_feature(jpeg(pixels)).reshape(SIDE, SIDE, 3)
    means = pixels.reshape(SIDE, 4, SIDE, 3, 3).mean((1, 3)) / 255
    assert np.abs(found - means).max() <= 1 / 255


def test_any_shape_and_gray():
    assert pixel_feature(jpeg(np.full((1, 40, 3), 255, np.uint8))).tolist() == [1.0] * WIDTH
    assert pixel_feature(jpeg(np.zeros((7, 3), np.uint8))).shape == (WIDTH,)

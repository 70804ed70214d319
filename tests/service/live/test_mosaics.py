"""Mosaics, scales and overlays, each against a slow loop."""

import io

import numpy as np
import pytest
from PIL import Image
from unitscope.common.errors import UsageError
from unitscope.service.live import mosaics as pictures

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("colours", [(), (3,)])
@pytest.mark.parametrize("zoom", [1, 3])
@pytest.mark.parametrize(
    ("cells", "size"), [(1, (5, 7)), (2, (1, 9)), (10, (4, 4)), (17, (1, 1)), (64, (6, 6))]
)
def test_every_cell_is_where_the_mosaic_says(cells, size, zoom, colours):
    levels = RNG.integers(0, 255, (cells, *size, *colours), dtype=np.uint8)
    mosaic = pictures.mosaic_of(cells, size, zoom)
    picture = pictures.draw(levels, mosaic, zoom)
    assert picture.shape == (mosaic.height, mosaic.width, *colours)
    covered = np.zeros(picture.shape[:2], bool)
    for cell in range(cells):
        row, column = divmod(cell, mosaic.columns)
        y, x = row * (mosaic.cell_height + mosaic.gap), column * (mosaic.cell_width + mosaic.gap)
        for a in range(mosaic.cell_height):
            for b in range(mosaic.cell_width):
                assert np.array_equal(picture[y + a, x + b], levels[cell, a // zoom, b // zoom])
                assert not covered[y + a, x + b]
                covered[y + a, x + b] = True
    assert (picture[~covered] == pictures.GAP).all()
    assert row == mosaic.rows - 1


@pytest.mark.parametrize(("cells", "size"), [(64, (13, 13)), (2048, (7, 7)), (96, (4, 40)), (3, (30, 2))])
def test_a_mosaic_is_about_square(cells, size):
    mosaic = pictures.mosaic_of(cells, size, 1)
    assert 0.4 < mosaic.height / mosaic.width < 2.5 or mosaic.rows == 1 or mosaic.columns == 1


def test_a_picture_that_would_be_too_large_is_refused():
    with pytest.raises(UsageError, match="at most 25,165,824 are made: give a smaller zoom"):
        pictures.mosaic_of(64, (224, 224), 8)


def levels_slowly(maps, scale, highest):
    """(units, height, width) of floats from 0 to 255, value by value."""
    values = np.where(np.isnan(maps), -np.inf, maps.astype(np.float64))
    finite = np.where(np.isfinite(maps), maps, 0)
    made = np.zeros(maps.shape)
    for unit in range(len(maps)):
        own = finite if scale == "layer" else finite[unit]
        low = min(0.0, own.min())
        high = highest[unit] if scale == "dataset" else own.max()
        for place, value in np.ndenumerate(values[unit]):
            span = high - low if high > low else 1.0
            made[unit][place] = 255 * min(max((value - low) / span, 0.0), 1.0)
    return made


@pytest.mark.parametrize("scale", ["unit", "layer", "dataset"])
def test_black_is_zero_or_less_and_white_the_greatest(scale):
    maps = RNG.normal(size=(6, 4, 5)).astype(np.float32)
    maps[1] = np.abs(maps[1])
    maps[2] = 0
    maps[3] = 2.5
    maps[4, 0, 0], maps[4, 1, 1], maps[4, 2, 2] = np.nan, np.inf, -np.inf
    highest = np.array([9.0, 0.5, 0, 5, 5, -1])
    low, high = pictures.limits(maps, scale, highest)
    found = pictures.gray(maps, low, high)
    assert np.abs(found - levels_slowly(maps, scale, highest)).max() <= 0.51
    if scale == "unit":
        assert (found[2] == 0).all()  # a dead unit
        assert (found[3] == 255).all()  # active everywhere
        assert found[1].max() == 255
        assert found[1].min() > 0


@pytest.mark.parametrize(
    ("positions", "pixels", "rf", "stride", "start"),
    [
        (55, 224, 11, 4, -2),
        (6, 224, 195, 32, -63),
        (32, 32, 3, 1, -1),
        (1, 24, 24, 0, 0),
        (14, 224, 400, 16, -192),
    ],
)
def test_a_pixel_of_the_input_shows_the_position_nearest_to_it(positions, pixels, rf, stride, start):
    levels = np.arange(positions, dtype=np.uint8)[:, None] * np.ones((1, positions), np.uint8)
    both = (rf, rf), (stride, stride), (start, start)
    placed = pictures.over_input(levels, rf=both[0], stride=both[1], start=both[2], size=(pixels, pixels))
    assert placed.shape == (pixels, pixels)
    for pixel in range(pixels):
        distances = [abs(start + rf / 2 + stride * y - (pixel + 0.5)) for y in range(positions)]
        assert distances[placed[pixel, 0]] == min(distances)


def test_colours_grow_lighter_and_an_overlay_more_opaque():
    ramp = np.arange(256, dtype=np.uint8)[None]
    colours = pictures.colour(ramp, overlay=False).astype(float)
    lightness = (colours @ [0.2126, 0.7152, 0.0722])[0]
    assert (np.diff(lightness) >= 0).all()
    over = pictures.colour(ramp, overlay=True)
    assert over.shape == (1, 256, 4)
    assert np.array_equal(over[..., 3], ramp)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3), (5, 4, 4)])
def test_a_png_holds_the_very_pixels(shape):
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(pictures.png(pixels)))), pixels)

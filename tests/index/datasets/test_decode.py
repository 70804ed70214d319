"""Pixels against what was drawn, and a reason for each image that has none."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from encoded_images import encoded
from PIL import Image
from unitscope.common.errors import ImageError, ImageStatus
from unitscope.index.datasets import decode as pixels

HEIGHT, WIDTH = 24, 32


@pytest.fixture
def drawn():
    """(height, width, 3) uint8: smooth, so that lossy formats come close, and without symmetry."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([8 * x % 256, 10 * y % 256, (3 * x + 5 * y) % 256], -1).astype(np.uint8)


def close(found, expected, mean):
    assert found.shape == expected.shape and found.dtype == np.uint8
    return np.abs(found.astype(int) - expected.astype(int)).mean() <= mean


def png16(values, colour):
    """A 16-bit PNG, made by hand. values: (height, width) or (height, width, 3) uint16."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "SGI", "PCX", "QOI"])
def test_lossless_formats_give_what_was_drawn(drawn, kind):
    image = Image.fromarray(drawn)
    expected = drawn
    if kind == "GIF":
        image = image.quantize(64)
        expected = np.array(image.convert("RGB"))
    data = encoded(image, kind)
    assert np.array_equal(pixels.decode(data), expected)
    assert pixels.size(data) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats_come_close(kind):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    smooth = np.stack([7 * x, 9 * y, 4 * x + 2 * y], -1).astype(np.uint8)
    data = (
        encoded(Image.fromarray(smooth), kind, quality=95)
        if kind != "JPEG2000"
        else encoded(Image.fromarray(smooth), kind)
    )
    assert close(pixels.decode(data), smooth, mean=4)


def test_sixteen_bit_greys_are_scaled_not_clipped():
    values = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    expected = np.repeat(np.round(values / 257).astype(np.uint8)[..., None], 3, axis=2)
    for data in (
        png16(values, 0),
        encoded(Image.fromarray(values), "TIFF"),
        encoded(Image.fromarray(values), "PPM"),
    ):
        assert np.array_equal(pixels.decode(data), expected)
    assert expected[0, 0, 0] == 0 and expected[-1, -1, 0] == 255


def test_sixteen_bit_colour_keeps_the_high_byte(drawn):
    assert np.array_equal(pixels.decode(png16(drawn.astype(np.uint16) * 257, 2)), drawn)


def test_thumbnails_of_sixteen_bit_greys_are_scaled_too():
    values = np.full((HEIGHT, WIDTH), 40_000, np.uint16)
    small = np.array(Image.open(io.BytesIO(pixels.thumbnail(png16(values, 0), 8))))
    assert abs(int(small.mean()) - 156) <= 1


@pytest.mark.parametrize("values", [[-5, 7], [0, 70_000]])
def test_wider_integers_are_refused(values):
    data = encoded(Image.fromarray(np.array([values], np.int32)), "TIFF")
    with pytest.raises(ImageError, match=f"from {values[0]} to {values[1]}") as caught:
        pixels.decode(data)
    assert caught.value.status is ImageStatus.UNDECODABLE


def test_floating_point_pixels_are_refused():
    with pytest.raises(ImageError, match="floating-point"):
        pixels.decode(encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_modes_convert_as_torchvision_does(drawn, mode):
    image = Image.fromarray(drawn).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(drawn[..., 0]))
    data = encoded(image, "PNG")
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.array(opened.convert("RGB"))
    assert np.array_equal(pixels.decode(data), expected)


def test_a_palette_with_transparency_keeps_its_colours_and_stays_quiet(drawn, recwarn):
    image = Image.fromarray(drawn).quantize(16)
    data = encoded(image, "PNG", transparency=bytes(range(16)))
    assert np.array_equal(pixels.decode(data), np.array(image.convert("RGB")))
    assert not [warning for warning in recwarn if "PIL" in warning.filename]


def test_cmyk_jpegs_are_the_colours_that_were_drawn(drawn):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    smooth = np.stack([7 * x, 9 * y, 255 - 7 * x], -1).astype(np.uint8)
    data = encoded(Image.fromarray(smooth).convert("CMYK"), "JPEG", quality=100)
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode == "CMYK" and "adobe" in opened.info
    assert close(pixels.decode(data), smooth, mean=3)


def test_exif_orientation_is_not_applied(drawn):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(drawn), "PNG", exif=exif)
    assert np.array_equal(pixels.decode(data), drawn)
    assert pixels.size(data) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_the_size_of_the_pixels(drawn, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "TIFF"):
        data = encoded(Image.fromarray(drawn), kind, exif=exif)
        width, height = pixels.size(data)
        assert pixels.decode(data).shape == (height, width, 3)


def test_the_first_frame_of_an_animation():
    red, blue = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(red, kind, save_all=True, append_images=[blue], **options)
        assert (pixels.decode(data) == [255, 0, 0]).all(), kind


def test_one_pixel():
    data = encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")
    assert pixels.decode(data).tolist() == [[[1, 2, 3]]]
    assert Image.open(io.BytesIO(pixels.thumbnail(data, 64))).size == (1, 1)


def test_pixels_can_be_written():
    found = pixels.decode(encoded(Image.new("RGB", (3, 2)), "PNG"))
    found[0, 0] = 7
    assert found.flags.c_contiguous


def test_threads_see_the_same_pixels(drawn):
    data = [encoded(Image.fromarray(np.roll(drawn, shift)), "PNG") for shift in range(8)]
    wrong = []

    def decode():
        for _ in range(20):
            for shift, each in enumerate(data):
                if not np.array_equal(pixels.decode(each), np.roll(drawn, shift)):
                    wrong.append(shift)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (3000, 1), (64, 64), (20, 30)])
def test_thumbnails(size):
    gradient = Image.linear_gradient("L").resize(size).convert("RGB")
    for kind in ("JPEG", "PNG"):
        data = encoded(gradient, kind)
        small = Image.open(io.BytesIO(pixels.thumbnail(data, 64)))
        assert small.format == "JPEG" and max(small.size) == min(64, max(size))
        assert (
            abs(small.size[0] / small.size[1] - size[0] / size[1]) < 0.05 * size[0] / size[1]
            or 1 in small.size
        )
        expected = np.array(gradient.resize(small.size, Image.Resampling.BOX))
        assert close(np.array(small), expected, mean=4)
        assert pixels.thumbnail(data, 64) == pixels.thumbnail(data, 64)


def test_crops(drawn):
    found = np.array(Image.open(io.BytesIO(pixels.crop_jpeg(drawn, (4, 2, 20, 12), 64))))
    assert found.shape == (10, 16, 3)
    flat = np.zeros((30, 40, 3), np.uint8)
    flat[10:20, 5:25] = (200, 100, 50)
    inside = np.array(Image.open(io.BytesIO(pixels.crop_jpeg(flat, (5, 10, 25, 20), 10))))
    assert inside.shape == (5, 10, 3) and (np.abs(inside.astype(int) - (200, 100, 50)) <= 3).all()
    clipped = Image.open(io.BytesIO(pixels.crop_jpeg(flat, (-5, -5, 10, 10), 64)))
    assert clipped.size == (10, 10)
    with pytest.raises(ValueError, match="no pixel"):
        pixels.crop_jpeg(flat, (40, 0, 50, 10), 64)

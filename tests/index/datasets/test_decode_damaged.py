"""Damaged, huge and hostile files: pixels or a reason, never more."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from encoded_images import encoded, png_header
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from unitscope.common.errors import ImageError, ImageStatus
from unitscope.index.datasets import decode as pixels

HEIGHT, WIDTH = 24, 32


@pytest.mark.parametrize("cut", [2, 40, 0.5, 0.1])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_what_is_cut_off_is_undecodable_or_whole(kind, cut):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8))
    data = encoded(image, kind)
    whole = pixels.decode(data)
    stop = int(len(data) * cut) if cut < 1 else len(data) - cut
    try:
        found = pixels.decode(data[:stop])
    except ImageError as error:
        assert error.status is ImageStatus.UNDECODABLE and error.reason
    else:
        assert cut >= 1 and kind != "JPEG"  # only what comes after the last pixel may be missing
        assert np.array_equal(found, whole)


def test_truncated_images_fail_even_where_other_code_asked_to_fill_them_up(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encoded(Image.fromarray(np.zeros((640, 640, 3), np.uint8)), "PNG")
    with pytest.raises(ImageError, match="truncated"):
        pixels.decode(data[: len(data) // 2])


@pytest.mark.parametrize("act", [pixels.decode, pixels.size, lambda data: pixels.thumbnail(data, 32)])
def test_reasons(act):
    for data, reason in (
        (b"", "empty file"),
        (b"just some text", "no image format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image format"),
        (b"\x89PNG\r\n\x1a\n", "."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "no image format"),
    ):
        with pytest.raises(ImageError, match=reason) as caught:
            act(data)
        assert caught.value.status is ImageStatus.UNDECODABLE
        assert " at 0x" not in caught.value.reason and caught.value.reason


@pytest.mark.parametrize("act", [pixels.decode, pixels.size, lambda data: pixels.thumbnail(data, 32)])
def test_bombs_are_refused_from_their_header(act):
    tracemalloc.start()
    for width, height in ((20_000, 20_000), (178_956_971, 1)):
        with pytest.raises(ImageError, match="178,956,970") as caught:
            act(png_header(width, height))
        assert caught.value.status is ImageStatus.TOO_LARGE
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_bombs_are_refused_even_where_other_code_lifted_pillows_limit(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ImageError, match="20000 x 20000") as caught:
        pixels.decode(png_header(20_000, 20_000))
    assert caught.value.status is ImageStatus.TOO_LARGE


_QUIET = """
import io, sys
sys.path.insert(0, ".")
from PIL import Image
from unitscope.index.datasets import decode as pixels
from unitscope.common.errors import ImageError
bomb = sys.stdin.buffer.read()
palette = Image.new("RGB", (9, 9), "red").quantize(4)
file = io.BytesIO()
palette.save(file, "PNG", transparency=bytes(4))
for data in (bomb, file.getvalue(), b"GIF89a", b"\\xff\\xd8\\xff\\xe1\\0\\x10Exif\\0\\0MM\\0*\\0\\0\\xff"):
    for act in (pixels.decode, pixels.size):
        try:
            act(data)
        except ImageError:
            pass
"""


def test_nothing_goes_to_stderr():
    done = subprocess.run(
        [sys.executable, "-P", "-c", _QUIET],
        input=png_header(12_000, 12_000),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"" and done.stderr == b""


_SEEDS = [
    encoded(
        Image.fromarray(np.random.default_rng(1).integers(0, 256, (13, 17, 3), dtype=np.uint8)).convert(mode),
        kind,
    )
    for mode, kind in (
        ("RGB", "PNG"),
        ("RGB", "JPEG"),
        ("P", "GIF"),
        ("RGB", "BMP"),
        ("RGB", "WEBP"),
        ("L", "PPM"),
    )
]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from(_SEEDS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12),
    st.floats(0, 1),
)
def test_damage_is_pixels_or_an_image_error(data, changes, keep):
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    damaged = bytes(damaged[: max(1, int(len(damaged) * (1 - keep / 4)))])
    for act in (pixels.decode, lambda data: pixels.thumbnail(data, 8)):
        try:
            act(damaged)
        except ImageError as error:
            assert error.status in (ImageStatus.UNDECODABLE, ImageStatus.TOO_LARGE) and error.reason

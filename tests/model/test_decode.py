"""The fast decoder against Pillow, which is the reference for every pixel."""

import io
import os
import random
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from unitscope.model import decode as module
from unitscope.model.decode import decode, is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="torchcodec's JPEG decoder cannot be loaded here")


def picture(width: int = 67, height: int = 45) -> Image.Image:
    """Colours, edges and noise, so that a wrong conversion or upsampling shows."""
    ramp = np.linspace(0, 255, width)[None, :, None] * np.array([1.0, 0.4, -1.0]) + np.array(
        [0.0, 60.0, 255.0]
    )
    noise = np.random.default_rng(width * height).normal(0, 12, (height, width, 3))
    image = Image.fromarray((ramp + noise).clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(image).ellipse((width // 4, height // 4, width // 2, height // 2), fill=(250, 10, 30))
    return image


def jpeg(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **({"quality": 85} | options))
    return buffer.getvalue()


def reference(data: bytes) -> np.ndarray:
    """(H, W, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def same(data: bytes) -> bool:
    pixels = decode(data)
    assert pixels is not None and pixels.dtype == torch.uint8 and pixels.shape[0] == 3
    return np.array_equal(pixels.permute(1, 2, 0).numpy(), reference(data))


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (17, 33), (67, 45), (300, 5)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0", "progressive": True},
        {"restart_marker_blocks": 2},
        {"restart_marker_rows": 1, "progressive": True},
        {"optimize": True, "quality": 20},
        {"keep_rgb": True},
        {"comment": b"\xff\xd9 an end that is none"},
        {"icc_profile": b"\xff\xda\x00\x01" * 40_000},
    ],
    ids=lambda options: "-".join(options) or "baseline",
)
def test_equals_pillow(size, options):
    assert same(jpeg(picture(*size), **options))


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_grayscale(options):
    assert same(jpeg(picture().convert("L"), **options))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_not_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(picture(), exif=exif)
    assert Image.open(io.BytesIO(data)).getexif()[0x0112] == orientation
    assert same(data)


def test_unusual_sampling():
    """Vertical chroma subsampling and 4:1:1, which Pillow does not write: another's frame header, rewritten."""
    for name, sampling in (("4:2:0", 0x12), ("4:2:2", 0x41), ("4:2:0", 0x14)):
        data = bytearray(jpeg(picture(64, 64), subsampling=name))
        frame = data.index(b"\xff\xc0")
        data[frame + 11] = sampling
        assert same(bytes(data))


def test_bytes_after_the_end_and_fill_bytes():
    data = jpeg(picture())
    assert same(data + b"\x00" * 100)
    assert same(data + jpeg(picture(20, 20)))
    assert same(data[:2] + b"\xff\xff" + data[2:])


def not_jpegs():
    cmyk = picture().convert("CMYK")
    png, gif, webp = io.BytesIO(), io.BytesIO(), io.BytesIO()
    picture().save(png, "PNG")
    picture().save(gif, "GIF")
    picture().save(webp, "WEBP")
    return {
        "empty": b"",
        "one byte": b"\xff",
        "text": b"no image at all",
        "png": png.getvalue(),
        "gif": gif.getvalue(),
        "webp": webp.getvalue(),
        "cmyk": jpeg(cmyk),
        "only a start": b"\xff\xd8",
        "no scan": b"\xff\xd8\xff\xd9",
    }


@pytest.mark.parametrize("name", list(not_jpegs()))
def test_left_to_the_reference(name):
    assert decode(not_jpegs()[name]) is None


@pytest.mark.parametrize(
    ("offset", "value"), [(4, 12), (9, 2), (9, 4), (1, 0xC9), (1, 0xC3), (1, 0xC5)], ids=str
)
def test_frames_of_other_kinds_are_left_to_the_reference(offset, value):
    """12 bits; two and four components; arithmetic, lossless and hierarchical coding."""
    data = bytearray(jpeg(picture()))
    data[data.index(b"\xff\xc0") + offset] = value
    assert decode(bytes(data)) is None


def test_bombs_are_left_to_the_reference():
    data = bytearray(jpeg(picture()))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (20_000).to_bytes(2, "big") * 2
    assert decode(bytes(data)) is None
    data[frame + 5 : frame + 9] = bytes(4)
    assert decode(bytes(data)) is None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}], ids=str)
def test_truncated_at_every_offset(options):
    data = jpeg(picture(40, 30), **options)
    decoded = [end for end in range(len(data)) if decode(data[:end]) is not None]
    assert decoded == []
    assert decode(data) is not None


def test_damaged_bytes_never_give_other_pixels_than_pillow():
    """Whatever is decoded here Pillow decodes too, to the same pixels."""
    draw = random.Random(7)
    whole = [
        jpeg(picture(40, 30)),
        jpeg(picture(40, 30), progressive=True),
        jpeg(picture(33, 31).convert("L")),
    ]
    decoded = 0
    for _ in range(1500):
        data = bytearray(draw.choice(whole))
        for _ in range(draw.choice((1, 1, 3))):
            place = draw.randrange(len(data) - 1)
            if draw.random() < 0.7:
                data[place] = draw.choice((0, 255, draw.randrange(256)))
            else:
                del data[place : place + draw.randrange(1, 30)]
        pixels = decode(bytes(data))
        if pixels is not None:
            decoded += 1
            assert np.array_equal(pixels.permute(1, 2, 0).numpy(), reference(bytes(data)))
    assert decoded > 300


def test_threads_decode_at_the_same_time():
    images = [jpeg(picture(200 + i, 150)) for i in range(8)]
    wrong: list[int] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(i for i, data in enumerate(images) if not same(data))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_without_torchcodec_everything_is_left_to_the_reference(monkeypatch):
    monkeypatch.setattr(module, "_decoder", lambda: None)
    assert decode(jpeg(picture())) is None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    if "UNITSCOPE_TEST_DATA" not in os.environ:
        pytest.skip("UNITSCOPE_TEST_DATA is not set")
    return Path(os.environ["UNITSCOPE_TEST_DATA"]) / "data"


@pytest.mark.data
def test_real_photographs(data_folder):
    files = sorted((data_folder / "imagenet-sample").glob("*/*.JPEG"))
    assert len(files) >= 500
    assert [file.name for file in files if not same(file.read_bytes())] == []


@pytest.mark.data
def test_real_thumbnails(data_folder):
    pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow_parquet.ParquetFile(data_folder / "cifar10-train.parquet")
    images = next(table.iter_batches(500, columns=["image"]))["image"].to_pylist()
    assert [i for i, image in enumerate(images) if not same(image["bytes"])] == []

"""EXIF orientation: every decoder turns alike, and a dataset applies it or not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from unitscope.index.datasets.decode import decode, size, thumbnail
from unitscope.index.datasets.exif import Upright, orientation_of
from unitscope.index.datasets.open import open_dataset
from unitscope.index.datasets.options import DatasetOptions
from unitscope.jobs.planning.sample import decode as decode_for_sweep


def encoded(orientation, kind="JPEG", mode="RGB"):
    pixels = np.random.default_rng(3).integers(0, 256, (3, 4, 3), np.uint8).repeat(16, 0).repeat(8, 1)
    image, exif = Image.fromarray(pixels).convert(mode), Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, kind, exif=exif)
    return file.getvalue()


def expected(data):
    """As the `datasets` library decodes."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_every_decoder_turns_alike(orientation, kind):
    data = encoded(orientation, kind)
    right = expected(data)
    assert np.array_equal(decode(Upright(data)), right)
    assert np.array_equal(decode_for_sweep(Upright(data)).permute(1, 2, 0).numpy(), right)
    assert size(Upright(data)) == right.shape[1::-1]
    with Image.open(io.BytesIO(thumbnail(Upright(data), 16))) as small:
        assert (small.width > small.height) == (right.shape[1] > right.shape[0])
    assert decode(data).shape == (48, 32, 3)
    assert decode_for_sweep(data).shape == (3, 48, 32)


def test_a_gray_photograph_is_turned():
    data = encoded(6, mode="L")
    assert np.array_equal(decode_for_sweep(Upright(data)).permute(1, 2, 0).numpy(), expected(data))


def test_damaged_exif_turns_nothing():
    data = encoded(6)
    at = data.index(b"Exif")
    broken = Upright(data[: at + 6] + b"\xff" * 8 + data[at + 14 :])
    assert orientation_of(broken) == 1
    assert decode(broken).shape == (48, 32, 3)


@pytest.mark.parametrize(("exif", "upright"), [(None, False), ("apply", True), ("ignore", False)])
def test_folders_ignore_it_unless_they_are_told(tmp_path, exif, upright):
    (tmp_path / "a.jpg").write_bytes(encoded(6))
    dataset = open_dataset(str(tmp_path), DatasetOptions(exif=exif))
    (data,) = dataset.read(next(dataset.batches()))
    assert isinstance(data, Upright) is upright
    assert dataset.exif == ("apply" if upright else "ignore")


@pytest.mark.parametrize(("exif", "upright"), [(None, True), ("apply", True), ("ignore", False)])
def test_parquet_applies_it_unless_it_is_told(tmp_path, exif, upright):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": [encoded(6)]}), tmp_path / "a.parquet")
    dataset = open_dataset(str(tmp_path / "a.parquet"), DatasetOptions(exif=exif))
    (data,) = dataset.read(next(dataset.batches()))
    assert isinstance(data, Upright) is upright

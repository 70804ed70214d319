"""One frame of pixels for the sweep, its boxes, thumbnails and crops, whether EXIF orientation is applied or not."""

import io
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image
from unitscope.index.datasets.decode import decode
from unitscope.index.store.store import Store
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep

NETWORK = dedent(
    """
    from torch import nn

    PREPROCESS = {"resize": [24, 16], "crop": [24, 16], "mean": [0, 0, 0], "std": [1, 1, 1]}
    TASK = "none"


    def net():
        network = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(1, 2))
        nn.init.ones_(network[0].weight)
        return network
    """
)


@pytest.mark.parametrize("exif", ["apply", "ignore"])
def test_one_frame(tmp_path, exif):
    """A bright square, upper left of the pixels as they are stored: lying, it is upper right when turned by 6."""
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "data").mkdir()
    pixels = np.full((64, 96, 3), 40, np.uint8)
    pixels[8:24, 8:24] = 250
    kept = Image.Exif()
    kept[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "data" / "a.jpg", exif=kept, quality=95)
    spec = f"{tmp_path}/net.py:net@random"
    sweep(
        SweepConfig(
            str(tmp_path / "data"), str(tmp_path / "store"), spec, layers=("0",), workers=0, exif=exif
        )
    )
    store = Store.open(str(tmp_path / "store"))
    (row,) = store.images(["width", "height"]).to_pylist()
    assert (row["width"], row["height"]) == ((64, 96) if exif == "apply" else (96, 64))
    assert store.manifest.exif == exif
    (patch,) = store.top("0", 0, k=1)
    x0, y0, x1, y1 = patch.box
    original = decode(store.pixels(0))
    assert original.shape[:2] == (row["height"], row["width"])
    assert original[y0:y1, x0:x1].mean() > 150
    with Image.open(io.BytesIO(store.thumb(0))) as small:
        assert (small.width < small.height) == (exif == "apply")
    with Image.open(io.BytesIO(store.patch("0", 0, 0))) as shown:
        assert np.asarray(shown).mean() > 150

"""The dry run: it fails where the sweep would, and writes nothing."""

import io
import json
import os
import tarfile
from textwrap import dedent

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from unitscope.cli.main import main
from unitscope.common.errors import DatasetError, StorageError, StoreError, SweepError, UsageError
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep import estimate as estimating
from unitscope.jobs.sweep.estimate import estimate
from unitscope.jobs.sweep.run import sweep

NETWORK = dedent(
    """
    from torch import nn

    PREPROCESS = {"resize": 8, "crop": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}
    CLASSES = ["cat", "dog", "0", "1"]


    def net():
        pool = nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(4, 4))


    class Infinite(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()
            self.conv = self.net[0]

        def forward(self, x):
            return self.net(x / (x.mean((1, 2, 3), keepdim=True) > 0.9).float().sub(1))


    def infinite(): return Infinite()
    """
)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(estimating, "MEASURED_SECONDS", 1.0)
    (tmp_path / "net.py").write_text(NETWORK)
    for number in range(20):
        image(tmp_path / "data" / ("cat", "dog")[number % 2] / f"{number}.png", number)

    def make(model="net", data="data", store="store", **options):
        settings = {"workers": 0, "batch_size": 16} | options
        return SweepConfig(
            str(tmp_path / data), str(tmp_path / store), f"{tmp_path}/net.py:{model}@random", **settings
        )

    return make


def image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def test_it_says_what_the_sweep_will_read(config, tmp_path):
    found = estimate(config())
    assert (found.images, found.output.partition(":")[0]) == (20, "classification")
    assert "2 of 2 labels are classes of the model" in found.dataset
    assert not (tmp_path / "store").exists()


def test_images_that_cannot_be_read_are_the_sweep_s_error(config, tmp_path):
    (tmp_path / "data" / "cat" / "bad.png").write_bytes(b"no image")
    with pytest.raises(SweepError, match="1 of 21 images failed so far"):
        estimate(config())
    assert estimate(config(max_error_rate=0.05)).images == 21


def test_activations_that_are_not_finite(config, tmp_path):
    white = Image.new("RGB", (8, 8), (255, 255, 255))
    white.save(tmp_path / "data" / "cat" / "0.png")
    with pytest.raises(SweepError, match="NaN or infinite"):
        estimate(config("infinite"))
    estimate(config("infinite", allow_nonfinite=True))


def test_places_that_the_sweep_refuses(config, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="lies in DATA"):
        estimate(config(store="data/store"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(StoreError, match="holds other files"):
        estimate(config(store="other"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="no permission to write"):
        estimate(config())


def test_a_store_of_another_sweep(config):
    sweep(config(k=3))
    with pytest.raises(StoreError, match=r"finished sweep with another --k: 3, now 5. Give another folder"):
        estimate(config(k=5))
    with pytest.raises(StoreError, match=r"another --layers: not given, now 0. Give"):
        estimate(config(k=3, layers=("0",)))


def test_a_dataset_of_which_most_would_be_lost(config, tmp_path):
    (tmp_path / "tars").mkdir()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(9):
            data = (tmp_path / "data" / "cat" / "0.png").read_bytes() if number < 3 else b"{}"
            info = tarfile.TarInfo(f"{number}.png" if number < 3 else f"{number}.json")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (tmp_path / "tars" / "x.tar").write_bytes(buffer.getvalue())
    lost = config(data="tars")
    for refused in (estimate, sweep):
        with pytest.raises(DatasetError, match="3 images are left of 9"):
            refused(lost)
    assert sweep(config(data="tars", max_error_rate=1.0)).images == 3


def test_labels_of_which_most_are_nan(config, tmp_path):
    data = (tmp_path / "data" / "cat" / "0.png").read_bytes()
    labels = [float("nan")] * 5 + [1.0] * 3
    (tmp_path / "rows").mkdir()
    pq.write_table(pa.table({"image": [data] * 8, "label": labels}), tmp_path / "rows" / "x.parquet")
    with pytest.raises(DatasetError, match="3 labels are left of 8"):
        estimate(config(data="rows"))


@pytest.mark.parametrize(
    ("names", "known"), [(["0", "1"], 2), (["0", "1", "3"], 2), (["1", "10"], 1), (["cat", "0"], 2)]
)
def test_folders_named_by_integers_are_classes_by_name_or_rank(config, tmp_path, names, known):
    for number, name in enumerate(names):
        image(tmp_path / "numbered" / name / f"{number}.png", number)
    found = estimate(config(data="numbered", max_error_rate=1.0))
    assert f"{known} of {len(names)} labels are classes" in found.dataset


def test_several_paths_and_json(config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["sweep", "data/cat", "data/dog", "out", "--model", "net.py:net@random", "--workers", "0"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["read"]["labels"], found["read"]["labels_that_are_classes"]) == (20, 2, 2)
    assert found["read"]["select"] == ["cat/**", "dog/**"]
    assert found["read"]["output"]["task"] == "classification"
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "already finished" in said
    assert "2 of 2 labels are classes of the model" in said
    assert main(["sweep", "data/*", "out", "--model", "net.py:net@random", "--workers", "0"]) == 1
    assert "another DATA" in capsys.readouterr().err
    assert (
        main(["sweep", "data/c*", "in", "--model", "net.py:net@random", "--workers", "0"]) == 0
    )  # beside the data

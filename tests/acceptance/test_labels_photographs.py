"""Real photographs in folders named by WordNet ids: `label_index` is ImageNet's class, never the folder's rank."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import timm.data
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep

pytestmark = [pytest.mark.data, pytest.mark.slow]

KNOWN = {"n01440764": 0, "n01443537": 1, "n01484850": 2, "n02123045": 281, "n02099601": 207, "n15075141": 999}
"""Classes that everyone can look up: tench, goldfish, great white shark, tabby, golden retriever, toilet tissue."""


def test_500_photographs_get_the_class_of_their_wnid(test_data, tmp_path) -> None:
    data = test_data / "data" / "imagenet-sample"
    store = tmp_path / "store"
    report = sweep(
        SweepConfig(
            data=str(data),
            store=str(store),
            model="torchvision:alexnet@random",
            layers=("features.0",),
            workers=0,
            view_samples=4,
        )
    )
    files = sorted(
        (path for path in Path(data).rglob("*.JPEG")), key=lambda path: str(path.relative_to(data)).encode()
    )
    assert (report.images, report.errors) == (len(files), {})
    images = pq.read_table(store / "images").to_pylist()
    assert [row["uri"] for row in images] == [str(path.relative_to(data)) for path in files]
    classes = timm.data.ImageNetInfo("imagenet-1k").label_names()
    for row, path in zip(images, files, strict=True):
        wnid = path.parent.name
        assert row["label"] == wnid
        assert classes[row["label_index"]] == wnid
        assert row["label_index"] == KNOWN.get(wnid, row["label_index"])
        assert row["loss"] is not None
    assert KNOWN.keys() & {row["label"] for row in images}
    ranks = {wnid: rank for rank, wnid in enumerate(sorted({row["label"] for row in images}))}
    assert sum(row["label_index"] != ranks[row["label"]] for row in images) > len(images) / 2

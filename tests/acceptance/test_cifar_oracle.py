"""The trained CIFAR-10 network's store against a slow oracle: whole activation maps, sorted by the stated order.

`UNITSCOPE_ORACLE_IMAGES` says how many images (2,000 in the ordinary tests; 50,000 is all of them).
"""

import importlib.util
import io
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep

pytestmark = [pytest.mark.data, pytest.mark.slow, pytest.mark.timeout(3000)]
IMAGES = int(os.environ.get("UNITSCOPE_ORACLE_IMAGES", "2000"))
K = 100
BATCH = 250
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""Float tolerance: the oracle runs other batches, in another memory layout."""
LAYERS = {
    "features.0": "map", "features.3": "map", "features.6": "map", "features.8": "map", "features.10": "map",
    "classifier.1": "vector", "classifier.4": "vector", "classifier.6": "vector",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(test_data, tmp_path_factory) -> Path:
    table = pq.read_table(test_data / "data" / "cifar10-train.parquet").slice(0, IMAGES)
    path = tmp_path_factory.mktemp("cifar") / "images.parquet"
    pq.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def store(test_data, data, tmp_path_factory) -> Path:
    models = test_data / "models"
    folder = tmp_path_factory.mktemp("store") / "store"
    report = sweep(
        SweepConfig(
            data=str(data),
            store=str(folder),
            model=f"{models / 'cifar10_alexnet.py'}:cifar10_alexnet",
            weights=str(models / "cifar10_alexnet.safetensors"),
            workers=0,
            k=K,
        )
    )
    assert report.images == IMAGES
    return folder


@pytest.fixture(scope="module")
def oracle(test_data, data) -> dict[str, np.ndarray]:
    """By layer: maxima (images, units), positions, and the margin to the second largest value; fc7 and the logits."""
    from safetensors.torch import load_file

    spec = importlib.util.spec_from_file_location(
        "oracle_network", test_data / "models" / "cifar10_alexnet.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.cifar10_alexnet().eval()
    network.load_state_dict(load_file(test_data / "models" / "cifar10_alexnet.safetensors"))
    kept: dict[str, torch.Tensor] = {}
    for name, one in network.named_modules():
        if isinstance(one, torch.nn.ReLU):
            one.inplace = False
        if name in LAYERS:
            one.register_forward_hook(lambda _m, _i, output, name=name: kept.__setitem__(name, output))
    mean = torch.tensor(module.PREPROCESS["mean"])[:, None, None]
    std = torch.tensor(module.PREPROCESS["std"])[:, None, None]
    encoded = pq.read_table(data, columns=["image"])["image"].combine_chunks().field("bytes").to_pylist()
    kinds = ("maxima", "positions", "margin")
    found: dict[str, list[np.ndarray]] = {f"{kind}:{name}": [] for name in LAYERS for kind in kinds}
    found["feature"], found["logits"] = [], []
    with torch.no_grad():
        for start in range(0, len(encoded), BATCH):
            images = [
                np.asarray(Image.open(io.BytesIO(one)).convert("RGB"))
                for one in encoded[start : start + BATCH]
            ]
            pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
            found["logits"].append(network((pixels - mean) / std).numpy())
            for name in LAYERS:
                flat = (
                    kept[name].flatten(2).numpy() if kept[name].ndim == 4 else kept[name].numpy()[:, :, None]
                )
                order = np.partition(flat, -min(2, flat.shape[2]), axis=2)  # the two largest, last
                # A copy: a view would hold the whole maps.
                found[f"maxima:{name}"].append(order[:, :, -1].copy())
                found[f"positions:{name}"].append(flat.argmax(axis=2).astype(np.int32))
                second = order[:, :, -2] if flat.shape[2] > 1 else order[:, :, -1] - 1
                found[f"margin:{name}"].append(order[:, :, -1] - second)
            found["feature"].append(torch.relu(kept["classifier.4"]).numpy())
    return {name: np.concatenate(values) for name, values in found.items()}


def test_maxima_and_positions(store, oracle) -> None:
    for name, kind in LAYERS.items():
        table = pq.read_table(store / "maxima" / name)
        values = np.stack(
            [table[f"u{unit}"].to_numpy() for unit in range(oracle[f"maxima:{name}"].shape[1])], axis=1
        )
        np.testing.assert_allclose(values, oracle[f"maxima:{name}"], **CLOSE)
        if kind == "map":
            positions = np.stack([table[f"p{unit}"].to_numpy() for unit in range(values.shape[1])], axis=1)
            clear = oracle[f"margin:{name}"] > 1e-4
            assert clear.mean() > 0.9
            np.testing.assert_array_equal(positions[clear], oracle[f"positions:{name}"][clear])


def test_every_units_top(store, oracle) -> None:
    units = pq.read_table(store / "units.parquet")
    assert len(units) == sum(oracle[f"maxima:{name}"].shape[1] for name in LAYERS) == 1738
    width = {"features.0": 32, "features.3": 16, "features.6": 8, "features.8": 8, "features.10": 8}
    ids = np.arange(IMAGES)
    for row in units.to_pylist():
        name, unit = row["layer"], row["unit"]
        values = oracle[f"maxima:{name}"][:, unit]
        order = np.lexsort((ids, -values))[:K]
        got = np.array([patch["image_id"] for patch in row["top"]])
        np.testing.assert_allclose([patch["value"] for patch in row["top"]], values[order], **CLOSE)
        swapped = got != order  # only images whose values are equal up to tolerance may change places
        np.testing.assert_allclose(values[got[swapped]], values[order[swapped]], **CLOSE)
        if name in width:
            flat = np.array([patch["y"] * width[name] + patch["x"] for patch in row["top"]])
            clear = oracle[f"margin:{name}"][got, unit] > 1e-4
            np.testing.assert_array_equal(flat[clear], oracle[f"positions:{name}"][got, unit][clear])


def test_statistics(store, oracle) -> None:
    columns = ["layer", "unit", "images", "mean", "std", "min", "max", "active"]
    for row in pq.read_table(store / "units.parquet", columns=columns).to_pylist():
        values = oracle[f"maxima:{row['layer']}"][:, row["unit"]].astype(np.float64)
        assert row["images"] == IMAGES
        np.testing.assert_allclose(
            [row["mean"], row["std"]], [values.mean(), values.std()], rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose([row["min"], row["max"]], [values.min(), values.max()], **CLOSE)
        assert abs(row["active"] - (values > 0).mean()) <= (np.abs(values) < 1e-4).mean() + 1e-12


def test_features_and_predictions(store, oracle) -> None:
    column = pq.read_table(store / "features")["feature"].combine_chunks()
    features = column.flatten().to_numpy().reshape(IMAGES, -1)
    np.testing.assert_allclose(features, oracle["feature"], **CLOSE)
    images = pq.read_table(store / "images")
    margin = np.sort(oracle["logits"], axis=1)
    clear = margin[:, -1] - margin[:, -2] > 1e-3
    np.testing.assert_array_equal(
        images["predicted"].to_numpy()[clear], oracle["logits"].argmax(axis=1)[clear]
    )
    labels = torch.tensor(images["label_index"].to_pylist())
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(oracle["logits"]), labels, reduction="none")
    np.testing.assert_allclose(images["loss"].to_numpy(), loss.numpy(), rtol=1e-3, atol=1e-4)
    accuracy = (images["predicted"].to_numpy() == np.array(images["label_index"].to_pylist())).mean()
    assert accuracy > 0.8

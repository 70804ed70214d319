"""A whole sweep against a slow oracle: one image at a time, whole activation maps, sorted by the stated order."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from unitscope.common.errors import LayerError, StoreBusyError, StoreError, SweepError
from unitscope.index.datasets.decode import crop_jpeg, decode, thumbnail
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.packs import PATCHES_PER_UNIT
from unitscope.index.store.store import Store
from unitscope.jobs.lock import writing
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep
from unitscope.jobs.sweep.thumbnails import PATCH_SIDE, THUMBNAIL_SIDE
from unitscope.model.sources.load import load_model


def hashes(store: Path) -> dict[str, str]:
    """SHA-256 of every file of a store but its log and lock."""
    files = (path for path in store.rglob("*") if path.is_file())
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.name not in {"log.jsonl", ".lock"}
    }


@pytest.fixture(scope="module")
def store(material, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stores") / "store"
    report = sweep(config(material, folder))
    assert (report.images, report.swept, report.errors) == (150, 150, {})
    return folder


def config(material, folder: Path, **options) -> SweepConfig:
    return SweepConfig(
        data=str(material.data),
        store=str(folder),
        model=material.model,
        **({"workers": 0, "batch_size": 16, "k": 10} | options),
    )


def activations(material) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The oracle's maps (images, units, height, width) and logits, image by image, without in-place ReLUs."""
    model = load_model(material.model)
    for module in model.network.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    kept: dict[str, list[np.ndarray]] = {"stem.0": [], "block": [], "head.2": []}
    for name, maps in kept.items():
        module = model.network.get_submodule(name)
        module.register_forward_hook(lambda _m, _i, output, maps=maps: maps.append(output[0].clone().numpy()))
    logits = []
    paths = sorted(
        material.data.rglob("*.jpg"), key=lambda path: str(path.relative_to(material.data)).encode()
    )
    with torch.no_grad():
        for path in paths:
            pixels = torch.from_numpy(decode(path.read_bytes())).permute(2, 0, 1)
            logits.append(
                model.network(model.preprocess.normalise(model.preprocess.fit(pixels)[None]))[0].numpy()
            )
    return {name: np.stack(values) for name, values in kept.items()}, np.stack(logits)


def test_top_maxima_and_predictions_equal_the_oracle(material, store) -> None:
    maps, logits = activations(material)
    units = pq.read_table(store / "units.parquet").to_pylist()
    for name in ("stem.0", "block"):
        flat = maps[name].reshape(*maps[name].shape[:2], -1)
        maxima, positions = flat.max(axis=2), flat.argmax(axis=2)
        table = pq.read_table(store / "maxima" / name)
        for unit in range(maxima.shape[1]):
            np.testing.assert_allclose(table[f"u{unit}"].to_numpy(), maxima[:, unit], rtol=1e-4, atol=1e-5)
            agree = table[f"p{unit}"].to_numpy() == positions[:, unit]
            near = flat[np.arange(len(flat)), unit, table[f"p{unit}"].to_numpy()]
            np.testing.assert_allclose(near[~agree], maxima[~agree, unit], rtol=1e-4, atol=1e-5)
            top = next(row for row in units if row["layer"] == name and row["unit"] == unit)["top"]
            order = np.lexsort((np.arange(len(maxima)), -table[f"u{unit}"].to_numpy()))[:10]
            assert [patch["image_id"] for patch in top] == order.tolist()
            np.testing.assert_allclose(
                [patch["value"] for patch in top], np.sort(maxima[:, unit])[::-1][:10], rtol=1e-4, atol=1e-5
            )
    images = pq.read_table(store / "images")
    assert images["predicted"].to_pylist() == logits.argmax(axis=1).tolist()
    labels = np.array(images["label_index"].to_pylist())
    loss = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(labels), reduction="none"
    )
    np.testing.assert_allclose(images["loss"].to_numpy(), loss.numpy(), rtol=1e-4, atol=1e-5)
    features = np.stack(pq.read_table(store / "features")["feature"].to_numpy(zero_copy_only=False))
    np.testing.assert_allclose(features, maps["head.2"].clip(min=0), rtol=1e-4, atol=1e-5)


def test_packed_pictures_are_the_views_and_the_images(store) -> None:
    opened = Store.open(str(store))
    for layer in opened.layers:
        for unit in range(layer.units):
            for rank, patch in enumerate(opened.unit(layer.layer, unit).top[:PATCHES_PER_UNIT]):
                pixels = decode(opened.pixels(patch.image_id))
                assert opened.patch(layer.layer, unit, rank) == crop_jpeg(pixels, patch.view, PATCH_SIDE)
    assert opened.thumb(149) == thumbnail(opened.pixels(149), THUMBNAIL_SIDE)


def test_labels_are_the_models_classes_not_the_folders_rank(store) -> None:
    images = pq.read_table(store / "images").to_pylist()
    assert {(row["label"], row["label_index"]) for row in images} == {
        ("circle", 0),
        ("square", 1),
        ("cross", 2),
    }


def test_lanes_workers_and_resumption_do_not_change_a_byte(material, store, tmp_path) -> None:
    folder = tmp_path / "again"
    sweep(config(material, folder, workers=2))
    assert hashes(folder) == hashes(store)


def test_a_killed_run_goes_on(material, store, tmp_path, monkeypatch) -> None:
    from unitscope.jobs.sweep import run as module

    folder = tmp_path / "cut"
    original = module._Run._sweep

    def cut(self, left):
        original(self, left[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Run, "_sweep", cut)
    with pytest.raises(KeyboardInterrupt):
        sweep(config(material, folder))
    monkeypatch.undo()
    report = sweep(config(material, folder))
    assert report.swept == 150 - 3 * 16
    assert hashes(folder) == hashes(store)
    assert sweep(config(material, folder)).swept == 0


def test_another_sweep_into_the_same_store_is_refused(material, store) -> None:
    with pytest.raises(StoreError, match="--k"):
        sweep(config(material, store, k=11))


def test_an_unknown_layer_leaves_no_store_behind(material, tmp_path) -> None:
    with pytest.raises(LayerError, match="nope"):
        sweep(config(material, tmp_path / "none", layers=("nope",)))
    assert not (tmp_path / "none").exists()


def test_a_store_has_one_writer(material, tmp_path) -> None:
    folder = tmp_path / "busy"
    with writing(Folder(str(folder))), pytest.raises(StoreBusyError, match="process"):
        sweep(config(material, folder))


def test_bad_images_past_the_budget_fail_the_run_and_mended_ones_are_swept_again(material, tmp_path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number, path in enumerate(sorted(material.data.rglob("*.jpg"))[:40]):
        (data / f"{number:02d}.jpg").write_bytes(path.read_bytes())
    good = (data / "20.jpg").read_bytes()
    (data / "20.jpg").write_bytes(good[: len(good) // 2])
    options = SweepConfig(
        data=str(data), store=str(tmp_path / "store"), model=material.model, workers=0, batch_size=16
    )
    with pytest.raises(SweepError, match=r"20\.jpg: undecodable"):
        sweep(options)
    (data / "20.jpg").write_bytes(good)
    report = sweep(options)
    assert (report.errors, report.swept) == ({}, 16)
    fresh = tmp_path / "fresh"
    sweep(replace(options, store=str(fresh)))
    assert hashes(tmp_path / "store") == hashes(fresh)


def test_a_failed_image_is_null_everywhere_and_listed(material, tmp_path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number, path in enumerate(sorted(material.data.rglob("*.jpg"))[:40]):
        (data / f"{number:02d}.jpg").write_bytes(path.read_bytes())
    (data / "20.jpg").write_bytes(b"")
    folder = tmp_path / "store"
    report = sweep(
        SweepConfig(
            data=str(data),
            store=str(folder),
            model=material.model,
            workers=0,
            batch_size=16,
            max_error_rate=0.1,
        )
    )
    assert report.errors == {"undecodable": 1}
    images = pq.read_table(folder / "images").to_pylist()
    assert images[20]["status"] == "undecodable"
    assert images[20]["predicted"] is None and images[20]["loss"] is None
    assert pq.read_table(folder / "features")["feature"][20].as_py() is None
    assert pq.read_table(folder / "maxima" / "block")["u0"][20].as_py() is None
    errors = pq.read_table(folder / "errors.parquet").to_pylist()
    assert [(row["image_id"], row["uri"], row["status"]) for row in errors] == [(20, "20.jpg", "undecodable")]
    top = pq.read_table(folder / "units.parquet")["top"].to_pylist()
    assert all(patch["image_id"] != 20 for unit in top for patch in unit)


def test_a_nan_names_layer_unit_and_image(material, tmp_path) -> None:
    network = tmp_path / "nan.py"
    text = Path(material.model.split(":")[0]).read_text()
    network.write_text(
        text
        + """

class Fragile(nn.Module):
    def forward(self, x):
        dark = torch.log(x.mean((1, 2, 3), keepdim=True) + 11)  # NaN for a black image alone
        channel = torch.arange(x.shape[1]).reshape(1, -1, 1, 1) == 3
        return x + torch.where(channel, 0 * dark, torch.zeros(()))


def fragile():
    net = Small()
    net.stem[1] = Fragile()
    net.stem[0].weight.data.fill_(0.1)
    net.stem[0].bias.data.zero_()
    return net
"""
    )
    data = tmp_path / "data"
    data.mkdir()
    for number, path in enumerate(sorted(material.data.rglob("*.jpg"))[:40]):
        (data / f"{number:02d}.jpg").write_bytes(path.read_bytes())
    Image.new("RGB", (24, 24)).save(data / "17.jpg")
    with pytest.raises(SweepError, match=r"unit 3 of stem\.1, image 17 \(17\.jpg\)"):
        sweep(
            SweepConfig(
                data=str(data),
                store=str(tmp_path / "s"),
                model=f"{network}:fragile@random",
                layers=("stem.1",),
                feature="input:head.4",
                workers=0,
                batch_size=16,
                view_samples=8,
            )
        )


def test_the_manifest_lists_every_file_and_no_time(store) -> None:
    manifest = json.loads((store / "manifest.json").read_text())
    found = {name: digest for name, digest in hashes(store).items() if name != "manifest.json"}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == found
    assert "time" not in (store / "manifest.json").read_text()

"""A layer's own atlases, made from a real sweep: of its means, its units and its activations at single positions."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from unitscope.common.errors import LayerError, StoreError, UnitscopeError, UsageError
from unitscope.index.atlas.activation_sample import ActivationSample, choose_positions
from unitscope.index.atlas.atlas import Atlas, list_atlases
from unitscope.index.atlas.layer_atlas import LayerAtlas
from unitscope.index.datasets.decode import crop_jpeg, decode
from unitscope.index.format.layer_folders import ACTIVATIONS, UNITS, layer_folder, sample_folder
from unitscope.index.projection.projection import MapOptions
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.jobs.build.activation_atlas import build_activation_atlas
from unitscope.jobs.build.atlas import build_atlas
from unitscope.jobs.build.units_atlas import build_units_atlas
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep
from unitscope.jobs.sweep.thumbnails import PATCH_SIDE
from unitscope.model.sources.load import load_model

PCA = MapOptions("pca")


@pytest.fixture(scope="module")
def store(material, tmp_path_factory) -> Store:
    folder = tmp_path_factory.mktemp("layers") / "store"
    sweep(
        SweepConfig(
            data=str(material.data), store=str(folder), model=material.model, workers=0, batch_size=16,
            k=10, view_samples=8, atlas_layers=("stem.0",),
        )
    )  # fmt: skip
    return Store.open(str(folder))


@pytest.fixture(scope="module")
def sample(store) -> ActivationSample:
    build_activation_atlas(store.folder.url, "block", PCA, positions=100)
    return ActivationSample.open(sample_folder(store.folder, "block"))


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "ann.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_an_atlas_of_a_layer_is_from_its_means(store) -> None:
    url = store.folder.url
    build_atlas(url, PCA)
    report = build_atlas(url, PCA, layer="stem.0")
    assert (report.name, report.settings["layer"]) == ("stem-0-pca", "stem.0")
    own, of_layer = (
        Atlas.open(store.folder, name, store=store.manifest.hash) for name in ("pca", report.name)
    )
    assert "layer" not in own.manifest["settings"]
    features = np.stack(
        pq.read_table(f"{url}/layer_features/stem.0")["feature"].to_numpy(zero_copy_only=False)
    )
    centred = features - features.mean(axis=0)
    strongest = np.linalg.svd(centred, full_matrices=False)[2][:2]
    for axis in range(2):
        expected = centred @ strongest[axis]
        assert abs(np.corrcoef(expected, of_layer.coordinates[:, axis])[0, 1]) > 0.999
        assert abs(np.corrcoef(expected, own.coordinates[:, axis])[0, 1]) < 0.99
    assert verify(url).ok
    graph = layer_folder(store.folder, "stem.0").local_path("knn/neighbours.i32")
    whole = graph.read_bytes()
    graph.write_bytes(b"x" * len(whole))
    assert [one.path for one in verify(url).problems] == ["by_layer/stem.0/knn/neighbours.i32"]
    graph.write_bytes(whole)
    with pytest.raises(LayerError, match=r"there are those of stem\.0"):
        build_atlas(url, PCA, layer="block")


def test_every_unit_has_a_cell_and_its_best_patch(store) -> None:
    report = build_units_atlas(store.folder.url, "block", PCA)
    assert (report.images, report.items, report.name) == (12, "units", UNITS)
    found = LayerAtlas.open(store.folder, "block", UNITS, store=store.manifest.hash)
    assert found.sample is None and found.cell_rows == {}
    assert sorted(found.atlas.assigned[found.atlas.assigned >= 0].tolist()) == list(range(12))
    assert found.atlas.tiles is not None
    assert list_atlases(store.folder) == [name for name in list_atlases(store.folder) if "units" not in name]
    with pytest.raises(LayerError, match="no layer 'nope'"):
        build_units_atlas(store.folder.url, "nope", PCA)


def test_samples_are_the_activations_at_their_positions(material, store, sample) -> None:
    model = load_model(material.model)
    for module in model.network.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    kept: list[np.ndarray] = []
    model.network.get_submodule("block").register_forward_hook(
        lambda _m, _i, output: kept.append(output[0].numpy().copy())
    )
    rows = sample.places.to_pylist()
    ids = np.array([row["image_id"] for row in rows])
    assert len(set(ids.tolist())) == sample.rows == 100
    row = store.layer("block")
    flat = choose_positions(ids, row.height * row.width, 0)
    assert [one["y"] * row.width + one["x"] for one in rows] == flat.tolist()
    values = np.concatenate([block.values for block in sample.blocks()])
    for number in range(0, 100, 7):
        one, pixels = rows[number], decode(store.pixels(int(ids[number])))
        fitted = model.preprocess.fit(torch.from_numpy(pixels).permute(2, 0, 1))
        with torch.no_grad():
            model.network(model.preprocess.normalise(fitted[None]))
        np.testing.assert_allclose(values[number], kept.pop()[:, one["y"], one["x"]], rtol=1e-4, atol=1e-5)
        view = (one["vx0"], one["vy0"], one["vx1"], one["vy1"])
        assert sample.pictures.get(number) == crop_jpeg(pixels, view, PATCH_SIDE)


def test_a_cell_shows_the_patch_nearest_its_mean(store, sample) -> None:
    found = LayerAtlas.open(store.folder, "block", ACTIVATIONS, store=store.manifest.hash)
    values = np.concatenate([block.values for block in sample.blocks()]).astype(np.float64)
    assert found.atlas.density.sum() == 100
    labels = store.images(["label"])["label"].to_pylist()
    images = found.sample.places["image_id"].to_pylist()
    row, column = found.atlas._nearest
    for place, number in found.cell_rows.items():
        members = np.flatnonzero((row == place[0]) & (column == place[1]))
        gaps = np.linalg.norm(values - values[members].mean(axis=0), axis=1)
        assert found.atlas.grid[place] in members
        assert gaps[found.atlas.grid[place]] == pytest.approx(gaps[members].min(), rel=1e-5)
        (facts,) = found.cells.slice(number, 1).to_pylist()
        assert facts["samples"] == len(members) == found.atlas.density[place]
        assert facts["label_samples"] == sum(labels[images[one]] == facts["label"] for one in members)
    assert verify(store.folder.url).ok


def test_the_same_seed_gives_the_same_bytes_whatever_was_there_before(store, sample) -> None:
    url, folder = store.folder.url, Path(store.folder.url) / "by_layer" / "block"
    before = hashes(folder / ACTIVATIONS) | hashes(folder / "atlas" / ACTIVATIONS)
    drawn = (folder / ACTIVATIONS / "sample.parquet").stat().st_mtime_ns
    build_activation_atlas(url, "block", PCA, positions=100)
    assert (folder / ACTIVATIONS / "sample.parquet").stat().st_mtime_ns == drawn  # what is there is taken
    report = build_activation_atlas(url, "block", MapOptions("pca", seed=1), positions=60)
    assert report.images == 60
    other = hashes(folder / ACTIVATIONS) | hashes(folder / "atlas" / ACTIVATIONS)
    assert len([name for name in other if name.startswith("cells-")]) == 1
    assert other["sample.parquet"] != before["sample.parquet"]
    (folder / ACTIVATIONS / "sample.json").unlink()  # as a killed run leaves it
    build_activation_atlas(url, "block", PCA, positions=100)
    assert hashes(folder / ACTIVATIONS) | hashes(folder / "atlas" / ACTIVATIONS) == before


def test_an_atlas_without_its_sample_is_not_shown(store, sample) -> None:
    path = Path(store.folder.url) / "by_layer" / "block" / ACTIVATIONS / "sample.json"
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"seed": 9}))
    with pytest.raises(StoreError, match="delete it and run `unitscope atlas` again"):
        LayerAtlas.open(store.folder, "block", ACTIVATIONS, store=store.manifest.hash)
    path.write_text(whole)


def test_another_network_and_a_sample_of_nothing_are_refused(material, store, tmp_path) -> None:
    with pytest.raises(UsageError, match="--positions 0"):
        build_activation_atlas(store.folder.url, "block", PCA, positions=0)
    network = Path(material.model.split(":")[0])
    text = network.read_text()
    network.write_text(
        text.replace("nn.Linear(48, 20)", "nn.Linear(48, 21)").replace("nn.Linear(20, 3)", "nn.Linear(21, 3)")
    )
    try:
        with pytest.raises(UnitscopeError, match="has changed since this user swept the store"):
            build_activation_atlas(store.folder.url, "stem.0", PCA, positions=10)
    finally:
        network.write_text(text)
    assert list_atlases(layer_folder(store.folder, "stem.0")) == []

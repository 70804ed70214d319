"""Features of further layers: against whole maps, for any way of sweeping, and nothing where none are asked for."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from unitscope.common.errors import LayerError, StoreError
from unitscope.index.datasets.decode import decode
from unitscope.index.storage.folder import Folder
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.planning.plan import Plan, load_plan
from unitscope.jobs.sweep.estimate import estimate
from unitscope.jobs.sweep.run import sweep
from unitscope.model.sources.load import load_model

LAYERS = ("stem.0", "head.2")


def config(material, folder: Path, **options) -> SweepConfig:
    usual = {"workers": 0, "batch_size": 16, "k": 5, "view_samples": 8, "layers": ("block",)}
    return SweepConfig(data=str(material.data), store=str(folder), model=material.model, **(usual | options))


def hashes(store: Path) -> dict[str, str]:
    files = (path for path in store.rglob("*") if path.is_file() and path.name not in {"log.jsonl", ".lock"})
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def store(material, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("averaged") / "store"
    sweep(config(material, folder, atlas_layers=("head.2", "stem.0")))
    return folder


def test_they_are_the_means_of_whole_maps(material, store) -> None:
    model = load_model(material.model)
    for module in model.network.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    maps: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
    for name, kept in maps.items():
        model.network.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, kept=kept: kept.append(output[0].numpy().copy())
        )
    paths = sorted(
        material.data.rglob("*.jpg"), key=lambda path: str(path.relative_to(material.data)).encode()
    )
    with torch.no_grad():
        for path in paths:
            pixels = torch.from_numpy(decode(path.read_bytes())).permute(2, 0, 1)
            model.network(model.preprocess.normalise(model.preprocess.fit(pixels)[None]))
    opened = Store.open(str(store))
    assert opened.averaged_layers == LAYERS  # in order of execution
    for name, kept in maps.items():
        expected = np.stack([one.reshape(len(one), -1).mean(axis=1) for one in kept])
        reader = opened.layer_features(name)
        found = np.concatenate([block.values for block in reader.blocks()])
        assert (reader.images, reader.width) == (150, expected.shape[1])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        rows = pq.read_table(store / "layer_features" / name)
        assert rows["image_id"].to_pylist() == list(range(150))
    assert verify(str(store)).ok


def test_workers_and_resumption_do_not_change_a_byte(material, store, tmp_path, monkeypatch) -> None:
    from unitscope.jobs.sweep import run as module

    options = {"atlas_layers": ("head.2", "stem.0")}
    sweep(config(material, tmp_path / "workers", workers=2, **options))
    assert hashes(tmp_path / "workers") == hashes(store)
    original = module._Run._sweep

    def cut(self, left):
        original(self, left[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Run, "_sweep", cut)
    with pytest.raises(KeyboardInterrupt):
        sweep(config(material, tmp_path / "cut", **options))
    monkeypatch.undo()
    with pytest.raises(StoreError, match="--atlas-layers"):
        sweep(config(material, tmp_path / "cut"))
    assert sweep(config(material, tmp_path / "cut", **options)).swept == 150 - 3 * 16
    assert hashes(tmp_path / "cut") == hashes(store)


def test_a_sweep_without_them_keeps_and_says_nothing_of_them(material, store, tmp_path, monkeypatch) -> None:
    from unitscope.jobs.sweep import run as module

    folder = tmp_path / "plain"
    monkeypatch.setattr(module._Run, "_sweep", lambda self, left: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        sweep(config(material, folder))
    monkeypatch.undo()
    plan = load_plan(Folder(str(folder)))
    assert plan is not None and not {"averaged", "guessed"} & json.loads(plan.to_json()).keys()
    assert Plan.from_json(plan.to_json()) == plan
    sweep(config(material, folder))
    plain, with_them = hashes(folder), hashes(store)
    same = {name for name in plain if name != "manifest.json"}
    assert {name: with_them[name] for name in same} == {name: plain[name] for name in same}
    assert {name.split("/")[0] for name in with_them.keys() - plain.keys()} == {"layer_features"}
    with pytest.raises(LayerError, match="--atlas-layers"):
        Store.open(str(folder)).layer_features("stem.0")


def test_a_failed_image_has_none_and_the_types_are_those_of_the_features(material, tmp_path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number, path in enumerate(sorted(material.data.rglob("*.jpg"))[:20]):
        (data / f"{number:02d}.jpg").write_bytes(path.read_bytes())
    (data / "07.jpg").write_bytes(b"")
    options = {"data": str(data), "atlas_layers": ("stem.0",), "feature_dtype": "float16"}
    wanted = SweepConfig(
        store=str(tmp_path / "s"),
        model=material.model,
        workers=0,
        batch_size=16,
        max_error_rate=0.1,
        **options,
    )
    assert estimate(wanted).tables["layer_features/stem.0"] == 20 * (8 + 2 * 12)
    sweep(wanted)
    column = pq.read_table(tmp_path / "s" / "layer_features" / "stem.0")["feature"]
    assert str(column.type.value_type) == "halffloat" and column.type.list_size == 12
    assert [row for row, one in enumerate(column) if not one.is_valid] == [7]


def test_an_unknown_layer_is_refused_before_anything_is_written(material, tmp_path) -> None:
    with pytest.raises(LayerError, match="nope"):
        sweep(config(material, tmp_path / "none", atlas_layers=("nope",)))
    assert not (tmp_path / "none").exists()

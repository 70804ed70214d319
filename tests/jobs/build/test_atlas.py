"""`build_atlas`: the same bytes from the same seed, and what it says of itself."""

import pytest
from killed_builds import files
from unitscope.common.errors import UsageError
from unitscope.index.atlas.atlas import Atlas, list_atlases
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.projection.projection import MapOptions
from unitscope.index.store.store import Store
from unitscope.jobs.build.atlas import build_atlas


@pytest.fixture
def store(synthetic, tmp_path) -> str:
    return synthetic.make_store(tmp_path / "store").url


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_the_same_seed_gives_the_same_files(store, method, monkeypatch):
    build_atlas(store, MapOptions(method, seed=8))
    first = files(store)
    monkeypatch.setattr("unitscope.jobs.build.atlas.cores", lambda: 3)
    for folder in ("ann", "knn", "atlas"):
        Store.open(store).folder.remove_tree(folder)
    build_atlas(store, MapOptions(method, seed=8))
    assert files(store) == first
    build_atlas(store, MapOptions(method, seed=9))
    assert files(store) != first


def test_names_and_what_the_manifest_says(store):
    report = build_atlas(store, MapOptions("umap", fast=True, neighbours=7, sample=150), name="quick")
    folder = Store.open(store).folder
    assert list_atlases(folder) == ["quick"] and len(Atlas.open(folder, "quick").images) == 197
    settings = Atlas.open(folder, "quick").manifest["settings"]
    assert settings == report.settings
    assert (
        settings.items()
        >= {"fast": True, "reproducible": True, "neighbours": 7, "sample": 150, "placed": 47}.items()
    )
    assert NeighborIndex.open(folder).index is None and settings["recall"] == 1.0
    with pytest.raises(UsageError, match="not a name for an atlas"):
        build_atlas(store, name="../x")

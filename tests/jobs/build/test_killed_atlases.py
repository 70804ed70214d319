"""Atlases of every kind leave no trace of a run that was killed at any of its writes, and are never there half done."""

import shutil
from pathlib import Path

import pytest
from killed_builds import damaged, files, killing
from unitscope.index.atlas.atlas import Atlas, list_atlases
from unitscope.index.atlas.layer_atlas import LayerAtlas
from unitscope.index.format.layer_folders import KINDS, layer_folder
from unitscope.index.projection.projection import MapOptions
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.jobs.build.activation_atlas import build_activation_atlas
from unitscope.jobs.build.atlas import build_atlas
from unitscope.jobs.build.units_atlas import build_units_atlas
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep

IMAGES = "unitscope.jobs.build.atlas:build_atlas"
UNITS = "unitscope.jobs.build.units_atlas:build_units_atlas"
ACTIVATIONS = "unitscope.jobs.build.activation_atlas:build_activation_atlas"


def open_all(url):
    """Opens every atlas that is there; none may be damaged. Gives their number."""
    store = Store.open(url)
    opened = [
        Atlas.open(store.folder, name, store=store.manifest.hash) for name in list_atlases(store.folder)
    ]
    for layer in store.layers:
        own = list_atlases(layer_folder(store.folder, layer.layer))
        opened += [
            LayerAtlas.open(store.folder, layer.layer, kind, store=store.manifest.hash)
            for kind in KINDS
            if kind in own
        ]
    assert damaged(url) == []
    return len(opened)


@pytest.fixture(scope="module")
def swept(make, tmp_path_factory):
    """A real store of 40 images, with the means of a layer."""
    folder = tmp_path_factory.mktemp("killed")
    material = make(folder, 40)
    sweep(
        SweepConfig(
            data=str(material.data), store=str(folder / "store"), model=material.model, workers=0, batch_size=16,
            k=5, view_samples=4, atlas_layers=("stem.0",),
        )
    )  # fmt: skip
    return folder / "store"


@pytest.fixture
def store(swept, tmp_path):
    shutil.copytree(swept, tmp_path / "store")
    return str(tmp_path / "store")


@pytest.mark.parametrize("anew", [True, False])
def test_an_atlas_of_images(synthetic, tmp_path, anew):
    """anew: each run starts with nothing, else it goes on from what the killed ones left."""
    url = synthetic.make_store(tmp_path / "store", images=60, failed=(5,)).url
    build_atlas(url, MapOptions("pca", seed=4))
    undisturbed, hidden = files(url), sorted(path.name for path in Path(url).iterdir())
    if not anew:
        build_atlas(url, MapOptions("pca", seed=5), name="pca")
    kills = 0
    with killing(url, IMAGES, map={"method": "pca", "seed": 4}, anew=anew) as killed:
        for _write in killed:
            kills += 1
            open_all(url)
            if anew:
                build_atlas(url, MapOptions("pca", seed=4))
                assert files(url) == undisturbed
    assert kills >= (10 if anew else 3)
    assert files(url) == undisturbed and verify(url).ok
    assert sorted(path.name for path in Path(url).iterdir()) == hidden


@pytest.mark.parametrize(("method", "writes"), [("tsne", (3, 6, 9)), ("umap", (6,))])
def test_an_atlas_by_its_neighbours(synthetic, tmp_path, method, writes):
    url = synthetic.make_store(tmp_path / "store", images=60, failed=(5,)).url
    options = MapOptions(method, seed=4)
    with killing(url, IMAGES, map={"method": method, "seed": 4}, writes=writes, anew=True) as killed:
        for _write in killed:
            assert open_all(url) == 0
    first = files(url)
    assert verify(url).ok
    for folder in ("ann", "knn", "atlas"):
        shutil.rmtree(Path(url, folder))
    build_atlas(url, options)
    assert files(url) == first


def test_an_atlas_by_layer(store):
    build_atlas(store, MapOptions("pca"), layer="stem.0")
    undisturbed = files(store)
    kills = 0
    with killing(store, IMAGES, map={"method": "pca"}, layer="stem.0", anew=True) as killed:
        for write in killed:
            kills = write
            open_all(store)
            if write % 3 == 0:
                build_atlas(store, MapOptions("pca"), layer="stem.0")
                assert files(store) == undisturbed
    assert kills >= 10 and files(store) == undisturbed and verify(store).ok


def test_an_atlas_of_units(store):
    build_units_atlas(store, "block", MapOptions("pca"))
    undisturbed = files(store)
    kills = 0
    with killing(store, UNITS, "block", map={"method": "pca"}, anew=True) as killed:
        for write in killed:
            kills = write
            open_all(store)
            if write % 3 == 0:
                build_units_atlas(store, "block", MapOptions("pca"))
                assert files(store) == undisturbed
    assert kills >= 5 and files(store) == undisturbed and verify(store).ok


@pytest.mark.slow
def test_an_atlas_of_activations(store):
    """Each run goes on from what the killed ones left; the first one finds an atlas of another sample.

    The writes 1 to 4 of a run without a sample are those of the process that samples.
    """
    build_activation_atlas(store, "block", MapOptions("pca"), positions=30)
    undisturbed = files(store)
    build_activation_atlas(store, "block", MapOptions("pca", seed=1), positions=20)
    assert files(store) != undisturbed and open_all(store) == 1
    kills, there = 0, []
    with killing(
        store, ACTIVATIONS, "block", map={"method": "pca"}, positions=30, writes=(2, 4, 5, 3)
    ) as killed:
        for _write in killed:
            kills += 1
            there.append(open_all(store))
    assert kills == 4 and 0 in there
    assert files(store) == undisturbed and verify(store).ok

"""The manifest of what is built from a store: the same fault is the same error, with the command that builds it."""

import pickle

import pytest
from unitscope.common.errors import NotBuiltError, OutdatedError, StoreDamagedError, StoreNotFoundError
from unitscope.index.atlas.activation_sample import ActivationSample
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.format.derived import Derived, build_command, open_derived
from unitscope.index.format.layer_folders import layer_folder, sample_folder
from unitscope.index.format.sealed import sealed
from unitscope.index.neighbors.graph_files import read_manifest
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.neighbors.pixel_space import pixel_folder
from unitscope.index.storage.folder import Folder

KIND = Derived("thing", "thing/thing.json", 3, "build it again", {"store": str, "k": int})
OPENERS = {
    "ann/ann.json": (NeighborIndex.open, "index"),
    "knn/knn.json": (read_manifest, "index"),
    "sample.json": (ActivationSample.open, "index"),
    "atlas/umap/atlas.json": (lambda folder, store: Atlas.open(folder, "umap", store=store), "atlas"),
}


@pytest.fixture
def folder(tmp_path):
    return Folder(str(tmp_path / "my store"))


def write(folder, manifest="thing/thing.json", **changes):
    content = {"version": 3, "store": "abc", "index": "def", "k": 4, "seed": 1} | changes
    folder.publish(manifest, sealed(content))
    return content


def test_what_fits_is_returned(folder):
    content = write(folder)
    found = open_derived(folder, KIND, sources={"store": "abc", "index": None}, settings={"seed": 1})
    assert found.content == content and len(found.digest) == 64
    write(folder, more=1)
    assert open_derived(folder, KIND, sources={}).digest != found.digest


def test_none_is_not_built_and_another_version_or_setting_is_outdated(folder):
    with pytest.raises(NotBuiltError, match=r"my store has no thing; run `unitscope index .*my store'`$"):
        open_derived(folder, KIND, sources={})
    write(folder, version=2)
    with pytest.raises(OutdatedError, match="version 2, not 3"):
        open_derived(folder, KIND, sources={"store": "other"})
    write(folder)
    with pytest.raises(OutdatedError, match="seed 1, not 2"):
        open_derived(folder, KIND, sources={"store": "abc"}, settings={"seed": 2})


@pytest.mark.parametrize(("key", "word"), [("store", "sweep"), ("index", "index")])
def test_another_source_is_outdated(folder, key, word):
    write(folder)
    with pytest.raises(
        OutdatedError, match=f"the thing in .* was built from another {word}; run `unit"
    ) as caught:
        open_derived(folder, KIND, sources={key: "xyz"})
    assert not isinstance(caught.value, StoreNotFoundError)


@pytest.mark.parametrize("changes", [{"k": "4"}, {"k": None}, {"store": 7}])
def test_a_field_of_another_type_is_damage(folder, changes):
    write(folder, **changes)
    with pytest.raises(StoreDamagedError, match=r"as it should.*; build it again"):
        open_derived(folder, KIND, sources={})


@pytest.mark.parametrize("manifest", OPENERS)
def test_all_kinds_raise_the_same_errors(folder, manifest):
    opened, name = OPENERS[manifest]
    with pytest.raises(NotBuiltError, match="has no") as caught:
        opened(folder, store="abc")
    assert caught.value.command == f"unitscope {name} '{folder.url}'"
    write(folder, manifest, version=77)
    with pytest.raises(OutdatedError, match="has version 77, not"):
        opened(folder, store="abc")
    right = {"ann/ann.json": 2, "atlas/umap/atlas.json": 2}.get(manifest, 1)
    write(folder, manifest, version=right, recall=1.0, files={})
    with pytest.raises(OutdatedError, match="was built from another sweep"):
        opened(folder, store="xyz")
    folder.publish(manifest, b"{")
    with pytest.raises(StoreDamagedError, match="JSON"):
        opened(folder, store="abc")


def test_the_command_names_the_store_and_the_layer(folder):
    where, layer = f"'{folder.url}'", layer_folder(folder, "conv1/7x7")
    assert build_command(pixel_folder(folder), "ann/ann.json") == f"unitscope index {where}"
    assert build_command(folder, "atlas/umap/atlas.json") == f"unitscope atlas {where}"
    assert build_command(layer, "ann/ann.json") == f"unitscope atlas {where} --layer conv1/7x7"
    assert build_command(layer, "atlas/units/atlas.json") == f"unitscope atlas {where} --units conv1/7x7"
    activations = f"unitscope atlas {where} --activations conv1/7x7"
    assert build_command(layer, "atlas/activations/atlas.json") == activations
    assert build_command(sample_folder(folder, "conv1/7x7"), "sample.json") == activations
    assert build_command(pickle.loads(pickle.dumps(layer)), "ann/ann.json").endswith("--layer conv1/7x7")
    assert build_command(layer_folder(folder, "a/" * 200), "ann/ann.json").endswith("--layer LAYER")


def test_the_error_can_be_pickled():
    error = pickle.loads(pickle.dumps(NotBuiltError("s has no index", "unitscope index s")))
    assert str(error) == "s has no index; run `unitscope index s`" and error.command == "unitscope index s"
    error = pickle.loads(pickle.dumps(OutdatedError("s has an old index", "unitscope index s")))
    assert str(error) == "s has an old index; run `unitscope index s` again"

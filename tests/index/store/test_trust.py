"""What of a stranger's store is used: nothing that lies outside it, unless somebody allowed it."""

import json
import os
import stat
from dataclasses import replace

import pytest
from unitscope.common.errors import DatasetNotAllowedError, ModelNotAllowedError, StoreDamagedError
from unitscope.index.store.remembered import recall, remember
from unitscope.index.store.store import Store
from unitscope.index.store.trust import ModelSource, Trust, dataset_path, model_source


@pytest.fixture
def manifest(synthetic, tmp_path):
    """A manifest that nobody here swept: it says who its model and its dataset are."""
    url = synthetic.make_store(tmp_path / "store").url
    made = Store.open(url).manifest
    return lambda **model: replace(made, model=made.model | model, labels=f"of {sorted(model.items())}")


@pytest.mark.parametrize(
    "spec",
    [
        "/tmp/evil.py:make",
        "evil.evil:make",
        "evil/evil.py:make@own",
        "os:system",
        "timm:hf-hub:someone/model",
        "timm:local-dir:/tmp/model",
        "hf:someone/model",
        "hf:/tmp/model",
        "torchvision:../evil",
        "torchvision:alexnet\n/tmp/evil.py:make",
        "timm:x@/tmp",
    ],
)
def test_code_of_a_stranger_is_not_run(manifest, spec):
    with pytest.raises(ModelNotAllowedError, match="--trust-model"):
        model_source(manifest(spec=spec))
    assert model_source(manifest(spec=spec), Trust(model=True)).spec == spec


@pytest.mark.parametrize(
    "spec", ["torchvision:alexnet@DEFAULT", "torchvision:resnet18", "timm:resnet18.a1_in1k", "timm:x@random"]
)
def test_networks_of_the_libraries_are_run_and_their_weights_only_where_they_are_theirs(manifest, spec):
    assert model_source(manifest(spec=spec)) == ModelSource(spec, None)
    with pytest.raises(ModelNotAllowedError, match="/etc/passwd"):
        model_source(manifest(spec=spec, weights_file="/etc/passwd"))
    named = manifest(spec=spec, weights_file="/etc/passwd")
    assert model_source(named, Trust(spec=spec, weights="mine.pt")) == (spec, "mine.pt")


def test_what_is_named_takes_the_place_of_what_the_store_names(manifest):
    theirs = manifest(spec="/tmp/evil.py:make", weights_file="/tmp/evil.pt")
    assert model_source(theirs, Trust(spec="mine.py:make", weights="mine.pt")) == ("mine.py:make", "mine.pt")
    with pytest.raises(ModelNotAllowedError, match=r"evil\.pt"):  # its weights are still the store's
        model_source(theirs, Trust(spec="mine.py:make"))
    with pytest.raises(ModelNotAllowedError, match=r"evil\.py"):
        model_source(theirs, Trust(weights="mine.pt"))


@pytest.mark.parametrize(
    "model", [{"spec": None}, {"spec": 7}, {"spec": "a\0.py:b"}, {"weights_file": ["x"]}]
)
def test_a_manifest_that_names_nonsense_is_damaged(manifest, model):
    with pytest.raises(StoreDamagedError):
        model_source(manifest(**model))


def test_what_this_user_swept_is_run_until_its_code_changes(manifest, tmp_path):
    code = tmp_path / "net.py"
    code.write_text("def make(): ...")
    mine = manifest(spec="net.py:make")
    remember(mine.hash, spec=f"{code}:make", weights="w.pt", dataset="/my/images", files=[str(code)])
    # what the sweep was given, not what the manifest says
    assert model_source(mine) == (f"{code}:make", "w.pt")
    assert dataset_path(mine) == "/my/images"
    code.write_text("def make(): print('other')")
    with pytest.raises(ModelNotAllowedError, match="has changed since"):
        model_source(mine)
    code.unlink()
    with pytest.raises(ModelNotAllowedError, match="is gone"):
        model_source(mine)
    with pytest.raises(ModelNotAllowedError):  # another store, though it names the same
        model_source(replace(mine, labels="another"))


def test_a_module_that_is_found_elsewhere_is_not_run(manifest, tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        (folder / "nets").mkdir(parents=True)
        (folder / "nets" / "own_net.py").write_text("def make(): ...")
    mine = manifest(spec="nets.own_net:make")
    file = here / "nets" / "own_net.py"
    remember(mine.hash, spec="nets.own_net:make", weights=None, dataset=None, files=[str(file)])
    monkeypatch.chdir(here)
    assert model_source(mine).spec == "nets.own_net:make"
    monkeypatch.chdir(there)
    with pytest.raises(ModelNotAllowedError, match="found at"):
        model_source(mine)


@pytest.mark.parametrize(
    "path", ["/", "http://127.0.0.1:1/", "s3://bucket/x", "file:///etc", "/home/you/Pictures"]
)
def test_a_dataset_of_a_stranger_is_not_read(manifest, path):
    theirs = replace(manifest(), dataset={"path": path, "kind": "folder"})
    with pytest.raises(DatasetNotAllowedError, match="--data PATH"):
        dataset_path(theirs)
    assert dataset_path(theirs, Trust(data=True)) == path
    assert dataset_path(theirs, Trust(dataset="mine")) == "mine"


def test_what_is_remembered_is_for_this_user_alone(manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    mine = manifest().hash
    assert recall(mine) is None
    remember(mine, spec="a.py:b", weights=None, dataset=None)
    file = tmp_path / "state" / "unitscope" / "swept" / f"{mine}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert recall(mine) is not None and [path.name for path in file.parent.iterdir()] == [file.name]
    file.chmod(0o666)  # somebody else may have written it
    assert recall(mine) is None
    file.chmod(0o600)
    for content in ("[]", "{", json.dumps({"version": 2}), json.dumps({"version": 1}), "nonsense"):
        file.write_text(content)
        assert recall(mine) is None
    file.unlink()
    os.mkfifo(file)
    assert recall(mine) is None


@pytest.mark.parametrize("name", ["../../x", "", "a/b", "x\0"])
def test_only_a_digest_names_what_is_remembered(name):
    assert recall(name) is None

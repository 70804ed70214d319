"""`build_atlas`: the same bytes from the same seed, and no trace of a run that was killed at any of its writes."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from unitscope.common.errors import UsageError
from unitscope.index.ann import Ann
from unitscope.index.atlas import Atlas, list_atlases
from unitscope.index.projection import MapOptions
from unitscope.index.store import Store
from unitscope.index.verify import verify
from unitscope.jobs.build_atlas import build_atlas

KILLED_AT_EVERY_WRITE = """
import os, signal, shutil, sys
from pathlib import Path
from unitscope.index.local_files import LocalFiles
from unitscope.index.projection import MapOptions
from unitscope.jobs.build_atlas import build_atlas

store, kept = sys.argv[1:]
commit, done = LocalFiles.commit, 0

def die_at(last, after):
    def write(*arguments, **options):
        global done
        done += 1
        if done < last:
            return commit(*arguments, **options)
        if after:
            commit(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    LocalFiles.commit = write

for write in range(1, 99):
    child = os.fork()
    if not child:
        for made in () if kept == "kept" else ("ann", "knn", "atlas"):
            shutil.rmtree(Path(store, made), ignore_errors=True)
        die_at(write, after=write % 2)
        build_atlas(store, MapOptions("pca", seed=4))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(write, status, flush=True)
    sys.stdin.readline()
    if status != signal.SIGKILL:
        break
"""


def files(store: str) -> dict[str, str]:
    """What every file of the derived folders holds; of the index's manifest all but the times."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("ann", "knn", "atlas", ".work")
        for path in Path(store, folder).rglob("*")
        if path.is_file() and path.name != "ann.json"
    }


@pytest.fixture
def store(synthetic, tmp_path) -> str:
    return synthetic.make_store(tmp_path / "store").url


@pytest.mark.parametrize("kept", ["anew", "kept"])
def test_killed_at_any_write(synthetic, tmp_path, kept):
    """anew: each run starts with nothing. kept: each goes on from what the killed ones left."""
    store = synthetic.make_store(tmp_path / "store", images=60, failed=(5,)).url
    build_atlas(store, MapOptions("pca", seed=4))
    undisturbed = files(store)
    hidden = sorted(path.name for path in Path(store).iterdir())
    if kept == "kept":
        build_atlas(store, MapOptions("pca", seed=5), name="pca")
    command = [sys.executable, "-P", "-c", KILLED_AT_EVERY_WRITE, store, kept]
    kills = 0
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as runs:
        assert runs.stdin is not None and runs.stdout is not None
        for line in runs.stdout:
            status = int(line.split()[1])
            kills += status == 9
            opened = Store.open(store)
            for name in list_atlases(opened.folder):
                atlas = Atlas.open(opened.folder, name, store=opened.manifest.hash)
                for path, record in atlas.manifest["files"].items():
                    assert opened.folder.sha256(path) == record["sha256"]
            if status != 9:
                assert status == 0
                break
            if kept == "anew":
                build_atlas(store, MapOptions("pca", seed=4))
                assert files(store) == undisturbed
            runs.stdin.write("\n")
            runs.stdin.flush()
        told = runs.communicate("\n")[1]
    assert runs.returncode == 0, told
    assert kills >= (10 if kept == "anew" else 3)
    assert files(store) == undisturbed and verify(store).ok
    assert sorted(path.name for path in Path(store).iterdir()) == hidden


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_the_same_seed_gives_the_same_files(store, method, monkeypatch):
    build_atlas(store, MapOptions(method, seed=8))
    first = files(store)
    monkeypatch.setattr("unitscope.jobs.build_atlas.cores", lambda: 3)
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
        >= {"fast": True, "reproducible": False, "neighbours": 7, "sample": 150, "placed": 47}.items()
    )
    assert Ann.open(folder).index is None and settings["recall"] == 1.0
    with pytest.raises(UsageError, match="no name for an atlas"):
        build_atlas(store, name="../x")

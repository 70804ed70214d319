"""`verify` on what was built from a store: any damaged file is named with the command that makes it again."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from unitscope.cli.main import main
from unitscope.index.format.layer_folders import layer_folder
from unitscope.index.projection.projection import MapOptions
from unitscope.index.verify.verify import verify
from unitscope.jobs.build.atlas import build_atlas
from unitscope.jobs.build.index import build_index
from unitscope.jobs.build.units_atlas import build_units_atlas


@pytest.fixture(scope="module")
def built(synthetic, tmp_path_factory):
    made = synthetic.make_store(
        tmp_path_factory.mktemp("built") / "store", images=80, picture=synthetic.thumb
    )
    build_index(made.url)
    build_atlas(made.url, MapOptions("pca", seed=3), name="mine")
    build_units_atlas(made.url, "block.1:0", MapOptions("pca"))
    return made


def derived(root: Path) -> list[Path]:
    folders = ("ann", "pixels", "knn", "atlas", "by_layer")
    return sorted(path for folder in folders for path in (root / folder).rglob("*") if path.is_file())


def test_every_file_of_it_is_looked_at(built):
    read = []
    whole = verify(built.url, read.append)
    assert whole.ok and (whole.files, whole.bytes) == (len(read), sum(read))
    files = derived(Path(built.url))
    assert len(files) > 20
    for path in files:
        data = path.read_bytes()
        middle = 0 if path.suffix == ".json" else len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        name = str(path.relative_to(built.url))
        problems = verify(built.url).problems
        assert [one.path for one in problems] == [name]
        assert "unitscope " in problems[0].remedy
        if path.suffix != ".json":
            path.unlink()
            assert [(one.path, one.what) for one in verify(built.url).problems] == [(name, "is missing")]
        path.write_bytes(data)
    assert verify(built.url).ok


@pytest.mark.parametrize(
    "file",
    [
        *("ann/features.f32", "pixels/ann/lengths.f64", "knn/distances.f32", "atlas/mine/grid.parquet"),
        *(
            "by_layer/block.1:0/atlas/units/coordinates.parquet",
            "tiles",
            "by_layer/block.1:0/atlas/units/tiles",
        ),
    ],
)
def test_the_remedy_is_one(built, tmp_path, file):
    root = tmp_path / "a store"
    shutil.copytree(built.url, root)
    before = {path.relative_to(root): path.read_bytes() for path in derived(root) if path.name != "ann.json"}
    damaged = root / file if file != "tiles" else root / "atlas/mine/tiles"
    damaged = next(damaged.rglob("*.jpegs")) if damaged.is_dir() else damaged
    data = damaged.read_bytes()
    damaged.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (problem,) = verify(str(root)).problems
    deleted, _, command = problem.remedy.removesuffix("`").rpartition("run `")
    if deleted:
        shutil.rmtree(root / deleted.removeprefix("delete ").removesuffix(" and "))
    words = shlex.split(command)[1:]
    assert main(words + (["--method", "pca"] if words == ["atlas", str(root)] else [])) == 0
    if len(words) > 2 or words[0] == "index":
        assert {
            path.relative_to(root): path.read_bytes() for path in derived(root) if path.name != "ann.json"
        } == before
    assert verify(str(root)).ok


def test_an_atlas_of_another_sweep(built, synthetic, tmp_path):
    other = synthetic.make_store(tmp_path / "store", images=80, seed=1)
    shutil.copytree(Path(built.url, "atlas"), tmp_path / "store/atlas")
    problems = verify(other.url).problems
    assert [(one.path, one.what) for one in problems] == [
        ("atlas/mine/atlas.json", "was made from another sweep")
    ]
    other.folder.remove("atlas/mine/atlas.json")  # as a killed run leaves it: no atlas is there
    assert verify(other.url).ok


def test_people_are_told_what_to_do(built, capsys):
    path = Path(built.url, "knn/neighbours.i32")
    data = path.read_bytes()
    path.write_bytes(np.zeros(len(data), np.uint8).tobytes())
    units = layer_folder(built.folder, "block.1:0").local_path("atlas/units/grid.parquet")
    whole = units.read_bytes()
    units.unlink()
    try:
        assert main(["verify", built.url]) == 1
    finally:
        path.write_bytes(data)
        units.write_bytes(whole)
    out = capsys.readouterr().out
    assert f"knn/neighbours.i32: run `unitscope index {built.url}`" in out
    assert f"run `unitscope atlas {built.url} --method pca --seed 0 --units block.1:0`" in out

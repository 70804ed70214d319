"""Atlases of stores with few images, odd features or damaged pictures, two at once, and options that are refused."""

import threading

import numpy as np
import pytest
from unitscope.cli.main import main
from unitscope.common.errors import StoreBusyError, StoreDamagedError
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.format.layer_folders import UNITS, layer_folder
from unitscope.index.projection.projection import MapOptions
from unitscope.index.verify.verify import verify
from unitscope.jobs.build.atlas import build_atlas
from unitscope.jobs.build.units_atlas import build_units_atlas
from unitscope.jobs.lock import writing


def equal(made):
    made.feature[:] = 1.5


def twins(made):
    made.feature[:] = made.feature[np.arange(len(made.feature)) % 2]


def no_numbers(made):
    made.feature[3], made.feature[8] = np.nan, np.inf


def nothing(made):
    made.feature[:] = np.nan


@pytest.mark.parametrize(
    ("images", "failed", "change", "on_map", "method"),
    [
        *((count, (), None, count, "tsne") for count in (1, 2, 3)),
        (5, (), None, 5, "pca"),
        (6, range(6), None, 0, "umap"),
        (6, range(5), None, 1, "umap"),
        (40, (5,), equal, 39, "pca"),
        (40, (5,), twins, 39, "tsne"),
        (40, (5,), no_numbers, 37, "pca"),
        (40, (5,), nothing, 0, "tsne"),
    ],
)
def test_every_image_with_a_feature_has_a_place_and_a_cell(
    synthetic, tmp_path, images, failed, change, on_map, method
):
    made = synthetic.make_store(
        tmp_path / "store", images=images, failed=failed, change=change or (lambda made: None)
    )
    report = build_atlas(made.url, MapOptions(method), name="map")
    found = Atlas.open(made.folder, "map")
    assert report.images == len(found.images) == on_map and np.isfinite(found.coordinates).all()
    assert sorted(found.assigned[found.assigned >= 0].tolist()) == found.images.tolist()
    assert found.density.sum() == on_map and verify(made.url).ok
    lost = {no_numbers: 2, nothing: 39}.get(change)
    assert report.settings.get("left_out") == lost


def test_what_is_left_out_is_said(synthetic, tmp_path, capsys):
    made = synthetic.make_store(tmp_path / "store", images=40, change=no_numbers)
    assert main(["atlas", made.url, "--method", "pca"]) == 0
    assert "2 images left out: their features are not finite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--neighbours", "1"), "from 2 to 90"),
        (("--sample", "5"), "100"),
        (("--layer", "block.1:0"), "--atlas-layers"),
        (("--units", "features.9"), "features.0"),
        (("--activations", "nope"), "features.0"),
        *(
            ((option, ""), "leave the option out")
            for option in ("--layer", "--units", "--activations", "--name")
        ),
        (("--units", "features.0", "--workers", "2"), "--workers 2"),
        (("--ray-address", "auto"), "--workers"),
    ],
)
def test_what_is_refused(synthetic, tmp_path, capsys, options, said):
    made = synthetic.make_store(tmp_path / "store", images=10, failed=())
    before = sorted(path.name for path in tmp_path.rglob("*"))
    try:
        code = main(["atlas", made.url, *options])
    except SystemExit as usage:
        code = usage.code
    assert code == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_patch_that_is_no_picture_is_named_and_leaves_the_atlas_before(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", images=10, failed=(), picture=synthetic.thumb)
    build_units_atlas(made.url, "features.0", MapOptions("pca"))
    before = Atlas.open(layer_folder(made.folder, "features.0"), UNITS).manifest
    pack = tmp_path / "store/patches/part-00000.jpegs"
    pack.write_bytes(b"x" * pack.stat().st_size)
    with pytest.raises(StoreDamagedError, match=r"unit 0 of features\.0 .*unitscope verify"):
        build_units_atlas(made.url, "features.0", MapOptions("pca", seed=1))
    assert Atlas.open(layer_folder(made.folder, "features.0"), UNITS).manifest == before


def test_two_at_once(synthetic, tmp_path):
    """The second is refused while the first writes; then it is as if there had been one."""
    made = synthetic.make_store(tmp_path / "store", images=40)
    held, done = threading.Event(), threading.Event()

    def first():
        with writing(made.folder):
            held.set()
            done.wait(30)

    other = threading.Thread(target=first)
    other.start()
    assert held.wait(30)
    try:
        with pytest.raises(StoreBusyError, match="wait for it"):
            build_atlas(made.url, MapOptions("pca"))
    finally:
        done.set()
        other.join()
    assert build_atlas(made.url, MapOptions("pca")).images == 39 and verify(made.url).ok

"""Maps: sound on any number of images, the same twice, and their quality against scikit-learn's."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from unitscope.common.errors import NotBuiltError, OutdatedError, StoreDamagedError, UsageError
from unitscope.index.atlas.atlas import Atlas, list_atlases
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.graph import knn_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.neighbors.pca import fit_projection
from unitscope.index.projection.projection import METHODS, MapOptions, project
from unitscope.index.projection.quality import measure_quality, nearest_on_map
from unitscope.index.storage.folder import Folder

RANDOM = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(5), 60)
CLUSTERS = (RANDOM.normal(size=(300, 16)) + 8 * np.eye(16)[GROUPS]).astype(np.float32)
CASES = {
    "none": np.zeros((0, 6)),
    "one": np.ones((1, 6)),
    "two": RANDOM.normal(size=(2, 6)),
    "three": RANDOM.normal(size=(3, 6)),
    "five": RANDOM.normal(size=(5, 6)),
    "twenty": RANDOM.normal(size=(20, 6)),
    "constant": np.ones((30, 6)),
    "duplicates": np.repeat(RANDOM.normal(size=(4, 6)), 20, axis=0),
    "narrow": RANDOM.normal(size=(40, 1)),
}


def prepare(features, tmp_path, valid=None):
    folder = Folder(str(tmp_path))
    build(blocks_of(features.astype(np.float32), valid), features.shape[1], folder)
    ann = NeighborIndex.open(folder)
    return ann.vectors, knn_graph(ann, k=15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
def test_any_features_give_finite_coordinates(case, method, tmp_path):
    vectors, graph = prepare(CASES[case], tmp_path)
    layout = project(vectors, graph, MapOptions(method, seed=3))
    assert layout.coordinates.shape == (len(CASES[case]), 2) and layout.coordinates.dtype == np.float32
    assert np.isfinite(layout.coordinates).all()


@pytest.mark.parametrize("method", METHODS)
def test_clusters_stay_apart_and_the_same_seed_gives_the_same_bytes(method, tmp_path):
    valid = np.arange(300) % 50 != 7
    vectors, graph = prepare(CLUSTERS, tmp_path, valid)
    layout = project(vectors, graph, MapOptions(method, seed=1))
    assert (
        project(vectors, graph, MapOptions(method, seed=1)).coordinates.tobytes()
        == layout.coordinates.tobytes()
    )
    quality = measure_quality(vectors, graph, layout.coordinates, labels=GROUPS)
    assert quality.trustworthiness is not None and quality.label_accuracy is not None
    assert quality.label_accuracy_features == 1.0
    if method == "pca":
        assert 0 < quality.trustworthiness < 1
        oracle = PCA(2).fit(CLUSTERS[valid])
        np.testing.assert_allclose(layout.settings["explained"], oracle.explained_variance_ratio_, rtol=1e-3)
    else:
        assert quality.trustworthiness > 0.9 and quality.label_accuracy > 0.95
        assert (
            project(vectors, graph, MapOptions(method, seed=2)).coordinates.tobytes()
            != layout.coordinates.tobytes()
        )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "isomap"}, "umap, tsne, pca"),
        ({"neighbours": 91}, "91 neighbours: give from 2 to 90"),
        ({"sample": 3}, "at least 100"),
        ({"seed": -1}, "The seed -1"),
    ],
)
def test_options_that_cannot_be(given, message):
    with pytest.raises(UsageError, match=message):
        MapOptions(**given)


@pytest.mark.parametrize(("rows", "width"), [(500, 40), (30, 60)])
def test_principal_components_equal_scikit_learns(rows, width):
    sample = (np.random.default_rng(rows).normal(size=(rows, width)) * np.linspace(9, 0.1, width)).astype(
        np.float32
    )
    fitted = fit_projection(sample, 6, seed=0)
    oracle = PCA(6, svd_solver="full").fit(sample)
    np.testing.assert_allclose(fitted.explained, oracle.explained_variance_ratio_, rtol=1e-2)
    alignment = np.abs((fitted.matrix * oracle.components_.T).sum(axis=0))
    assert (alignment[:3] > 0.99).all()
    np.testing.assert_allclose(fitted.matrix.T @ fitted.matrix, np.eye(6), atol=1e-5)
    assert (fitted.matrix.max(axis=0) == np.abs(fitted.matrix).max(axis=0)).all()


def test_quality_equals_scikit_learns(tmp_path):
    vectors, graph = prepare(CLUSTERS, tmp_path)
    coordinates = CLUSTERS[:, :2]
    found = measure_quality(vectors, graph, coordinates, k=7, sample=300, labels=GROUPS)
    assert found.trustworthiness == pytest.approx(
        trustworthiness(CLUSTERS, coordinates, n_neighbors=7), abs=1e-9
    )
    near = [
        np.argsort(((points - points[i]) ** 2).sum(1))[1:8]
        for points in (CLUSTERS, coordinates)
        for i in range(300)
    ]
    shared = [len(set(near[i]) & set(near[300 + i])) / 7 for i in range(300)]
    assert found.preserved == pytest.approx(np.mean(shared))
    votes = [np.bincount(GROUPS[near[300 + i]]).argmax() == GROUPS[i] for i in range(300)]
    assert found.label_accuracy == pytest.approx(np.mean(votes))
    assert measure_quality(vectors, graph, coordinates, sample=60).sample == 60


@pytest.mark.parametrize("places", [2, 7, 1000])
def test_of_equally_far_points_the_first_are_the_nearest(places):
    """Against a sort of all distances; on few places most distances are equal, or zero."""
    rng = np.random.default_rng(places)
    coordinates = (rng.integers(0, places, (60, 2)) / 3).astype(np.float32)
    points = coordinates.astype(np.float64)
    for k in (1, 7, 59):
        found = nearest_on_map(coordinates, np.arange(0, 60, 7), k)
        for own, row in zip(range(0, 60, 7), found, strict=True):
            gaps = ((points - points[own]) ** 2).sum(axis=1)
            others = [one for one in range(60) if one != own]
            assert row.tolist() == sorted(others, key=lambda one: (gaps[one], one))[:k]


def test_labels_may_be_missing(tmp_path):
    vectors, graph = prepare(CLUSTERS, tmp_path)
    names = np.array([None if i % 9 == 0 else f"group {group}" for i, group in enumerate(GROUPS)], object)
    assert measure_quality(vectors, graph, CLUSTERS[:, :2], labels=names).label_accuracy_features == 1.0
    assert measure_quality(vectors, graph, CLUSTERS[:, :2], labels=np.full(300, None)).label_accuracy is None


def test_an_atlas_on_disk(tmp_path):
    folder = Folder(str(tmp_path))
    images = RANDOM.permutation(1000)[:300]
    coordinates = CLUSTERS[:, :2]
    write_atlas(
        folder, "umap", images, coordinates, side=8, settings={"seed": 1}, quality={"k": 15}, store="abc"
    )
    atlas = Atlas.open(folder, "umap", store="abc")
    order = np.argsort(images)
    assert atlas.images.tolist() == images[order].tolist() and (atlas.coordinates == coordinates[order]).all()
    assert len({tuple(cell) for cell in atlas.cells.tolist()}) == 300
    assert atlas.density.sum() == 300 and ((atlas.grid >= 0) == (atlas.density > 0)).all()
    assert set(atlas.grid[atlas.grid >= 0].tolist()) <= set(images.tolist())
    assert atlas.manifest["settings"] == {"seed": 1} and atlas.manifest["quality"] == {"k": 15}
    for path, record in atlas.manifest["files"].items():
        assert folder.sha256(path) == record["sha256"]
    assert list_atlases(folder) == ["umap"]


def test_an_atlas_that_does_not_fit(tmp_path):
    folder = Folder(str(tmp_path))
    with pytest.raises(NotBuiltError, match="none yet"):
        Atlas.open(folder, "umap")
    write_atlas(folder, "umap", np.arange(3), np.zeros((3, 2), np.float32), store="abc")
    with pytest.raises(NotBuiltError, match="there are umap"):
        Atlas.open(folder, "../x")
    with pytest.raises(OutdatedError, match="another sweep"):
        Atlas.open(folder, "umap", store="def")
    folder.publish("atlas/umap/grid.parquet", b"PAR1")
    with pytest.raises(StoreDamagedError):
        Atlas.open(folder, "umap")
    for name, images, coordinates, message in [
        ("../x", np.arange(1), np.zeros((1, 2)), "not a name"),
        ("x", np.arange(2), np.zeros((1, 2)), "shape"),
        ("x", np.arange(1), np.full((1, 2), np.nan), "finite"),
    ]:
        with pytest.raises(UsageError, match=message):
            write_atlas(folder, name, images, coordinates)

"""Names of clusters, on maps whose clusters are known."""

import numpy as np
from unitscope.index.labels.codes import LabelCodes
from unitscope.index.overlays.clusters import SCALES, hills, named_clusters
from unitscope.index.overlays.items import Labels
from unitscope.index.overlays.positions import MapPlaces

LABELS = ("ant", "bee", "cat", "dog")
MIDDLES = ((20, 20), (80, 20), (20, 80), (80, 80), (50, 50))


def columns(codes):
    return Labels(LABELS, LabelCodes(np.asarray(codes, np.int32)))


def blobs(own, seed=0):
    """Five clusters of 300 images on a map of 100 x 100 cells; own: the code of each cluster's images."""
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.normal(middle, 4, (300, 2)) for middle in MIDDLES])
    x, y = np.clip(points, 0, 99.9).T
    return MapPlaces(x, y, 100, 100), columns(np.repeat(own, 300))


def test_each_blob_has_the_name_of_its_label():
    places, images = blobs([0, 1, 2, 3, -1])
    found = named_clusters(places, images, np.arange(1500))
    for scale in range(len(SCALES)):
        largest = sorted((one for one in found if one.scale == scale), key=lambda one: -one.images)[:4]
        assert {one.labels for one in largest} == {("ant",), ("bee",), ("cat",), ("dog",)}
        for one in largest:
            number = LABELS.index(one.labels[0])
            own = (one.members // 300) == number
            assert own.mean() > 0.99
            assert own.sum() > 250
    assert all((one.members // 300 != 4).mean() > 0.9 for one in found), (
        "a cluster without labels has no name"
    )


def test_labels_that_are_everywhere_name_nothing():
    places, _ = blobs([0] * 5)
    mixed = columns(np.random.default_rng(0).integers(0, 4, 1500))
    assert not [one for one in named_clusters(places, mixed, np.arange(1500)) if one.images > 100]


def test_two_labels_may_share_a_cluster():
    places, images = blobs([0, 1, 2, 3, 3])
    codes = images.codes.numbers.copy()
    codes[:300] = np.where(np.arange(300) % 2, 0, 1)
    codes[300:600] = 2
    found = named_clusters(places, columns(codes), np.arange(1500))
    assert set(
        max(
            (one for one in found if one.scale == 0 and one.members[0] == 0), key=lambda one: one.images
        ).labels
    ) == {
        "ant",
        "bee",
    }


def test_without_labels_or_images_there_are_no_names():
    places, images = blobs([-1] * 5)
    assert named_clusters(places, images, np.arange(1500)) == []
    empty = MapPlaces(np.empty(0), np.empty(0), 1, 1)
    assert named_clusters(empty, images, np.empty(0, np.int64)) == []


def test_every_image_is_on_the_hill_above_it():
    places, _ = blobs([0] * 5)
    square, hill = hills(places, 24)
    tops = hill[square]
    for number in range(5):
        own = tops[number * 300 : (number + 1) * 300]
        assert (own == np.bincount(own).argmax()).mean() > 0.95
    assert (hill[hill] == hill).all()

"""Duplicates: groups of any size, also larger than the graph's lists, and none where all images differ."""

import numpy as np
import pytest
from unitscope.index.ann import Ann
from unitscope.index.ann_build import blocks_of, build
from unitscope.index.duplicates import duplicate_groups
from unitscope.index.files import Folder
from unitscope.index.knn import knn_graph

RANDOM = np.random.default_rng(0)


def groups(features, tmp_path, valid=None, metric="l2"):
    folder = Folder(str(tmp_path))
    build(blocks_of(features.astype(np.float32), valid), features.shape[1], folder, metric=metric)
    return [ids.tolist() for ids in duplicate_groups(knn_graph(Ann.open(folder)))]


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_groups_of_every_size(metric, tmp_path):
    features = RANDOM.normal(size=(600, 12))
    features[[7, 300, 301]] = features[5]
    features[400:520] = features[20]  # more than a row of the graph holds
    features[590] = features[30] * (1 + 1e-7)
    valid = np.arange(600) != 301
    found = groups(features, tmp_path, valid, metric)
    assert found == [[20, *range(400, 520)], [5, 7, 300], [30, 590]]


def test_none(tmp_path):
    assert groups(RANDOM.normal(size=(300, 12)), tmp_path) == []


@pytest.mark.parametrize("images", [0, 1])
def test_too_few_to_have_any(images, tmp_path):
    assert groups(np.ones((images, 4)), tmp_path) == []


def test_every_image_twice(tmp_path):
    features = RANDOM.normal(size=(100, 12))
    assert groups(np.vstack([features, features]), tmp_path) == [[image, image + 100] for image in range(100)]

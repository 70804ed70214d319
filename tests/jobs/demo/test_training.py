"""The demo's training is reproducible, its network learns the mark, and the search finds the unit that did."""

import hashlib
from io import BytesIO

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from unitscope.common.errors import UsageError
from unitscope.jobs.demo.dataset import make_dataset
from unitscope.jobs.demo.find import auroc, average_precision, mark_unit
from unitscope.jobs.demo.network import CLASSES, PREPROCESS, demo_alexnet
from unitscope.jobs.demo.train import train


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("demo"), images_per_class=8, processes=1)


def test_the_network_has_the_shape_of_alexnet():
    network = demo_alexnet()
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 5
    assert sum(isinstance(module, nn.Linear) for module in network.modules()) == 3
    assert all(module.inplace for module in network.modules() if isinstance(module, nn.ReLU))
    size = PREPROCESS["crop"]
    assert network(torch.zeros(2, 3, size, size)).shape == (2, len(CLASSES))


def test_training_is_reproducible_and_leaves_torch_as_it_was(small, tmp_path):
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.random.get_rng_state(),
    )
    steps = []
    files = []
    for run, seed in enumerate((0, 0, 1)):
        out = tmp_path / f"{run}.safetensors"
        report = train(small, out, seed=seed, threads=1, epochs=2, progress=lambda *at: steps.append(at))
        files.append(hashlib.sha256(out.read_bytes()).hexdigest())
    assert files[0] == files[1] != files[2]
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.random.get_rng_state(), before[2])
    assert steps[: len(steps) // 3] == [(step, 4) for step in range(1, 5)]
    demo_alexnet().load_state_dict(load_file(tmp_path / "0.safetensors"))
    assert all(0 <= share <= 1 for share in (report.train, report.audited, report.others))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".safetensors"] * 3


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 4), st.integers(1, 5))
def test_auroc_and_average_precision_equal_counting(seed, images, units, values):
    rng = np.random.default_rng(seed)
    maxima = rng.integers(0, values + 1, (images, units)).astype(np.float32)
    marked = rng.random(images) < 0.4
    marked[:2] = True, False
    expected_auroc, expected_precision = [], []
    for column in maxima.T:
        pairs = [(a > b) + 0.5 * (a == b) for a in column[marked] for b in column[~marked]]
        expected_auroc.append(np.mean(pairs))
        order = sorted(range(images), key=lambda i: (-column[i], i))
        shares = [sum(marked[order[: n + 1]]) / (n + 1) for n, i in enumerate(order) if marked[i]]
        expected_precision.append(np.mean(shares))
    np.testing.assert_allclose(auroc(maxima, marked), expected_auroc)
    np.testing.assert_allclose(average_precision(maxima, marked), expected_precision)


def test_the_unit_is_found_in_the_layer_that_has_it():
    rng = np.random.default_rng(0)
    marked = np.arange(200) % 8 == 0
    maxima = {name: rng.normal(size=(200, 12)).astype(np.float32) for name in ("features.0", "features.3")}
    maxima["features.3"][marked, 7] += 5
    found = mark_unit(maxima, marked)
    assert (found.layer, found.unit, found.strongest) == ("features.3", 7, 9)
    assert found.auroc > 0.99 and found.average_precision > 0.95


@pytest.mark.parametrize(
    ("maxima", "marked", "message"),
    [
        (np.zeros((3, 2)), [True, False], "one row per image"),
        (np.full((2, 1), np.nan), [True, False], "NaN"),
        (np.zeros((2, 1)), [False, False], "0 of 2 images are marked"),
        (np.zeros((2, 1)), [True, True], "2 of 2 images are marked"),
    ],
)
def test_what_cannot_be_searched_is_refused(maxima, marked, message):
    with pytest.raises(UsageError, match=message):
        mark_unit({"features.0": maxima.astype(np.float32)}, np.array(marked))


def test_a_search_without_layers_is_refused():
    with pytest.raises(UsageError, match="at least one"):
        mark_unit({}, np.array([True, False]))


@pytest.mark.slow
def test_the_whole_network_is_good_and_cheats_with_the_mark(tmp_path):
    data = make_dataset(tmp_path)
    out = tmp_path / "demo.safetensors"
    report = train(data, out)
    assert report.audited > 0.9
    assert report.others > 0.95
    assert report.marked > 0.95
    assert report.unmarked < report.marked - 0.25
    found = mark_unit(*conv_maxima(out, data.audited))
    assert found.strongest == 9
    assert found.auroc > 0.95


def conv_maxima(weights, audited):
    """The maxima of every conv layer, by plain hooks, and where the mark is: what a finished store would say."""
    network = demo_alexnet().eval()
    network.load_state_dict(load_file(weights))
    taken = {}

    def keep(name):
        return lambda _, __, output: taken.setdefault(name, []).append(output.amax((2, 3)).numpy())

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(keep(name))
    rows = pq.read_table(audited).to_pylist()
    images = np.stack([np.asarray(Image.open(BytesIO(row["image"]["bytes"]))) for row in rows])
    mean, std = (torch.tensor(PREPROCESS[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        for batch in torch.from_numpy(images).permute(0, 3, 1, 2).split(128):
            network((batch / 255 - mean) / std)
    return {name: np.concatenate(parts) for name, parts in taken.items()}, np.array(
        [row["marked"] for row in rows]
    )

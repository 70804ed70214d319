"""Threads that run one network at a time do not meet in what it keeps in its modules."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from unitscope.common.errors import SweepError
from unitscope.jobs.sweep.forward import Forward
from unitscope.model.feature.find_feature import feature_named
from unitscope.model.layers.layers import list_layers
from unitscope.model.sources.load import load_model

NETWORK = """
import threading, time
from torch import nn
PREPROCESS = {"resize": 8, "crop": 8, "mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear"}
class Keeps(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 2)
    def forward(self, x):
        self.skip = self.conv(x)  # as many networks keep what they need later
        time.sleep(0.02)
        return self.head((self.skip + 1).mean((2, 3)))
class Refuses(Keeps):
    def forward(self, x):
        assert x.mean() < 0.9
        return super().forward(x)
def keeps(): return Keeps()
def refuses(): return Refuses()
def locked():
    network = Keeps()
    network.lock = threading.Lock()
    return network
def remembers():
    network = Keeps()
    network.forward = lambda x: Keeps.forward(network, x)
    return network
"""


@pytest.fixture
def forward(tmp_path):
    """`forward(factory)`: not entered, and the network that it was given."""

    def make(factory):
        path = tmp_path / "network.py"
        path.write_text(NETWORK)
        model = load_model(f"{path}:{factory}@random")
        layers = list_layers(model.network, (8, 8)).swept
        return Forward(model, layers, feature_named(model.network, (8, 8), "output")), model.network

    return make


@pytest.mark.parametrize("factory", ["keeps", "locked", "remembers"])
def test_threads_do_not_read_what_others_keep(forward, factory):
    batches = [torch.full((16, 3, 8, 8), 20 * number, dtype=torch.uint8) for number in range(8)]
    running, network = forward(factory)

    def hooks():
        return sum(len(module._forward_hooks) for module in network.modules())

    before = hooks()
    with running as one:
        alone = [one.run(batch) for batch in batches]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(one.run, batches))
        assert (hooks() > before) == (factory != "keeps")  # replicas have the hooks, where there are any
    assert hooks() == before
    for first, second in zip(alone, together, strict=True):
        assert np.array_equal(first.feature, second.feature)
        for mine, theirs in zip(first.maxima, second.maxima, strict=True):
            assert np.array_equal(mine, theirs)
    assert not np.array_equal(alone[0].feature, alone[1].feature)


def test_a_network_that_refuses_a_batch_is_named_as_the_cause(forward):
    with (
        forward("refuses")[0] as one,
        pytest.raises(SweepError, match=r"failed on a batch of shape 16x3x8x8: Assertion"),
    ):
        one.run(torch.full((16, 3, 8, 8), 255, dtype=torch.uint8))

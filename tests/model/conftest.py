"""What every test of `model` has: one intra-op thread, as a lane has; networks with their layers."""

import pytest
import torch
from capture_cases import InPlace, settle
from listed_networks import NETWORKS
from unitscope.model.feature.find_feature import find_feature
from unitscope.model.layers.layers import list_layers


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def listed():
    """name -> (network, input size, its layers); each made once."""
    made = {}

    def get(name):
        if name not in made:
            torch.manual_seed(0)
            make, size = NETWORKS[name]
            network = make().eval()
            made[name] = network, size, list_layers(network, size)
        return made[name]

    return get


@pytest.fixture
def small():
    network = settle(InPlace())
    return network, list_layers(network, (16, 16)), find_feature(network, (16, 16))

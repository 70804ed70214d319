"""What hides a network's modules from hooks is taken off, or refused."""

import pytest
import torch
from torch import nn
from unitscope.common.errors import ModelSpecError
from unitscope.model.unwrap import plain_network


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


def test_wrappers_are_taken_off():
    plain = network()
    assert plain_network(plain, "make") is plain
    assert plain_network(torch.compile(plain), "make") is plain
    assert plain_network(nn.DataParallel(torch.compile(nn.DataParallel(plain))), "make") is plain


def test_a_network_that_was_compiled_in_place_runs_its_modules():
    def backend(_graph, _inputs):
        raise AssertionError

    plain = network()
    plain.compile(backend=backend)
    plain_network(plain, "make")(torch.zeros(1, 3, 8, 8))


@pytest.mark.filterwarnings("ignore:.*torch.jit:")
def test_what_cannot_be_watched_is_refused():
    with pytest.raises(
        ModelSpecError, match=r"make\(\) returned a network whose 0 is the result of torch.compile"
    ):
        plain_network(nn.Sequential(torch.compile(network())), "make")
    with pytest.raises(ModelSpecError, match=r"make\(\) returned a network that is TorchScript"):
        plain_network(torch.jit.script(network()), "make")

"""Replicas share weights and nothing else."""

import threading

import torch
from torch import nn
from unitscope.model.running.replica import replica


def test_a_replica_has_its_own_modules_and_the_same_tensors():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    network.held = network[0].weight * 2  # what deepcopy refuses: it has a history
    images = torch.randn(2, 3, 8, 8)
    twin = replica(network, images)
    assert twin is not None
    assert twin[0] is not network[0]
    assert all(one is other for one, other in zip(twin.parameters(), network.parameters(), strict=True))
    assert all(one is other for one, other in zip(twin.buffers(), network.buffers(), strict=True))
    assert twin.held is network.held
    assert torch.equal(twin(images), network(images))


def test_what_cannot_be_copied_has_no_replica():
    network = nn.Identity()
    network.lock = threading.Lock()
    assert replica(network, torch.zeros(2, 3)) is None


def test_what_runs_the_network_s_own_modules_is_no_replica():
    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = first = nn.Linear(3, 2)
            self.steps = lambda images: first(images) + 1

        def forward(self, images):
            return self.steps(images)

    assert replica(Remembers(), torch.zeros(2, 3)) is None


def test_a_network_that_fails_has_no_replica():
    network = nn.Linear(3, 2)
    assert replica(network, torch.zeros(2, 4)) is None
    assert not network._forward_pre_hooks

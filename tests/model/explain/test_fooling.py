"""Fooling images: bounds are kept, predictions change, and DeepFool finds the nearest boundary of a linear network."""

import pytest
import torch
from explain_cases import small
from torch import nn
from unitscope.model.explain.fooling import deepfool, gradient_sign, projected_gradient


def plain(pixels):
    return pixels * 2 - 1


@pytest.fixture(scope="module")
def case():
    pixels = torch.rand(8, 3, 12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    network = small(4)
    network.head.bias -= network(plain(pixels)).mean(0)  # so that not one class has all
    return network, pixels, network(plain(pixels)).argmax(1)


@pytest.mark.parametrize("epsilon", [0.01, 0.2])
@pytest.mark.parametrize("seed", [None, 3])
def test_a_change_keeps_within_its_bounds(case, epsilon, seed):
    network, pixels, labels = case
    for found in (
        gradient_sign(network, plain, pixels, labels, epsilon),
        projected_gradient(network, plain, pixels, labels, epsilon, seed=seed),
    ):
        assert float((found.images - pixels).abs().max()) <= epsilon + 1e-12
        assert float(found.images.min()) >= 0 and float(found.images.max()) <= 1
        assert torch.allclose(found.linf, (found.images - pixels).abs().amax((1, 2, 3)))
        assert torch.equal(found.predicted, network(plain(found.images)).argmax(1))


def test_more_steps_fool_more_and_a_large_change_fools_all(case):
    network, pixels, labels = case
    rates = [
        float(
            (projected_gradient(network, plain, pixels, labels, e, seed=None).predicted != labels)
            .double()
            .mean()
        )
        for e in (1e-5, 0.02, 0.5)
    ]
    assert rates[0] == 0 and rates == sorted(rates) and rates[-1] == 1


def test_deepfool_reaches_the_nearest_boundary_of_a_linear_network():
    network = nn.Sequential(nn.Flatten(), nn.Linear(432, 4)).double().requires_grad_(requires_grad=False)
    pixels = 0.4 + 0.2 * torch.rand(
        5, 3, 12, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    given = network(plain(pixels))
    first = given.argmax(1)
    found = deepfool(network, plain, pixels, overshoot=0)
    weight = 2 * network[1].weight
    for image in range(5):
        lengths = [
            float(
                (given[image, first[image]] - given[image, other])
                / (weight[other] - weight[first[image]]).norm()
            )
            for other in range(4)
            if other != first[image]
        ]
        change = float((found.images[image] - pixels[image]).norm())
        assert change == pytest.approx(min(lengths), rel=1e-2)


def test_deepfool_changes_every_prediction_by_little(case):
    network, pixels, labels = case
    found = deepfool(network, plain, pixels)
    assert (found.predicted != labels).all()
    assert float(found.l2.max()) < 0.3

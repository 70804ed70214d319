"""Checks of explanations: maps that follow the network pass, maps that follow the image do not."""

import numpy as np
import pytest
import torch
from explain_cases import images, small
from scipy.stats import spearmanr
from torch import nn
from unitscope.model.explain.checks import (
    cascading,
    centre_maps,
    deletion,
    depends,
    insertion,
    interval,
    random_maps,
    randomisation,
    spearman,
    ssim,
)
from unitscope.model.explain.gradients import gradient
from unitscope.model.explain.target import Target


def test_layers_become_random_from_the_output_on():
    network = small()
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    seen, changed = [], []
    for name, random in cascading(network, images(1)):
        seen.append(name)
        changed.append({n for n, weight in random.named_parameters() if not torch.equal(weight, before[n])})
    assert seen == ["head", "second", "first"]
    assert changed[0] == {"head.weight", "head.bias"}
    assert changed[-1] == set(before)
    assert all(torch.equal(weight, before[name]) for name, weight in network.named_parameters())


def test_the_same_seed_gives_the_same_random_networks():
    network = small()
    one, other = (list(cascading(network, images(1), seed=4))[-1][1] for _ in range(2))
    assert torch.equal(one(images()), other(images()))
    assert not torch.equal(one(images()), list(cascading(network, images(1), seed=5))[-1][1](images()))


def test_a_module_without_its_own_beginning_is_drawn_anew():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.linspace(1, 3, 432), requires_grad=False)

        def forward(self, given):
            return (given.flatten(1) * self.scale)[:, :4]

    ((name, random),) = cascading(Scaled(), images(1, dtype=torch.float32))
    assert name == ""
    assert float(random.scale.mean()) == pytest.approx(2, abs=0.2)
    assert not torch.equal(random.scale, Scaled().scale)


def test_maps_of_the_network_change_and_maps_of_the_image_do_not():
    network, given = small(), images(4)

    def of_network(one):
        return gradient(one, given, Target([2]))

    gone = randomisation(network, given, of_network)
    kept = randomisation(network, given, lambda _: given.abs().amax(1))
    assert [one.layer for one in gone] == ["head", "second", "first"]
    assert gone[-1].spearman < 0.5 and gone[-1].ssim < 0.6
    assert all(one.spearman == one.spearman_absolute == pytest.approx(1) for one in kept)
    assert all(one.ssim == pytest.approx(1) for one in kept)
    assert depends(gone) and not depends(kept)


def test_spearman_is_scipys_and_a_constant_map_has_none():
    one, two = images(1)[0, 0].round(decimals=1), images(1)[0, 1].round(decimals=1)
    assert spearman(one, two) == pytest.approx(spearmanr(one.numpy(), two.numpy(), axis=None).statistic)
    assert spearman(one, torch.zeros_like(one)) == 0


def test_ssim_tells_likeness():
    one = images(1, 24)[0, 0]
    near, other = one + 0.1 * images(1, 24)[0, 1], images(1, 24)[0, 2]
    assert ssim(one, one) == pytest.approx(1)
    assert ssim(one, 3 * one + 2) == pytest.approx(1)
    assert ssim(one, near) > 0.9
    assert abs(ssim(one, other)) < 0.4


def test_curves_against_a_loop():
    given, baseline = images(2, 6), torch.zeros(2, 3, 6, 6, dtype=torch.float64)
    maps = random_maps(given, 3)

    def score(batch):
        return batch[:, 0, 2, 3] + batch.sum((1, 2, 3)) / 100

    gone, come = (exchange(given, maps, score, baseline, steps=6) for exchange in (deletion, insertion))
    for image in range(2):
        order = maps[image].flatten().argsort(descending=True).tolist()
        for step in range(7):
            kept, made = given[image].clone(), baseline[image].clone()
            for pixel in order[: step * 6]:
                kept[:, pixel // 6, pixel % 6] = 0
                made[:, pixel // 6, pixel % 6] = given[image][:, pixel // 6, pixel % 6]
            assert gone.scores[image, step] == pytest.approx(float(score(kept[None])))
            assert come.scores[image, step] == pytest.approx(float(score(made[None])))
    expected = np.trapezoid(gone.scores, np.linspace(0, 1, 7), axis=1)
    assert gone.area == pytest.approx(expected)


def test_a_map_of_what_counts_beats_a_random_order():
    given = torch.rand(20, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    baseline = torch.zeros_like(given)
    truth = torch.zeros(20, 12, 12)
    truth[:, 1:4, 8:11] = 1

    def score(batch):
        return batch[:, :, 1:4, 8:11].mean((1, 2, 3))

    for other in (random_maps(given), centre_maps(given)):
        gone, come = (
            [exchange(given, maps, score, baseline).area.mean() for maps in (truth, other)]
            for exchange in (deletion, insertion)
        )
        assert gone[0] < gone[1] and come[0] > come[1]


def test_an_interval_holds_the_mean():
    values = np.random.default_rng(0).normal(3, 1, 400)
    low, high = interval(values)
    assert low < values.mean() < high and high - low == pytest.approx(4 / 20, rel=0.2)

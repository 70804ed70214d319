"""Gradient explanations against finite differences, plain loops and the definitions."""

import pytest
import torch
from explain_cases import images, small
from unitscope.common.errors import LayerError, UnitscopeError
from unitscope.model.explain.gradients import (
    grad_cam,
    gradient,
    in_batches,
    integrated_gradients,
    saliency_map,
    smoothgrad,
)
from unitscope.model.explain.target import Target, scores
from unitscope.model.layers.layers import list_layers
from unitscope.model.outputs import OutputKind

CLASS = Target([2])


def layers(network):
    return {layer.name: layer for layer in list_layers(network.float(), (12, 12)).swept}


@pytest.fixture(scope="module")
def unit_targets():
    found = layers(small())
    return {
        "class": CLASS,
        "several classes": Target([0, 4, 2]),
        "unit": Target([3], layer=found["first"]),
        "unit at a position": Target([3], layer=found["first"], positions=[40]),
        "second call of a module": Target([1], layer=found["second:1"]),
    }


@pytest.mark.parametrize(
    "name", ["class", "several classes", "unit", "unit at a position", "second call of a module"]
)
def test_gradient_equals_finite_differences(unit_targets, name):
    network, given, target = small(), images(), unit_targets[name]
    found = gradient(network, given, target)
    generator, step = torch.Generator().manual_seed(3), 1e-6
    for _ in range(25):
        image, channel, y, x = (int(torch.randint(n, (1,), generator=generator)) for n in given.shape)
        up, down = given.clone(), given.clone()
        up[image, channel, y, x] += step
        down[image, channel, y, x] -= step
        with torch.no_grad():
            change = scores(network, up, target).values - scores(network, down, target).values
        assert found[image, channel, y, x] == pytest.approx(float(change[image]) / (2 * step), abs=1e-6)


def test_gradient_leaves_the_images_and_the_network(unit_targets):
    network, given = small(), images()
    before = given.clone()
    gradient(network, given, unit_targets["unit"])
    assert torch.equal(given, before)
    assert not given.requires_grad
    assert not [hook for module in network.modules() for hook in module._forward_hooks]


@pytest.mark.parametrize("method", ["gradient", "smoothgrad", "integrated", "cam"])
def test_batched_equals_one_by_one(method):
    network, given = small(), images()
    layer = layers(small())["first"]
    target = Target([0, 4, 2])

    def made(some, of):
        return {
            "gradient": lambda: gradient(network, some, of),
            "smoothgrad": lambda: smoothgrad(network, some, of, samples=5),
            "integrated": lambda: integrated_gradients(network, some, of, steps=8).attribution,
            "cam": lambda: grad_cam(network, some, of, layer),
        }[method]()

    whole = made(given, target)
    single = torch.cat([made(some, of) for some, of in in_batches(given, target, 1)])
    assert torch.allclose(whole, single, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "name", ["class", "several classes", "unit", "unit at a position", "second call of a module"]
)
def test_integrated_gradients_sum_to_the_change(unit_targets, name):
    network, given, target = small(), images(), unit_targets[name]
    found = integrated_gradients(network, given, target)
    if target.layer is None:
        change = network(given) - network(torch.zeros_like(given))
        wanted = change[torch.arange(3), list(target.indices) * (3 // len(target.indices))]
        gaps = (found.attribution.sum((1, 2, 3)) - wanted).abs()
        assert torch.allclose(found.error, gaps / wanted.abs(), rtol=1e-6)
    size = found.attribution.abs().sum((1, 2, 3))
    assert float((found.error * found.attribution.sum((1, 2, 3)).abs() / size).max()) < 0.01


def test_integrated_gradients_of_a_linear_network_are_its_weights_times_the_image():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(432, 4)).double()
    given = images()
    found = integrated_gradients(network, given, Target([1]), steps=2)
    expected = network[1].weight[1].reshape(3, 12, 12) * given
    assert torch.allclose(found.attribution, expected.detach(), rtol=1e-10)


def test_smoothgrad_is_the_mean_of_noisy_gradients():
    network, given = small(), images(1)
    generator = torch.Generator().manual_seed(5)
    spread = 0.2 * float(given.max() - given.min())
    noise = [torch.randn(given.shape[1:], generator=generator) for _ in range(4)]
    expected = torch.stack([gradient(network, given + spread * one.double(), CLASS) for one in noise]).mean(0)
    found = smoothgrad(network, given, CLASS, samples=4, noise=0.2, seed=5)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-8)


def test_grad_cam_equals_the_papers_equations():
    network, given = small(), images()
    layer = layers(small())["first"]
    kept = []
    hook = network.first.register_forward_hook(
        lambda _, __, output: kept.append(output.clone()) or kept[-1].clone()
    )
    inputs = given.clone().requires_grad_()
    score = network(inputs)[:, 2].sum()
    hook.remove()
    slope = torch.autograd.grad(score, kept[0])[0]
    maps = kept[0].detach()
    expected = torch.zeros(3, 12, 12, dtype=torch.float64)
    for image in range(3):
        for unit in range(6):
            expected[image] += slope[image, unit].mean() * maps[image, unit]
    found = grad_cam(network, given, CLASS, layer)
    assert torch.allclose(found, expected.relu(), rtol=1e-9)


def test_grad_cam_refuses_a_vector_and_what_comes_after_the_target():
    found = layers(small())
    network = small()
    with pytest.raises(LayerError, match="one position"):
        grad_cam(network, images(), CLASS, found["head"])
    with pytest.raises(LayerError, match="no part in the target"):
        grad_cam(network, images(), Target([0], layer=found["first"]), found["second:0"])


def test_targets_are_one_for_each_image_or_one_for_all():
    with pytest.raises(UnitscopeError, match="not one for each"):
        gradient(small(), images(3), Target([0, 1]))


def test_one_score_and_probabilities_are_read_as_the_store_says():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(432, 1)).double()
    given = images()
    binary = OutputKind("binary")
    up = gradient(network, given, Target([1], output=binary))
    assert torch.equal(up, -gradient(network, given, Target([0], output=binary)))
    shares = torch.nn.Sequential(small(), torch.nn.Softmax(1))
    output = OutputKind("classification", "probabilities")
    found = gradient(shares, given, Target([2], output=output))
    logs = torch.nn.Sequential(small(), torch.nn.LogSoftmax(1))
    assert torch.allclose(found, gradient(logs, given, CLASS), rtol=1e-8)


def test_the_map_of_a_gradient_is_its_largest_channel():
    values = torch.tensor([[[[1.0]], [[-3.0]], [[2.0]]]])
    assert saliency_map(values).tolist() == [[[3.0]]]

"""Guided backprop and deconvnet against a walk over the autograd graph, where every ReLU is met by another way."""

import pytest
import torch
import torchvision.models as networks
from explain_cases import images, small
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.explain.gradients import gradient
from unitscope.model.explain.relu import gradient_by_rule
from unitscope.model.explain.target import Target

RULES = ("guided-backprop", "deconvnet")
_NODES = ("ReluBackward", "HardtanhBackward", "ClampBackward", "ClampMinBackward")


def by_graph(network, given, index, rule):
    """The gradient with a hook at each node of a ReLU; and how many there are."""
    inputs = given.clone().requires_grad_()
    output = network(inputs.clone())
    score = getattr(output, "logits", output)[:, index].sum()
    seen, waiting, relus = set(), [score.grad_fn], 0
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if type(node).__name__.startswith(_NODES):
            relus += 1
            if rule == "deconvnet":
                node.register_hook(lambda _, above: (above[0].clamp_min(0),))
            else:
                node.register_hook(
                    lambda below, _: tuple(one if one is None else one.clamp_min(0) for one in below)
                )
        waiting += [below for below, _ in node.next_functions]
    return torch.autograd.grad(score, inputs)[0], relus


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "vgg11",
        "resnet18",
        "googlenet",
        "mobilenet_v3_small",
        pytest.param("densenet121", marks=pytest.mark.slow),
    ],
)
def test_a_torchvision_network_equals_the_walk(name, rule):
    torch.manual_seed(0)
    more = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    network = getattr(networks, name)(weights=None, **more).eval().requires_grad_(requires_grad=False)
    given = torch.randn(1, 3, 96, 96)
    found = gradient_by_rule(network, given, Target([5]), rule)
    expected, relus = by_graph(network, given, 5, rule)
    assert found.relus == relus > 5
    assert float((found.gradient - expected).abs().max()) <= 1e-6 * float(expected.abs().max())
    assert bool(found.warning) == (name == "mobilenet_v3_small")


@pytest.mark.parametrize("rule", RULES)
def test_every_way_to_call_a_relu_is_met(rule):
    network, given = small(), images()
    found = gradient_by_rule(network, given, Target([2]), rule)
    expected, relus = by_graph(network, given, 2, rule)
    assert found.relus == relus == 6
    assert torch.allclose(found.gradient, expected, rtol=1e-12)
    assert not torch.allclose(found.gradient, gradient(network, given, Target([2])))


def test_an_operation_in_place_keeps_its_meaning():
    class Aliased(nn.Module):
        def forward(self, given):
            mapped = given * 2
            other = mapped.view(len(mapped), -1)
            torch.relu_(mapped)
            return other[:, :4]

    given = images()
    found = gradient_by_rule(Aliased(), given, Target([1]), "guided-backprop")
    expected, relus = by_graph(Aliased(), given, 1, "guided-backprop")
    assert (found.relus, relus) == (1, 1)
    assert torch.equal(found.gradient, expected)


@pytest.mark.parametrize("rule", RULES)
def test_a_network_without_a_relu_is_refused(rule):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.LazyLinear(3))
    network(images(dtype=torch.float32))
    with pytest.raises(LayerError, match=r"none ran in this network \(gelu\): use integrated-gradients"):
        gradient_by_rule(network, images(dtype=torch.float32), Target([1]), rule)


def test_a_clamp_that_is_no_relu_is_left_alone():
    class Clamped(nn.Module):
        def forward(self, given):
            return torch.relu(given.clamp(-0.5, 0.5)).flatten(1)[:, :3]

    assert gradient_by_rule(Clamped(), images(), Target([0]), "deconvnet").relus == 1

"""What hides a network's modules from hooks is taken off, or refused."""

import pytest
import torch
from torch import nn
from unitscope.common.errors import ModelSpecError
from unitscope.model.sources.unwrap import plain_network


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


def exported():
    return torch.export.export(network().eval(), (torch.zeros(2, 3, 8, 8),)).module()


def quantised():
    kind = torch.ao.nn.quantized
    return nn.Sequential(kind.Quantize(0.1, 0, torch.quint8), kind.Conv2d(3, 4, 3), kind.DeQuantize())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (exported, r"that is a module of torch\.export"),
        (lambda: nn.Sequential(exported(), nn.ReLU()), r"whose 0 is a module of torch\.export"),
        (lambda: torch.fx.experimental.proxy_tensor.make_fx(network())(torch.zeros(1, 3, 8, 8)), "torch.fx"),
        (quantised, r"whose 0 is quantised \(Quantize\)"),
        (
            lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Flatten(), nn.Linear(3, 2))),
            r"whose 1 is quantised \(Linear\)",
        ),
    ],
)
def test_graphs_without_modules_and_quantised_networks_are_refused(make, message):
    with pytest.raises(ModelSpecError, match=message) as caught:
        plain_network(make(), "make")
    assert "return the plain torch.nn.Module" in str(caught.value)


def test_a_traced_graph_that_calls_its_modules_is_a_network():
    traced = torch.fx.symbolic_trace(network())
    assert plain_network(traced, "make") is traced

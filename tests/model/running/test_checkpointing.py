"""Activation checkpointing changes nothing: layers, feature, gradients, in both forms and however it is called."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import CheckpointFunction, checkpoint, checkpoint_sequential
from unitscope.model.capture.capture import Capture
from unitscope.model.feature.find_feature import find_feature
from unitscope.model.layers.layers import list_layers
from unitscope.model.receptive_field.effective import measure_views
from unitscope.model.receptive_field.receptive_field import unit_fields
from unitscope.model.running.checkpointing import no_checkpointing


class Block(nn.Module):
    """`how` calls the middle of the network."""

    def __init__(self, how):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3)
        self.middle = nn.Sequential(nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3))
        self.head = nn.Linear(8, 5)
        self.how = how

    def forward(self, x):
        return self.head(self.how(self.middle, self.first(x)).mean((2, 3)))


HOWS = {
    "reentrant": lambda part, x: checkpoint(part, x, use_reentrant=True),
    "not reentrant": lambda part, x: checkpoint(part, x, use_reentrant=False),
    "keywords": lambda part, x: checkpoint(part, input=x, use_reentrant=False),
    "sequential": lambda part, x: checkpoint_sequential(part, 2, x, use_reentrant=True),
    "nested": lambda part, x: checkpoint(
        lambda y: part[2:](checkpoint(part[:2], y, use_reentrant=False)), x, use_reentrant=False
    ),
}


def facts(how):
    torch.manual_seed(4)
    network = Block(how).eval().requires_grad_(requires_grad=False)
    listed = list_layers(network, (16, 16))
    fields = unit_fields(network, listed.swept, (16, 16))
    images = torch.randn(6, 3, 16, 16)
    views = measure_views(network, listed.swept, fields, [images], samples=6)
    feature = find_feature(network, (16, 16))
    with torch.inference_mode(), Capture(network, listed.swept, feature) as capture:
        network(images)
        taken = capture.take()
    maxima = {name: one.values for name, one in taken.reductions.items()}
    return [layer.name for layer in listed.swept], fields, views, feature.name, maxima


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.filterwarnings("ignore")
def test_it_is_as_if_there_were_none(how):
    plain, other = facts(lambda part, x: part(x)), facts(HOWS[how])
    names = [name for name in plain[0] if name in other[0]]
    assert names == other[0] and {"middle.0", "middle.3", "head"} <= set(
        names
    )  # some call `middle` itself, some do not
    assert plain[3] == other[3] == "input:head"
    for name in names:
        for one, theirs in zip((plain[1], plain[2]), (other[1], other[2]), strict=True):
            assert one[name] == theirs[name]
        assert torch.equal(plain[4][name], other[4][name])


def test_it_is_put_back():
    x = torch.ones(2, requires_grad=True)
    with no_checkpointing():
        with no_checkpointing():
            pass
        assert checkpoint(torch.exp, x, use_reentrant=True).grad_fn.name().startswith("Exp")
    made = checkpoint(torch.exp, x, use_reentrant=True)
    assert "CheckpointFunction" in made.grad_fn.name()
    assert torch.utils.checkpoint.CheckpointFunction is CheckpointFunction

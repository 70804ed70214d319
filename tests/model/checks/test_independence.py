"""Networks whose values depend on chance or on the batch are told before anything is swept."""

import pytest
import torch
from capture_cases import InPlace, settle
from torch import nn
from torch.nn import functional as F
from unitscope.common.errors import LayerError
from unitscope.model.checks.independence import check_independence
from unitscope.model.feature.find_feature import feature_named
from unitscope.model.layers.layers import list_layers

SIZE = (16, 16)


class Around(nn.Module):
    """A small classifier; `middle` is what stands between its convolution and its head."""

    def __init__(self, middle, *, train=False):
        super().__init__()
        self.conv, self.middle, self.train_middle = nn.Conv2d(3, 4, 3), middle, train
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    def forward(self, x):
        if isinstance(self.middle, nn.Module):
            self.middle.train(self.train_middle)
        return self.head(self.middle(self.conv(x)))


def check(network):
    torch.manual_seed(0)
    network = network.eval()
    check_independence(
        network, list_layers(network, SIZE).swept, feature_named(network, SIZE, "output"), SIZE
    )


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        (nn.Dropout(0.5), r"layer middle gives other values .* come again.*\(now: middle \(Dropout\)\)"),
        (lambda x: F.dropout(x, 0.5, training=True), r"layer head\.0 gives other values .* come again"),
        (
            nn.BatchNorm2d(4),
            r"layer middle .* other images stand beside it .*\(now: middle \(BatchNorm2d\)\)",
        ),
        (lambda x: x - x.mean(), r"layer head\.0 .* other images stand beside it"),
    ],
)
def test_what_depends_on_more_than_the_image(middle, message):
    with pytest.raises(LayerError, match=message):
        check(Around(middle, train=True))


def test_what_takes_few_numbers_of_images():
    def only_some(x):
        assert x.shape[0] < 4
        return x

    with pytest.raises(LayerError, match="fails on a batch of shape 4x3x16x16: AssertionError"):
        check(Around(only_some))


@pytest.mark.parametrize(
    "network",
    [
        Around(nn.Dropout(0.5)),
        Around(nn.BatchNorm2d(4)),
        Around(lambda x: x * float("nan")),
        Around(lambda x: x - x.mean((1, 2, 3), keepdim=True)),
        settle(InPlace()),
    ],
)
def test_what_depends_on_the_image_alone(network):
    check(network)
    assert not any(module._forward_hooks for module in network.modules())

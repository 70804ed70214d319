"""Filters: what is shown is what the layer answers to, measured by impulses; all else is refused with a reason."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.layers.kernels import filters_of
from unitscope.model.layers.layers import list_layers

SIZE = (32, 32)


class Standardised(nn.Conv2d):
    """As timm's StdConv2d: the weights that are applied are not those that are held."""

    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight / weight.std((1, 2, 3), keepdim=True), self.bias)


class Same(nn.Conv2d):
    """As timm's Conv2dSame: a forward of its own that applies the weights as they are."""

    def forward(self, x):
        return F.conv2d(
            F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


class Frozen(nn.Module):
    """As torchvision's FrozenBatchNorm2d."""

    def __init__(self, units):
        super().__init__()
        for name, value in (("weight", torch.randn(units)), ("running_var", torch.rand(units) + 0.5)):
            self.register_buffer(name, value)
        self.register_buffer("running_mean", torch.randn(units))
        self.eps = 1e-4

    def forward(self, x):
        scale = self.weight / (self.running_var + self.eps).sqrt()
        return x * scale[:, None, None] - (self.running_mean * scale)[:, None, None]


Frozen.__name__ = "FrozenBatchNorm2d"


def head(units):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(units, 4)]


def shaken(network):
    """Batch norms with statistics and signs of their own."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            if module.affine:
                nn.init.normal_(module.weight)
            module.running_var.uniform_(0.3, 3)
            module.running_mean.normal_()
    return network.eval()


def found(network, name, size=SIZE):
    layer = next(layer for layer in list_layers(network, size).swept if layer.name == name)
    return filters_of(network, layer, size)


def impulses(stage, channels, kernel, groups=1):
    """(units, channels, k, k): what `stage`, without its constant, answers to one pixel at a time (stride 1)."""
    size = 2 * kernel + 1
    images = torch.zeros(channels, channels, size, size)
    images[torch.arange(channels), torch.arange(channels), kernel, kernel] = 1
    with torch.no_grad():
        answer = stage(images) - stage(torch.zeros(1, channels, size, size))
    middle = slice(kernel - kernel // 2, kernel + kernel // 2 + 1)
    return answer[:, :, middle, middle].flip(2, 3).transpose(0, 1)


def test_the_first_convolution_reads_the_image():
    network = nn.Sequential(nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), *head(6)).eval()
    filters = found(network, "0")
    assert filters.rgb
    assert (filters.module, filters.normalisation, filters.groups) == ("0", "", 1)
    np.testing.assert_allclose(filters.weights, impulses(network[0], 3, 5), atol=1e-6)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, lambda n: nn.BatchNorm2d(n, affine=False), Frozen])
def test_a_normalisation_turns_filters_round(norm):
    """Its layer answers to the convolution's weights times its own scale, which may be negative."""
    torch.manual_seed(1)
    network = shaken(nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), norm(6), nn.ReLU(), *head(6)))
    filters = found(network, "1")
    assert filters.rgb
    assert (filters.module, filters.normalisation) == ("0", "1")
    np.testing.assert_allclose(filters.weights, impulses(network[:2], 3, 3), atol=1e-5)
    if isinstance(network[1], nn.BatchNorm2d) and network[1].affine:
        assert (network[1].weight < 0).any()
        assert not np.allclose(filters.weights, network[0].weight.numpy(force=True))


def test_a_convolution_before_a_normalisation_has_its_own_weights():
    network = shaken(nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), *head(6)))
    filters = found(network, "0")
    assert filters.normalisation == ""
    assert np.array_equal(filters.weights, network[0].weight.numpy(force=True))


def test_other_normalisations_scale_by_their_weight():
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), *head(6)).eval()
    nn.init.normal_(network[1].weight)
    filters = found(network, "1")
    expected = network[0].weight * network[1].weight[:, None, None, None]
    np.testing.assert_allclose(filters.weights, expected.detach().numpy(), rtol=1e-6)


def test_a_deeper_convolution_of_three_channels_is_no_colour():
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 6, 3), *head(6)).eval()
    assert found(network, "0").rgb
    assert not found(network, "2").rgb


def test_scaled_channels_of_the_image_are_colour_still():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 6, 3)
            self.rest = nn.Sequential(*head(6))

        def forward(self, x):
            return self.rest(self.conv((x - 0.3) * torch.tensor([2.0, 0.5, 1.5])[:, None, None]))

    class Mixed(Scaled):
        def forward(self, x):
            return self.rest(self.conv(x.flip(1)))

    assert found(Scaled().eval(), "conv").rgb
    assert not found(Mixed().eval(), "conv").rgb


def test_groups():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 12, 3, groups=4), *head(12)).eval()
    filters = found(network, "2")
    assert filters.weights.shape == (12, 2, 3, 3)
    assert filters.groups == 4
    assert not filters.rgb


@pytest.mark.parametrize("groups", [1, 2])
def test_a_forward_of_its_own_is_checked(groups):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), Same(8, 12, 2, groups=groups), *head(12)).eval()
    assert np.array_equal(found(network, "2").weights, network[2].weight.numpy(force=True))
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), Standardised(8, 12, 3, groups=groups), *head(12)
    ).eval()
    with pytest.raises(LayerError, match=r"2 \(Standardised\) does not apply the weights that it holds"):
        found(network, "2")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1", "is a ReLU, neither a 2-d convolution nor a normalisation"),
        ("2", "is a BatchNorm2d"),
        ("3", "is a MaxPool2d"),
        ("5", "is a ConvTranspose2d"),
        ("7.2", "is linear, its weights are one row of 6 numbers"),
        ("7", "is a Sequential"),
    ],
)
def test_what_has_no_filters_says_why(name, why):
    network = shaken(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(6), nn.MaxPool2d(2), nn.Conv2d(6, 6, 1),
            nn.ConvTranspose2d(6, 6, 2, 2), nn.ReLU(), nn.Sequential(*head(6)),
        )
    )  # fmt: skip
    with pytest.raises(LayerError, match=why):
        found(network, name)


def test_a_normalisation_after_an_in_place_relu_takes_no_convolutions_output():
    network = shaken(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(6), *head(6)))
    with pytest.raises(LayerError, match="is a BatchNorm2d"):
        found(network, "2")


def test_the_network_is_left_as_it_was():
    network = shaken(nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), *head(6)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found(network, "1")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())

"""Networks that care about memory layout: only convolutions' weights change it, and not where the network minds."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from unitscope.model.running.layout import settle_layout, takes_channels_last, use_channels_last
from unitscope.model.running.replica import replica


class Complex(nn.Module):
    """A global filter, its weight four-dimensional: real pairs as (channels, height, width, 2)."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 8, 5, 2))

    def forward(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(x) * torch.view_as_complex(self.weight), s=x.shape[-2:])


class ComplexBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.randn(1, 8, 8, 5, dtype=torch.complex64))

    def forward(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(x) * self.weight, s=x.shape[-2:])


class PositionBias(nn.Module):
    """A table that is read as a matrix."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(8, 2, 4, 8))

    def forward(self, x):
        return x + self.table.view(8, 8, 8)


class Flat(nn.Module):
    """As it was written before there was `nn.Flatten`."""

    def forward(self, x):
        return x.view(x.size(0), -1)


class Standardised(nn.Conv2d):
    def forward(self, x):
        rows = self.weight.view(self.weight.size(0), -1)
        return F.conv2d(x, (rows - rows.mean(1, keepdim=True)).view_as(self.weight), self.bias, padding=1)


class PositionsAsChannels(nn.Module):
    def forward(self, x):
        return x.view(x.shape[0], 64, 8).transpose(1, 2).reshape(x.shape)


def network(middle, convolution=nn.Conv2d):
    torch.manual_seed(3)
    made = nn.Sequential(
        convolution(3, 8, 3, padding=1), middle, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5)
    )
    return made.eval().requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    ("make", "channels_last"),
    [
        (lambda: network(nn.ReLU()), True),
        (lambda: network(nn.Sequential(nn.ConvTranspose2d(8, 8, 1), nn.Conv2d(8, 8, 1, groups=8))), True),
        (lambda: network(Complex()), True),
        (lambda: network(ComplexBuffer()), True),
        (lambda: network(PositionBias()), True),
        (lambda: network(PositionsAsChannels()), False),
        (lambda: network(nn.ReLU(), Standardised), False),
        (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), Flat(), nn.Linear(8 * 36, 5)).eval(), False),
    ],
)
def test_a_network_gives_what_it_gives_in_plain_torch(make, channels_last):
    images = torch.randn(4, 3, 8, 8)
    torch.manual_seed(3)
    plain = make()
    torch.manual_seed(3)
    settled = make()
    with torch.inference_mode():
        wanted = plain(images)
        assert torch.allclose(settle_layout(settled, images), wanted, atol=1e-5)
        assert takes_channels_last(settled) == channels_last
        use_channels_last(settled)
        copy = replica(settled, images)
        assert copy is not None
        for each in (settled, copy):
            got = each(images.contiguous(memory_format=torch.channels_last))
            assert torch.allclose(got, wanted, atol=1e-5)
    first = next(module for module in settled.modules() if isinstance(module, nn.Conv2d))
    assert first.weight.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert not first.weight.is_inference()


def test_what_fails_in_any_layout_raises_its_own_error():
    broken = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(7, 2)).eval()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        settle_layout(broken, torch.zeros(1, 3, 8, 8))
    assert takes_channels_last(broken)


def test_only_two_dimensional_convolutions_are_laid_out():
    made = use_channels_last(
        nn.ModuleList([nn.Conv2d(3, 4, 3), nn.Conv3d(1, 2, 3), nn.Linear(2, 2), Complex()])
    )
    assert made[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert made[1].weight.is_contiguous() and made[3].weight.is_contiguous()

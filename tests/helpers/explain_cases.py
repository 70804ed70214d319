"""Small networks for tests of explanations."""

import torch
from torch import nn


class Small(nn.Module):
    """Two convolutions, a ReLU of each way to call one, and two classes more than a layer has positions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(6, 8, 3, stride=2)
        self.head = nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mapped = self.relu(self.first(images))
        mapped = torch.relu(self.second(mapped)) + self.relu(self.second(mapped) - 0.1)
        mapped.relu_()
        return self.head(nn.functional.relu6(mapped.mean((2, 3)).clamp(min=0)))


def small(seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Return it with random weights, in eval mode, without gradients of its own."""
    torch.manual_seed(seed)
    return Small().to(dtype).eval().requires_grad_(requires_grad=False)


def images(count: int = 3, side: int = 12, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return (count, 3, side, side) of noise."""
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(7), dtype=dtype)

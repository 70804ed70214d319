"""A small dataset and a small network with random weights, for sweeps that take a second."""

import io
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NETWORK = textwrap.dedent(
    '''
    """A small network with every kind of layer that a sweep meets: in-place ReLUs, batch norm, a residual block."""

    import torch
    from torch import nn

    CLASSES = ["circle", "square", "cross"]
    PREPROCESS = {"resize": 24, "crop": 24, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}


    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(width)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            return self.relu(self.norm(self.conv(x)) + x)


    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 12, 5, stride=2, padding=2), nn.ReLU(inplace=True))
            self.block = Block(12)
            self.head = nn.Sequential(
                nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 20), nn.ReLU(inplace=True), nn.Linear(20, 3)
            )

        def forward(self, x):
            return self.head(self.block(self.stem(x)))


    def small():
        return Small()
    '''
)


@dataclass(frozen=True)
class Material:
    """Where the dataset folder and the network are."""

    data: Path
    model: str
    images: int


def draw(seed: int, width: int, height: int) -> np.ndarray:
    """Smooth noise, (height, width, 3) uint8."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encode(pixels: np.ndarray, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def make_material(folder: Path, images: int) -> Material:
    """`images` pictures of different sizes in three class folders, and the network's file."""
    data = folder / "data"
    for number in range(images):
        label = ["circle", "square", "cross"][number % 3]
        (data / label).mkdir(parents=True, exist_ok=True)
        width, height = 24 + number % 17, 24 + number % 11
        (data / label / f"{number:04d}.jpg").write_bytes(encode(draw(number, width, height)))
    (folder / "network.py").write_text(NETWORK)
    return Material(data, f"{folder / 'network.py'}:small@random", images)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"), 150)


@pytest.fixture(scope="session")
def make():
    """`make_material(folder, images)`, for tests that need another size."""
    return make_material

"""A pattern planted in photographs that are not square: the patch, its crop and the input gradient all show it.

The network fires on brightness seen through a bell-shaped window. The input gradient is taken through torchvision's
own resize and crop, down to the original's pixels: the geometry under test has no part in it.
"""

import io
import textwrap

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as transforms
from unitscope.index.datasets.decode import crop_jpeg, decode
from unitscope.index.store.store import Store
from unitscope.jobs.sweep.run import sweep
from unitscope.model.sources.load import load_model

GREY, BRIGHT = 60, 255
NETWORK = textwrap.dedent(
    """
    import torch
    from torch import nn

    PREPROCESS = {"resize": 64, "crop": 56, "mean": [0.2, 0.2, 0.2], "std": [0.5, 0.5, 0.5]}


    def bell(inputs, size):
        line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
        return torch.outer(line, line).expand(1, inputs, size, size).clone() / inputs


    class Bright(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 1, 5, stride=2, bias=False)
            self.first.weight.data = bell(3, 5)
            self.second = nn.Conv2d(1, 1, 5, stride=2, padding=2, bias=False)
            self.second.weight.data = bell(1, 5)
            self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.head = nn.Linear(1, 2)

        def forward(self, x):
            return self.head(self.pool(self.second(torch.relu(self.first(x)))))


    def bright():
        return Bright()
    """
)

LANDSCAPE = [(300, 200, x, y) for x, y in ((75, 30), (140, 90), (200, 150), (120, 160), (210, 40))]
PORTRAIT = [(200, 300, x, y) for x, y in ((30, 75), (90, 140), (150, 200), (160, 120), (40, 210))]
PLACES = [*LANDSCAPE, *PORTRAIT, (256, 200, 60, 100), (200, 201, 100, 30), (64, 170, 20, 80)]
"""(width, height, x, y): the pattern's left upper corner."""


def pattern(width: int, height: int) -> int:
    """The pattern's side: about four and a half pixels of the model's input."""
    return round(0.07 * min(width, height))


def photograph(width: int, height: int, x: int, y: int) -> np.ndarray:
    """(height, width, 3) uint8: grey, with the pattern."""
    pixels = np.full((height, width, 3), GREY, np.uint8)
    side = pattern(width, height)
    pixels[y : y + side, x : x + side] = BRIGHT
    return pixels


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("bright") / "bright.py"
    path.write_text(NETWORK)
    return f"{path}:bright@random"


@pytest.fixture
def store(model, config, tmp_path) -> Store:
    data = tmp_path / "data"
    data.mkdir()
    for number, place in enumerate(PLACES):
        Image.fromarray(photograph(*place)).save(data / f"{number:02d}.png")
    sweep(config(data, tmp_path / "store", model=model, layers=("first", "second"), k=len(PLACES)))
    return Store.open(str(tmp_path / "store"))


def gradient(model: str, layer: str, pixels: np.ndarray, position: tuple[int, int]) -> np.ndarray:
    """(height, width) float: how much each of the original's pixels moves the activation at a position."""
    loaded = load_model(model)
    original = torch.from_numpy(pixels).permute(2, 0, 1).float().requires_grad_()
    small = transforms.center_crop(transforms.resize(original, [64], antialias=True), [56, 56])
    kept: list[torch.Tensor] = []
    loaded.network.get_submodule(layer).register_forward_hook(lambda _m, _i, output: kept.append(output))
    loaded.network((small[None] / 255 - 0.2) / 0.5)
    kept[0][0, 0, position[0], position[1]].backward()
    assert original.grad is not None
    return original.grad.abs().sum(dim=0).numpy()


@pytest.mark.parametrize("layer", ["first", "second"])
def test_the_patch_contains_the_pattern_and_the_gradient_points_there(layer, model, store) -> None:
    tops = store.top(layer, 0, k=len(PLACES))
    assert sorted(top.image_id for top in tops) == list(range(len(PLACES)))
    for top in tops:
        width, height, x, y = PLACES[top.image_id]
        pixels, side = photograph(width, height, x, y), pattern(width, height)
        energy = gradient(model, layer, pixels, (top.y, top.x)) ** 2
        rows, columns = np.nonzero(energy)
        # Resizing with antialiasing looks up to one model pixel beyond the pixels that a box of whole ones covers.
        blur = int(np.ceil(min(width, height) / 64))
        x0, y0, x1, y1 = top.box
        vx0, vy0, vx1, vy1 = top.view
        assert x0 - blur <= columns.min() and columns.max() < x1 + blur
        assert y0 - blur <= rows.min() and rows.max() < y1 + blur
        assert columns.max() - columns.min() + 1 >= x1 - x0 - 2 * blur
        assert rows.max() - rows.min() + 1 >= y1 - y0 - 2 * blur
        seen = energy[vy0:vy1, vx0:vx1].sum() / energy.sum()
        assert seen > 0.85
        centre_x = (energy.sum(axis=0) * (np.arange(width) + 0.5)).sum() / energy.sum()
        centre_y = (energy.sum(axis=1) * (np.arange(height) + 0.5)).sum() / energy.sum()
        assert abs(centre_x - (x + side / 2)) < 2 * side and abs(centre_y - (y + side / 2)) < 2 * side
        if layer == "second":  # its field is wider than the pattern
            assert x0 <= x and x + side <= x1
            assert y0 <= y and y + side <= y1
        assert vx0 <= x + side / 2 <= vx1
        assert vy0 <= y + side / 2 <= vy1


def test_the_crops_show_the_pattern(store) -> None:
    for rank, top in enumerate(store.top("second", 0, k=9)):
        width, height, x, y = PLACES[top.image_id]
        pixels, side = decode(store.pixels(top.image_id)), pattern(width, height)
        assert np.array_equal(pixels, photograph(width, height, x, y))
        x0, y0, x1, y1 = top.box
        vx0, vy0, vx1, vy1 = top.view
        field = pixels[y0:y1, x0:x1]
        assert (field == BRIGHT).all(axis=2).sum() == side * side
        shown = np.asarray(Image.open(io.BytesIO(crop_jpeg(pixels, top.box, 200))), int)
        assert shown.shape == field.shape
        assert np.abs(shown - field).mean() < 6
        view = pixels[vy0:vy1, vx0:vx1]
        packed = Image.open(io.BytesIO(store.patch("second", 0, rank) or b""))
        assert packed.size == (view.shape[1], view.shape[0])
        assert np.abs(np.asarray(packed, int) - view).mean() < 8
        assert np.asarray(packed).max() > 230  # the pattern is in it

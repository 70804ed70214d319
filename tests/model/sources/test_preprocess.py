"""Preprocessing against torchvision's own, and Frame's geometry against the pixels."""

import json

import pytest
import torch
import torchvision
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional
from unitscope.common.errors import ImageError, ImageStatus, ModelSpecError
from unitscope.common.frame import Frame
from unitscope.model.sources.preprocess import IMAGENET, Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MODES = {
    "nearest": InterpolationMode.NEAREST_EXACT,
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}

lengths = st.integers(1, 70)
sides = st.integers(1, 48)
pairs = st.tuples(sides, sides)


def noise(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(
        0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


@settings(deadline=None, max_examples=300)
@given(
    height=lengths,
    width=lengths,
    resize=st.none() | sides | pairs,
    crop=st.none() | pairs,
    mode=st.sampled_from(list(MODES)),
    antialias=st.booleans(),
)
def test_fit_is_torchvisions_resize_and_centre_crop(height, width, *, resize, crop, mode, antialias):
    assume(Frame(resize, None).resized(width, height) != (1, 1))  # torch itself fails at that
    image = noise(height, width)
    expected = image
    if resize is not None:
        size = list(resize) if isinstance(resize, tuple) else [resize]
        expected = v2.Resize(size, interpolation=MODES[mode], antialias=antialias)(expected)
        frame = Frame(resize, None)
        assert frame.resized(width, height) == (expected.shape[2], expected.shape[1])
    if crop is not None:
        expected = v2.CenterCrop(list(crop))(expected)
    preprocess = Preprocess(Frame(resize, crop), MEAN, STD, mode, antialias)
    fitted = preprocess.fit(image)
    assert fitted.dtype == torch.uint8
    assert torch.equal(fitted, expected)
    assert tuple(fitted.shape[1:]) == preprocess.frame.input_size(width, height)


@given(width=st.integers(1, 400), height=st.integers(1, 400), resize=st.none() | pairs | sides, crop=pairs)
def test_offset_says_which_pixel_the_crop_begins_with(width, height, resize, crop):
    frame = Frame(resize, crop)
    resized_width, resized_height = frame.resized(width, height)
    columns = (torch.arange(resized_width) + 1).float().expand(1, resized_height, resized_width)
    cut = functional.center_crop(columns, list(crop))[0, crop[0] // 2]
    left, _ = frame.offset(width, height)
    expected = torch.arange(crop[1]) + left + 1
    expected[(expected < 1) | (expected > resized_width)] = 0
    top = frame.offset(width, height)[1]
    if 0 <= crop[0] // 2 + top < resized_height:
        assert torch.equal(cut, expected.float())


def test_memory_layout_does_not_change_pixels():
    image = noise(75, 91)
    channels_last = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    preprocess = Preprocess(Frame(32, (32, 32)), MEAN, STD)
    assert torch.equal(preprocess.fit(image), preprocess.fit(channels_last))


@pytest.mark.parametrize("name", ["alexnet", "resnet50", "vit_b_16", "inception_v3", "efficientnet_b0"])
def test_normalise_is_bit_equal_to_torchvision(name):
    steps = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    side = steps.crop_size[0]
    preprocess = Preprocess(Frame(side, (side, side)), tuple(steps.mean), tuple(steps.std))
    batch = torch.stack([noise(side, side, seed) for seed in range(3)])
    values = (
        torch.arange(256, dtype=torch.uint8).repeat(side * side // 256 + 1)[: side * side].reshape(side, side)
    )
    batch[2] = values
    normalised = preprocess.normalise(batch)
    assert normalised.dtype == torch.float32
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    # Each image already has the size of the resize and the crop, so that only normalisation is left.
    steps.resize_size = [side]
    assert torch.equal(normalised, torch.stack([steps(image) for image in batch]))


def test_whole_chain_equals_torchvisions_on_uint8():
    steps = v2.Compose(
        [
            v2.Resize(256),
            v2.CenterCrop(224),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(MEAN), list(STD)),
        ]
    )
    for height, width in ((300, 411), (600, 375), (100, 90), (224, 224)):
        image = noise(height, width)
        ours = IMAGENET.normalise(IMAGENET.fit(image)[None])[0]
        assert (ours - steps(image)).abs().max() < 1e-6


def test_whole_chain_is_within_one_level_of_the_pillow_path():
    """torchvision's preset on a PIL image: rounding inside the two resizes differs in few pixels, by one level."""
    smooth = functional.gaussian_blur(noise(300, 411), [9, 9])
    steps = torchvision.models.AlexNet_Weights.DEFAULT.transforms()
    expected = steps(functional.to_pil_image(smooth))
    difference = (IMAGENET.normalise(IMAGENET.fit(smooth)[None])[0] - expected).abs()
    levels = difference * 255 * torch.tensor(STD)[:, None, None]
    assert levels.max() < 1.001
    assert (levels > 0.5).float().mean() < 0.02


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic"])
def test_resize_follows_pillow(name):
    smooth = functional.gaussian_blur(noise(211, 307), [9, 9])
    modes = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
    expected = functional.pil_to_tensor(functional.to_pil_image(smooth).resize((96, 64), modes[name]))
    fitted = Preprocess(Frame((64, 96), None), MEAN, STD, name).fit(smooth)
    assert (fitted.int() - expected.int()).abs().float().mean() < (0.5 if name == "nearest" else 0.02)


def test_normalise_into_a_given_tensor_and_any_layout():
    batch = torch.stack([noise(20, 30, seed) for seed in range(4)])
    preprocess = Preprocess(Frame((20, 30), None), MEAN, STD)
    expected = preprocess.normalise(batch)
    out = torch.empty(batch.shape).contiguous(memory_format=torch.channels_last)
    assert preprocess.normalise(batch.contiguous(memory_format=torch.channels_last), out) is out
    assert torch.equal(out, expected)
    assert preprocess.normalise(batch[:0]).shape == (0, 3, 20, 30)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_normalise_is_the_same_on_a_gpu():
    batch = torch.stack([noise(64, 64, seed) for seed in range(4)])
    assert torch.equal(IMAGENET.normalise(batch.cuda()).cpu(), IMAGENET.normalise(batch))


def test_long_thin_images_are_too_large():
    with pytest.raises(ImageError) as caught:
        IMAGENET.fit(noise(1, 20_000).expand(3, 1, 20_000))
    assert caught.value.status is ImageStatus.TOO_LARGE
    assert "20000x1" in str(caught.value) and "5120000x256" in str(caught.value)


def test_dict_round_trip_and_fingerprint():
    for preprocess in (
        IMAGENET,
        Preprocess(Frame((20, 30), None), MEAN, STD, "bicubic", antialias=False),
        Preprocess(Frame(None, (32, 40)), MEAN, STD, "nearest"),
    ):
        again = Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict())))
        assert again == preprocess
        assert again.fingerprint == preprocess.fingerprint
    assert len({IMAGENET.fingerprint, Preprocess(IMAGENET.frame, MEAN, STD, "bicubic").fingerprint}) == 2


def test_what_a_module_may_declare():
    declared = {"resize": 32, "crop": 28, "mean": [0.5, 0.5, 0.5], "std": (0.2, 0.2, 0.2)}
    preprocess = Preprocess.from_dict(declared)
    assert preprocess == Preprocess(Frame(32, (28, 28)), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), "bilinear")
    assert preprocess.input_size == (28, 28)
    assert Preprocess.from_dict({"resize": [10, 20], "mean": MEAN, "std": STD}).input_size == (10, 20)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": 3}, "unknown keys size; allowed: resize, crop"),
        ({"mean": None}, "three numbers: red, green, blue"),
        ({"mean": [0.5]}, "three numbers"),
        ({"mean": "abc"}, "three numbers"),
        ({"std": [0.1, 0.1, 0]}, "above 0"),
        ({"std": [0.1, 0.1, float("nan")]}, "above 0"),
        ({"resize": "big"}, 'PREPROCESS["resize"]'),
        ({"resize": 0}, 'PREPROCESS["resize"]'),
        ({"resize": True}, 'PREPROCESS["resize"]'),
        ({"crop": [1, 2, 3]}, 'PREPROCESS["crop"]'),
        ({"crop": 2.5}, 'PREPROCESS["crop"]'),
        ({"crop": None}, '"crop": SIZE'),
        ({"crop": None, "resize": None}, '"crop": SIZE'),
        ({"interpolation": "lanczos"}, "allowed: nearest, bilinear, bicubic"),
        ({"antialias": "yes"}, "allowed: True, False"),
    ],
    ids=str,
)
def test_wrong_declarations(change, says):
    declared = {"resize": 32, "crop": 32, "mean": list(MEAN), "std": list(STD)} | change
    with pytest.raises(ModelSpecError) as caught:
        Preprocess.from_dict(declared)
    assert says in str(caught.value)


def test_missing_keys_and_no_dict():
    with pytest.raises(ModelSpecError, match="lacks mean and std"):
        Preprocess.from_dict({"resize": 32, "crop": 32})
    with pytest.raises(ModelSpecError, match="must be a dict"):
        Preprocess.from_dict([32, 32])  # pyright: ignore[reportArgumentType]

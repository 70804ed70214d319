"""The preprocessing that a model declares: from an image's pixels to the tensor that the network takes.

Geometry is `Frame`'s alone, so that a patch is cut from the pixels that the network saw. Pixels are
torchvision's: its resize of uint8 with antialiasing, which follows Pillow's, then the centred crop, then
(x / 255 - mean) / std.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast, get_args

import torch
from torch import Tensor

from ...common.errors import ImageError, ImageStatus, ModelSpecError
from ...common.frame import CropRounding, Frame

Triple = tuple[float, float, float]

INTERPOLATIONS = {
    "nearest": "nearest-exact",  # Pillow's, and centred like the other two; torchvision's "nearest" is neither
    "bilinear": "bilinear",
    "bicubic": "bicubic",
}
"""Our names and torchvision's."""
CACHED_NUMBERS = 2**18
"""A float32 batch of so many numbers stays in a core's cache."""
MAX_RESIZED_PIXELS = 178_956_970
"""A resize to more than this is refused: one image of 1 x 20,000 pixels would otherwise take gigabytes."""

_KEYS = ("resize", "crop", "crop_rounding", "mean", "std", "interpolation", "antialias")
_EXAMPLE = (
    '{"resize": 256, "crop": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], '
    '"interpolation": "bilinear"}'
)


@dataclass(frozen=True)
class Preprocess:
    """What a network's input is made by; two that are equal give equal inputs.

    mean, std: of red, green and blue, in units where white is 1. interpolation: a key of INTERPOLATIONS.
    antialias: as torchvision has it; nearest takes none.
    """

    frame: Frame
    mean: Triple
    std: Triple
    interpolation: str = "bilinear"
    antialias: bool = True

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the network's input, the same for every image."""
        return self.frame.input_size(1, 1)

    def fit(self, image: Tensor) -> Tensor:
        """Fit an image. image: (3, H, W) uint8 → (3, height, width) uint8: resized, cut from the centre, padded with
        zeros.

        Raises ImageError (too_large) where the resize would need more than MAX_RESIZED_PIXELS.
        """
        image_height, image_width = int(image.shape[-2]), int(image.shape[-1])
        width, height = self.frame.resized(image_width, image_height)
        if width * height > MAX_RESIZED_PIXELS:
            raise ImageError(
                ImageStatus.TOO_LARGE,
                f"{image_width}x{image_height} pixels would become {width}x{height} after the model's resize "
                f"(at most {MAX_RESIZED_PIXELS} pixels)",
            )
        resized = image
        if (width, height) != (image_width, image_height):
            resized = self._resize(image, height, width)
        left, top = self.frame.offset(image_width, image_height)
        return _cut(resized, top, left, *self.frame.input_size(image_width, image_height))

    def _resize(self, image: Tensor, height: int, width: int) -> Tensor:
        # Imported when it is needed: it takes as long as torch, and a model worker must be back soon.
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.v2 import functional as transforms

        mode = InterpolationMode(INTERPOLATIONS[self.interpolation])
        return transforms.resize(image, [height, width], interpolation=mode, antialias=self.antialias)

    def normalise(self, batch: Tensor, out: Tensor | None = None) -> Tensor:
        """Normalise a batch. batch: (N, 3, h, w) uint8 → (N, 3, h, w) float32, channels last: (x / 255 - mean) / std.

        Fastest where the batch is channels last too, and where `out` (float32, channels last) is used again.
        """
        if out is None:
            channels_last = torch.channels_last
            out = torch.empty(
                batch.shape, dtype=torch.float32, device=batch.device, memory_format=channels_last
            )
        white, mean, std = _constants(self.mean, self.std, batch.device, tuple(batch.shape[-2:]))
        # On a CPU a large batch goes image by image, so that the four passes stay in the cache.
        by_image = batch.device.type == "cpu" and out.numel() > CACHED_NUMBERS
        parts = zip(out, batch, strict=True) if by_image else [(out, batch)]
        for result, image in parts:
            result.copy_(image).div_(white).sub_(mean).div_(std)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return it for manifests; `from_dict` reads it back."""
        return {
            "resize": list(self.frame.resize) if isinstance(self.frame.resize, tuple) else self.frame.resize,
            "crop": None if self.frame.crop is None else list(self.frame.crop),
            "mean": list(self.mean),
            "std": list(self.std),
            "interpolation": self.interpolation,
            "antialias": self.antialias,
        } | ({} if self.frame.crop_rounding == "even" else {"crop_rounding": self.frame.crop_rounding})

    @classmethod
    def from_dict(cls, declared: Mapping[str, Any]) -> "Preprocess":
        """Read a manifest's preprocessing, or the PREPROCESS of a factory's module.

        `resize` is the shorter side, [height, width] or None; `crop` a side, [height, width] or None, which begins at
        the even pixel or, by `crop_rounding` "down", at the first where it would begin between two;
        together they must give one size to every image. `mean` and `std` are required. Raises ModelSpecError.
        """
        _check_keys(declared)
        rounding = declared.get("crop_rounding", "even")
        if rounding not in get_args(CropRounding):
            raise ModelSpecError(f'PREPROCESS["crop_rounding"] is {rounding!r}; allowed: even, down')
        frame = Frame(_read_size(declared, "resize"), _read_pair(declared, "crop"), rounding)
        if frame.crop is None and not isinstance(frame.resize, tuple):
            raise ModelSpecError(
                f"PREPROCESS gives images different sizes (resize {frame.resize!r}, no crop): add "
                '"crop": SIZE, or write "resize": [HEIGHT, WIDTH]'
            )
        interpolation, antialias = declared.get("interpolation", "bilinear"), declared.get("antialias", True)
        if interpolation not in INTERPOLATIONS:
            raise ModelSpecError(
                f'PREPROCESS["interpolation"] is {interpolation!r}; allowed: {", ".join(INTERPOLATIONS)}'
            )
        if not isinstance(antialias, bool):
            raise ModelSpecError(f'PREPROCESS["antialias"] is {antialias!r}; allowed: True, False')
        return cls(
            frame, _read_triple(declared, "mean"), _read_triple(declared, "std"), interpolation, antialias
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of `to_dict`."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


IMAGENET = Preprocess(Frame(256, (224, 224)), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _cut(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Return the window of (3, H, W) at (top, left), with zeros outside the image."""
    if (top, left, height, width) == (0, 0, *image.shape[1:]):
        return image
    if top >= 0 and left >= 0 and top + height <= image.shape[1] and left + width <= image.shape[2]:
        return image[:, top : top + height, left : left + width]
    window = image.new_zeros((height, width, 3)).permute(2, 0, 1)
    inner = image[:, max(top, 0) : max(top, 0) + height, max(left, 0) : max(left, 0) + width]
    y, x = max(-top, 0), max(-left, 0)
    window[:, y : y + inner.shape[1], x : x + inner.shape[2]] = inner
    return window


@lru_cache(maxsize=16)
def _constants(mean: Triple, std: Triple, device: torch.device, size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return 255, mean and std, each (3, height, width) float32, channels last, on the device.

    Made once: a copy in every batch would make it wait. As large as an image because broadcasting along the
    innermost axis is not vectorised. 255 is a tensor because CUDA multiplies by the reciprocal of a number,
    which rounds differently.
    """
    with torch.inference_mode(mode=False):
        triples = torch.tensor([(255.0,) * 3, mean, std], dtype=torch.float32, device=device)
        images = triples[:, None, None, :].expand(3, *size, 3).contiguous().permute(0, 3, 1, 2)
        return tuple(images.unbind())


def _check_keys(declared: object) -> None:
    if not isinstance(declared, Mapping):
        raise ModelSpecError(f"PREPROCESS is {declared!r}; it must be a dict such as {_EXAMPLE}")
    keys = [str(key) for key in cast("Mapping[object, object]", declared)]
    unknown = [key for key in keys if key not in _KEYS]
    if unknown:
        raise ModelSpecError(f"PREPROCESS has unknown keys {', '.join(unknown)}; allowed: {', '.join(_KEYS)}")
    missing = [key for key in ("mean", "std") if key not in keys]
    if missing:
        raise ModelSpecError(
            f"PREPROCESS lacks {' and '.join(missing)} (for plain values of 0 to 1: mean [0, 0, 0], "
            f"std [1, 1, 1]); an example: {_EXAMPLE}"
        )


def _read_size(declared: Mapping[str, Any], key: str) -> int | tuple[int, int] | None:
    value: object = declared.get(key)
    if isinstance(value, list | tuple):
        items = cast("list[object] | tuple[object, ...]", value)
        if len(items) == 2 and all(map(_is_length, items)):
            return cast("tuple[int, int]", tuple(items))
    elif value is None or _is_length(value):
        return cast("int | None", value)
    raise ModelSpecError(
        f'PREPROCESS["{key}"] is {value!r}; allowed: a length in pixels, [height, width], or None'
    )


def _read_pair(declared: Mapping[str, Any], key: str) -> tuple[int, int] | None:
    size = _read_size(declared, key)
    return (size, size) if isinstance(size, int) else size


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _read_triple(declared: Mapping[str, Any], key: str) -> Triple:
    value: object = declared[key]
    try:
        numbers = tuple(float(number) for number in cast("list[float]", value))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or (key == "std" and min(numbers) <= 0):
        above = ", above 0" if key == "std" else ""
        raise ModelSpecError(
            f'PREPROCESS["{key}"] is {value!r}; it must be three numbers{above}: red, green, blue'
        )
    return numbers[0], numbers[1], numbers[2]

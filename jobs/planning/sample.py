"""From an image's encoded bytes to the model's input, the fast decoder first and the reference where it declines."""

import hashlib
from dataclasses import dataclass

import torch
import torchvision.transforms.v2  # noqa: F401  # pyright: ignore[reportUnusedImport] - else the first resize would

from ...common.errors import ImageError, ImageStatus
from ...index.datasets.decode import decode as decode_reference
from ...index.datasets.exif import orientation_of
from ...model.decode import decode as decode_fast
from ...model.decode import turn
from ...model.sources.preprocess import Preprocess


@dataclass(frozen=True)
class Sample:
    """One image as a sweep sees it.

    `pixels`: uint8 (3, height, width) of the model's input, None where the image failed.
    `width`, `height`: of the original, None where unknown. `sha256`: of the encoded bytes, None where unreadable.
    """

    pixels: torch.Tensor | None
    width: int | None
    height: int | None
    sha256: str | None
    status: ImageStatus = ImageStatus.OK
    reason: str | None = None


def decode(data: bytes) -> torch.Tensor:
    """Return uint8 (3, height, width). Raises ImageError."""
    pixels = decode_fast(data)
    if pixels is None:
        return torch.from_numpy(decode_reference(data)).permute(2, 0, 1)
    return turn(pixels, orientation_of(data))


def sample(data: bytes | ImageError, preprocess: Preprocess) -> Sample:
    """Return what the sweep keeps of one image; never raises for a bad one."""
    if isinstance(data, ImageError):
        return Sample(None, None, None, None, data.status, data.reason)
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        original = decode(data)
    except ImageError as error:
        return Sample(None, None, None, sha256, error.status, error.reason)
    height, width = int(original.shape[1]), int(original.shape[2])
    try:
        pixels = preprocess.fit(original)
    except ImageError as error:  # a 1 x 60,000 strip resized to 224 wide
        return Sample(None, width, height, sha256, error.status, error.reason)
    except (RuntimeError, ValueError, MemoryError) as error:
        reason = f"{width}x{height} pixels cannot be resized: {error}"
        return Sample(None, width, height, sha256, ImageStatus.UNDECODABLE, reason)
    return Sample(pixels, width, height, sha256)

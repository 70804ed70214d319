"""The geometry of preprocessing: from an image's own pixels to the model's input and back.

Pixels are continuous here: pixel i covers [i, i+1), and a box is half-open, (x0, y0, x1, y1) with x1 and y1 outside.
The sizes and offsets are those of torchvision's `Resize` and `CenterCrop`, which timm uses too, or of transformers.
"""

from dataclasses import dataclass
from typing import Literal

Box = tuple[int, int, int, int]
CropRounding = Literal["even", "down"]
"""The pixel that a centred crop begins with where it would begin between two: the even one (as torchvision's
`CenterCrop`), or the first (as transformers' `center_crop`)."""
Exif = Literal["apply", "ignore"]
"""Whether images are turned as their EXIF orientation says."""


@dataclass(frozen=True)
class Frame:
    """What preprocessing does to positions: a resize, then a centred crop.

    resize: the shorter side's length in pixels (the longer keeps the ratio), (height, width) exactly, or None.
    crop: (height, width) cut from the centre, padded with zeros where the image is smaller, or None. crop_rounding:
    where the crop begins if that is between two pixels.
    """

    resize: int | tuple[int, int] | None
    crop: tuple[int, int] | None
    crop_rounding: CropRounding = "even"

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) after the resize."""
        if self.resize is None:
            return width, height
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def offset(self, width: int, height: int) -> tuple[int, int]:
        """Return (left, top) of the crop in the resized image; negative where it is padded."""
        if self.crop is None:
            return 0, 0
        resized_width, resized_height = self.resized(width, height)
        height, width = self.crop
        return self._centre(resized_width, width), self._centre(resized_height, height)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (height, width) of the model's input for an image of this size."""
        if self.crop is not None:
            return self.crop
        resized_width, resized_height = self.resized(width, height)
        return resized_height, resized_width

    def _centre(self, size: int, crop: int) -> int:
        """Return where a centred crop begins; an image that is smaller is padded by (crop - size) // 2 first."""
        if size < crop:
            return -((crop - size) // 2)
        return (size - crop) // 2 if self.crop_rounding == "down" else round((size - crop) / 2.0)

    def to_original(self, box: Box, width: int, height: int) -> Box:
        """Return a box of model-input pixels in the pixels of the original `width` x `height` image.

        Rounded outwards, clipped to the image, and never empty: a box wholly in padding gives the nearest pixel.
        """
        resized_width, resized_height = self.resized(width, height)
        left, top = self.offset(width, height)
        x0, x1 = _stretch(box[0] + left, box[2] + left, width, resized_width)
        y0, y1 = _stretch(box[1] + top, box[3] + top, height, resized_height)
        return x0, y0, x1, y1


def _stretch(low: int, high: int, size: int, resized: int) -> tuple[int, int]:
    """Return [low, high) of `resized` pixels in `size` pixels, rounded outwards in exact integer arithmetic,
    clipped.
    """
    start = (low * size) // resized
    stop = -((-high * size) // resized)
    start = min(max(start, 0), size - 1)
    return start, min(max(stop, start + 1), size)

"""Writes an explanation into a folder: the numbers as .npy, a picture as .png, and what was done as .json."""

import io
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from ...common.errors import StorageError
from ...index.overlays.palettes import ordered, two_ended
from .image import Explanation

SIDE = 224
"""Smaller pictures are enlarged to about so many pixels, each pixel to a square."""
_IMAGES = ("inversion", "fooling", "gradient-ascent", "maco")
"""Methods whose values are an image."""
_PERCENTILE = 99.0
"""What is drawn strongest: a few larger numbers would leave the rest without contrast."""


def write(explanation: Explanation, folder: str) -> list[str]:
    """Return the paths of the files written. Raises StorageError where the folder cannot be written."""
    method = explanation.facts["method"]
    buffer = io.BytesIO()
    np.save(buffer, explanation.values, allow_pickle=False)
    picture = io.BytesIO()
    Image.fromarray(draw(explanation)).save(picture, "PNG")
    said = json.dumps(explanation.facts, indent=2, ensure_ascii=False) + "\n"
    files = {".npy": buffer.getvalue(), ".png": picture.getvalue(), ".json": said.encode()}
    where = Path(folder)
    paths: list[str] = []
    try:
        where.mkdir(parents=True, exist_ok=True)
        for ending, data in files.items():
            path = where / f"{method}{ending}"
            aside = path.with_name(f".{path.name}.{os.getpid()}")
            aside.write_bytes(data)
            aside.replace(path)
            paths.append(str(path))
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}") from error
    return paths


def draw(explanation: Explanation) -> np.ndarray:
    """Return (height, width, 3) uint8: an image as it is, a map over the image in grey, by its sign if it has one."""
    values, method = explanation.values, explanation.facts["method"]
    if method in _IMAGES:
        drawn = np.rint(values.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    elif values.ndim == 3:
        drawn = two_ended(_around_half(_strongest(values)))
    else:
        signed = bool((values < 0).any())
        colours = (two_ended(_around_half(values)) if signed else ordered(_shares(values))).astype(float)
        grey = explanation.pixels.mean(0)[..., None] * 255
        drawn = np.rint(0.65 * colours + 0.35 * grey).astype(np.uint8)
    times = max(1, SIDE // max(drawn.shape[:2]))
    return drawn.repeat(times, 0).repeat(times, 1)


def _strongest(values: np.ndarray) -> np.ndarray:
    """Return (height, width): of each pixel the channel whose absolute value is largest, with its sign."""
    at = np.abs(values).argmax(0)[None]
    return np.take_along_axis(values, at, 0)[0]


def _around_half(values: np.ndarray) -> np.ndarray:
    """Return shares from 0 to 1, with 0.5 for 0."""
    most = float(np.percentile(np.abs(values), _PERCENTILE)) or float(np.abs(values).max()) or 1.0
    return (values / most).clip(-1, 1) / 2 + 0.5


def _shares(values: np.ndarray) -> np.ndarray:
    """Return shares from 0 to 1, from the least to the largest."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)

"""Decodes JPEGs faster than Pillow, and only where every pixel equals Pillow's.

Pillow is the reference for every pixel. torchcodec brings the same decoder, libjpeg-turbo, without Pillow's
detours, so an 8-bit grayscale or three-component JPEG comes out identical. Everything else is None, and the
caller asks Pillow: formats other than JPEG, CMYK, 12 bits, arithmetic coding, lossless, and any file whose
structure is not whole from its first marker to its last (ITU-T T.81, annex B). So a truncated file is never
half an image here.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from torch import Tensor

MAX_PIXELS = 178_956_970
"""Above this Pillow refuses an image as a decompression bomb: the reference decides."""

_START = b"\xff\xd8"
_END = 0xD9
_SCAN = 0xDA
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended sequential and progressive, all Huffman-coded
_OTHERS = frozenset({0xC4, 0xDB, 0xDD, 0xFE})  # Huffman, quantisation, restart interval, comment
_APPLICATION = frozenset(range(0xE0, 0xF0))
_EXIF = 0xE1
_COMMENT = 0xFE
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
"""In a scan: what may begin the next marker, neither stuffed (FF 00) nor a restart (FF D0 to D7)."""
_FLIPS: dict[int, tuple[bool, tuple[int, ...]]] = {
    2: (False, (2,)),
    3: (False, (1, 2)),
    4: (False, (1,)),
    5: (True, ()),
    6: (True, (2,)),
    7: (True, (1, 2)),
    8: (True, (1,)),
}
"""By EXIF orientation: whether rows and columns change places, and then the axes that are turned round."""
_COMPONENTS = frozenset({1, 3})


def decode(data: bytes) -> Tensor | None:
    """Return a JPEG's pixels, equal to Pillow's after `convert("RGB")`, or None where that is not certain.

    Returns (3, H, W) uint8 in RGB order, channels last in memory. EXIF orientation is not applied. Several
    threads may call this at once: the decoder does not hold Python's lock.
    """
    decoder = _decoder()
    if decoder is None or data[:2] != _START:
        return None
    # A copy, because torch warns of read-only memory; in it what holds the orientation becomes a comment.
    buffer = bytearray(data)
    exif = _check_structure(data)
    if exif is None:
        return None
    for offset in exif:
        buffer[offset] = _COMMENT
    try:
        return decoder(torch.frombuffer(buffer, dtype=torch.uint8))
    except RuntimeError:  # what is wrong with the file is the reference's to say
        return None


def turn(pixels: Tensor, orientation: int) -> Tensor:
    """Return (3, H, W) pixels turned upright from an EXIF orientation, channels last in memory."""
    if orientation not in _FLIPS:
        return pixels
    sideways, flips = _FLIPS[orientation]
    turned = pixels.transpose(1, 2) if sideways else pixels
    return turned.flip(flips).permute(1, 2, 0).contiguous().permute(2, 0, 1)


def is_available() -> bool:
    """Return whether torchcodec's decoder can be used here; without it `decode` gives None for everything."""
    return _decoder() is not None


@cache
def _decoder() -> Callable[[Tensor], Tensor] | None:
    try:
        from torchcodec.decoders import decode_jpeg  # pyright: ignore[reportPrivateImportUsage]
    except (ImportError, OSError, RuntimeError):  # not installed, too old, or its libraries do not load here
        return None
    return cast("Callable[[Tensor], Tensor]", decode_jpeg)


def _check_structure(data: bytes) -> list[int] | None:
    """Return where the EXIF segments' marker codes are, if this is a whole JPEG of a kind that is decoded here; else
    None.
    """
    exif: list[int] = []
    position, framed, scanned = 2, False, False
    while True:
        marker, position = _next_marker(data, position)
        if marker == _END:
            return exif if scanned else None
        length = _length(data, position)
        segment_end = position + length
        if length < 2 or segment_end > len(data):
            return None
        if marker in _FRAMES:
            if framed or not _is_plain_frame(data[position:segment_end]):
                return None
            framed = True
        elif marker == _SCAN:
            after = _MARKER.search(data, segment_end)
            if not framed or after is None:
                return None
            scanned, segment_end = True, after.start()
        elif marker == _EXIF:
            exif.append(position - 1)
        elif marker not in _OTHERS and marker not in _APPLICATION:
            return None
        position = segment_end


def _length(data: bytes, position: int) -> int:
    """Return what the two bytes at `position` say; 0, which is not a length, where the file ends before."""
    return data[position] << 8 | data[position + 1] if position + 1 < len(data) else 0


def _next_marker(data: bytes, position: int) -> tuple[int, int]:
    """Return (marker, position after it); marker 0 where there is none. Any number of 0xFF may precede a marker."""
    if data.startswith(b"\xff", position):
        position += 1
        while data.startswith(b"\xff", position):
            position += 1
        if position < len(data):
            return data[position], position + 1
    return 0, position


def _is_plain_frame(frame: bytes) -> bool:
    """Return whether a frame header (T.81, B.2.2) says 8 bits, one or three components, and an allowed size."""
    if len(frame) < 8:
        return False
    height, width = int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[5:7], "big")
    return frame[2] == 8 and frame[7] in _COMPONENTS and 0 < height * width <= MAX_PIXELS

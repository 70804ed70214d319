"""Checks that a manifest has the shape that a sweep gives it, before anything is computed from what it says."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from ...common.frame import CropRounding, Frame
from ..storage.stored_names import check_stored_name

if TYPE_CHECKING:
    from ..storage.hashed_file import PartRecord

_MOST = 1 << 50
"""More images, units or bytes than any store has."""
_SIDE = 1 << 20


def check_parts(content: Mapping[str, Any]) -> None:
    """Raise ValueError or TypeError where a part of a manifest is of another type than a sweep writes."""
    for name in (
        "fingerprints",
        "model",
        "frame",
        "dataset",
        "options",
        "software",
        "machine",
        "counts",
        "files",
    ):
        if not isinstance(content[name], dict):
            raise TypeError(f"`{name}` is not an object")
    model, counts = content["model"], content["counts"]
    _names(model.get("classes"), "model.classes")
    for name in ("images", "layers", "units"):
        if name in counts and not _is_count(counts[name]):
            raise ValueError(f"counts.{name} is {counts[name]!r}")
    errors = counts.get("errors", {})
    if not isinstance(errors, dict) or not all(_is_count(number) for number in errors.values()):
        raise ValueError(f"counts.errors is {errors!r}")
    for layer in model.get("averaged", ()):
        if not isinstance(layer["name"], str):
            raise TypeError(f"model.averaged has the layer {layer['name']!r}")
    for path, record in content["files"].items():
        check_stored_name(path, "the manifest")
        if not _is_count(record["rows"]) or not _is_count(record["bytes"]):
            raise ValueError(f"files.{path[:99]!r} has {record['rows']!r} rows and {record['bytes']!r} bytes")
        if not isinstance(record["sha256"], str):
            raise TypeError(f"files.{path[:99]!r} has the SHA-256 {record['sha256']!r}")


def check_model(model: Mapping[str, Any]) -> None:
    """Raise ValueError or TypeError where what a manifest says of the model is not what every store says."""
    size = model.get("input_size")
    if not isinstance(size, list) or len(size) != 2 or not all(_is_count(side, 1, _SIDE) for side in size):
        raise ValueError(f"model.input_size is {size!r}")
    if not isinstance(model.get("random"), bool):
        raise TypeError("model.random is neither true nor false")


def check_frame(frame: Frame) -> None:
    """Raise ValueError for a resize or crop that no image has."""
    if frame.crop_rounding not in get_args(CropRounding):
        raise ValueError(f"frame has the crop_rounding {frame.crop_rounding!r}")
    for sides in (frame.resize, frame.crop):
        for side in sides if isinstance(sides, tuple) else (sides,):
            if side is not None and not _is_count(side, 1, _SIDE):
                raise ValueError(f"frame has the side {side!r}")


def check_rows(table: str, records: "Sequence[PartRecord]", images: int) -> None:
    """Raise ValueError where a table has not a row for each image. records: of its files."""
    rows = sum(record.rows for record in records)
    if not records or rows != images:
        raise ValueError(f"{table}/ has {rows:,} rows in {len(records)} files for {images:,} images")


def check_named(files: Mapping[str, Any], needed: Sequence[str]) -> None:
    """Raise ValueError where a manifest does not name a file that every store has."""
    missing = [path for path in needed if path not in files]
    if missing:
        raise ValueError(f"it does not name {missing[0]}")


def _names(classes: Any, where: str) -> None:
    if classes is not None and not (
        isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    ):
        raise TypeError(f"{where} is not a list of names")


def _is_count(number: Any, least: int = 0, most: int = _MOST) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and least <= number <= most

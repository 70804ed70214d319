"""What the service says of an atlas: how it was made, and windows of its grid."""

from typing import Any

from .answers import AtlasAnswer, CellAnswer, GridAnswer
from .ask import thumb_address
from .registry import ServedStore


def describe_atlas(served: ServedStore, name: str) -> AtlasAnswer:
    """How an atlas was made, and how good it is. Raises StoreNotFoundError."""
    manifest = served.atlas(name).manifest
    facts: dict[str, Any] = {}
    for group in ("quality", "settings"):
        facts |= {
            key: value for key, value in manifest[group].items() if isinstance(value, int | float | str)
        }
    method = str(manifest["settings"].get("method", name))
    return AtlasAnswer(name=name, method=method, images=manifest["images"], facts=facts)


def grid(served: ServedStore, name: str, rows: tuple[int, int], columns: tuple[int, int]) -> GridAnswer:
    """The filled cells of a window [first, past the last) of rows and columns, clipped to the grid."""
    atlas = served.atlas(name)
    side = len(atlas.grid)
    top, bottom = min(rows[0], side), min(rows[1], side)
    left, right = min(columns[0], side), min(columns[1], side)
    window = atlas.grid[top:bottom, left:right]
    cells = [
        CellAnswer(
            row=top + row, column=left + column, image_id=image_id, thumb=thumb_address(served, image_id)
        )
        for row, line in enumerate(window.tolist())
        for column, image_id in enumerate(line)
        if image_id >= 0
    ]
    return GridAnswer(atlas=name, side=side, rows=(top, bottom), columns=(left, right), cells=cells)

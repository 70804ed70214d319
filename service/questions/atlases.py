"""The atlas as the API and the pages show it: its facts and the cells of its grid."""

from typing import Any

from ...index.atlas import Atlas
from ..addresses import thumb_address
from ..answers.stores import AtlasAnswer, AtlasesAnswer, AtlasRow, CellAnswer, GridAnswer
from ..registry import ServedStore
from .ask import said


def atlas_row(atlas: Atlas) -> AtlasRow:
    """How an atlas was made, and how good it is."""
    facts: dict[str, Any] = {}
    for group in ("quality", "settings"):
        facts |= {
            key: value for key, value in atlas.manifest[group].items() if isinstance(value, int | float | str)
        }
    method = str(atlas.manifest["settings"].get("method", atlas.name))
    return AtlasRow(name=atlas.name, method=method, images=atlas.manifest["images"], facts=facts)


def describe_atlas(served: ServedStore, atlas: Atlas) -> AtlasAnswer:
    """The same, with what it is from."""
    return AtlasAnswer(**said(served), **atlas_row(atlas).model_dump())


def all_atlases(served: ServedStore) -> AtlasesAnswer:
    """The finished atlases. Raises StoreError for one of another sweep."""
    rows = [atlas_row(served.atlas(name).value) for name in served.atlases()]
    return AtlasesAnswer(**said(served), atlases=rows)


def grid(served: ServedStore, atlas: Atlas, rows: tuple[int, int], columns: tuple[int, int]) -> GridAnswer:
    """The filled cells of a window [first, past the last) of rows and columns, clipped to the grid."""
    side = len(atlas.grid)
    top, bottom = min(rows[0], side), min(rows[1], side)
    left, right = min(columns[0], side), min(columns[1], side)
    window = atlas.grid[top:bottom, left:right]
    density = atlas.density[top:bottom, left:right]
    cells = [
        CellAnswer(
            row=top + row,
            column=left + column,
            image_id=image_id,
            images=int(density[row, column]),
            thumb=thumb_address(served, image_id),
        )
        for row, line in enumerate(window.tolist())
        for column, image_id in enumerate(line)
        if image_id >= 0
    ]
    return GridAnswer(
        **said(served), atlas=atlas.name, side=side, rows=(top, bottom), columns=(left, right), cells=cells
    )

"""The atlas as the API and the pages show it: its facts and the cells of its grid."""

from dataclasses import dataclass, replace
from typing import Any

from ...index.atlas.atlas import Atlas
from ..schemas.atlases import AtlasAnswer, AtlasesAnswer, AtlasRow, CellAnswer, GridAnswer
from ..stores.registry import ServedStore
from ..stores.urls import thumb_address
from .stores import provenance_of


def atlas_row(atlas: Atlas) -> AtlasRow:
    """Return how an atlas was made, and how good it is."""
    facts: dict[str, Any] = {}
    for group in ("quality", "settings"):
        facts |= {
            key: value for key, value in atlas.manifest[group].items() if isinstance(value, int | float | str)
        }
    method = str(atlas.manifest["settings"].get("method", atlas.name))
    return AtlasRow(name=atlas.name, method=method, images=atlas.manifest["images"], facts=facts)


@dataclass(frozen=True)
class Measure:
    """A figure of an atlas's quality. says: what it means, in a sentence."""

    name: str
    value: str
    says: str


def measures(atlas: Atlas, items: str = "images", alike: str = "similar to the model") -> list[Measure]:
    """Return how good an atlas is, in words; what was not measured is left out. items: what is on it, and how it is
    alike.
    """
    facts = {**atlas.manifest["settings"], **atlas.manifest["quality"]}
    k, sample = facts.get("k"), facts.get("sample")
    found: list[Measure] = []
    if _is_number(facts.get("trustworthiness")):
        says = (
            f"Whether {items} that are close on the map are {alike}: 1 if always, about 0.5 on a random map."
        )
        found.append(Measure("trustworthiness", f"{facts['trustworthiness']:.3f}", says))
    if _is_number(facts.get("preserved")):
        says = (
            f"Of the {k} {items} most similar to one, this share is among the {k} nearest to it on the map."
        )
        found.append(Measure("neighbours kept", _percent(facts["preserved"]), says))
    on_map, features = facts.get("label_accuracy"), facts.get("label_accuracy_features")
    if _is_number(on_map) and _is_number(features):
        says = (
            f"How often the most common label of an image's {k} nearest on the map is its own; {_percent(features)} "
            f"for the {k} nearest in feature space. The difference is lost by the projection to two dimensions."
        )
        found.append(Measure("kNN label accuracy", _percent(on_map), says))
    variance = facts.get("explained")
    if isinstance(variance, list) and len(variance) >= 2:
        says = (
            f"The share of the features' variance that the map shows: {_percent(variance[0])} from left to right and "
            f"{_percent(variance[1])} from top to bottom. The rest is not visible."
        )
        found.append(Measure("variance explained", _percent(sum(variance[:2])), says))
    if found and isinstance(sample, int):
        found[0] = replace(found[0], says=f"{found[0].says} Measured exactly on {sample:,} {items}.")
    return found


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def describe_atlas(served: ServedStore, atlas: Atlas) -> AtlasAnswer:
    """Return the same, with what it is from."""
    return AtlasAnswer(**provenance_of(served), **atlas_row(atlas).model_dump())


def all_atlases(served: ServedStore) -> AtlasesAnswer:
    """Return the finished atlases. Raises StoreError for one of another sweep."""
    rows = [atlas_row(served.atlas(name).value) for name in served.atlases()]
    return AtlasesAnswer(**provenance_of(served), atlases=rows)


def grid(served: ServedStore, atlas: Atlas, rows: tuple[int, int], columns: tuple[int, int]) -> GridAnswer:
    """Return the filled cells of a window [first, past the last) of rows and columns, clipped to the grid."""
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
        **provenance_of(served),
        atlas=atlas.name,
        side=side,
        rows=(top, bottom),
        columns=(left, right),
        cells=cells,
    )

"""An atlas as the API and the pages show it: what it maps, how good it is, and the cells of its grid."""

from dataclasses import dataclass, replace
from typing import Any, cast

from ....index.atlas.atlas import Atlas
from ....index.atlas.store_atlas import kind_of
from ...schemas.atlases import AtlasAnswer, AtlasesAnswer, AtlasKind, AtlasRow, CellAnswer, GridAnswer
from ...stores.registry import ServedStore
from ..stores import provenance_of
from .items import image_of, picture_of
from .served_atlas import ServedAtlas


def atlas_row(name: str, manifest: dict[str, Any]) -> AtlasRow:
    """Return what an atlas maps, how it was made, and how good it is. manifest: as on disk."""
    kind, layer = kind_of(name)
    facts: dict[str, Any] = {}
    for group in ("quality", "settings"):
        facts |= {
            key: value for key, value in manifest[group].items() if isinstance(value, int | float | str)
        }
    method = str(manifest["settings"].get("method", name))
    return AtlasRow(
        name=name,
        kind=cast("AtlasKind", kind),
        layer=layer,
        method=method,
        items=manifest["images"],
        facts=facts,
    )


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


def describe_atlas(shown: ServedAtlas) -> AtlasAnswer:
    """Return the same, with what it is from."""
    row = atlas_row(shown.name, shown.atlas.manifest)
    return AtlasAnswer(**provenance_of(shown.served), **row.model_dump())


def all_atlases(served: ServedStore) -> AtlasesAnswer:
    """Return the finished atlases. Raises StoreError for one of another sweep."""
    layers = [row.layer for row in served.store.layers]
    names = [*served.atlases(), *served.layer_atlases(layers)]
    rows = [atlas_row(name, served.atlas_manifest(name)) for name in names]
    return AtlasesAnswer(**provenance_of(served), atlases=rows)


def grid(shown: ServedAtlas, rows: tuple[int, int], columns: tuple[int, int]) -> GridAnswer:
    """Return the filled cells of a window [first, past the last) of rows and columns, clipped to the grid."""
    atlas = shown.atlas
    side = len(atlas.grid)
    top, bottom = min(rows[0], side), min(rows[1], side)
    left, right = min(columns[0], side), min(columns[1], side)
    window = atlas.grid[top:bottom, left:right]
    density = atlas.density[top:bottom, left:right]
    cells = [
        CellAnswer(
            row=top + row,
            column=left + column,
            item=item,
            items=int(density[row, column]),
            image_id=image_of(shown, item),
            picture=picture_of(shown, item),
        )
        for row, line in enumerate(window.tolist())
        for column, item in enumerate(line)
        if item >= 0
    ]
    return GridAnswer(
        **provenance_of(shown.served),
        atlas=shown.name,
        side=side,
        rows=(top, bottom),
        columns=(left, right),
        cells=cells,
    )

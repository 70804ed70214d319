"""A layer's own atlases as the API and their page show them."""

from typing import Any
from urllib.parse import quote

from ...common.errors import NotFoundError, StoreError
from ...index.atlas.activation_sample import VIEW, ActivationSample
from ...index.atlas.atlas import Atlas
from ...index.atlas.layer_atlas import LayerAtlas
from ..schemas.atlases import TilesAnswer, ViewName
from ..schemas.layer_atlases import (
    CellMeanAnswer,
    ItemPlacesAnswer,
    Kind,
    LayerAtlasAnswer,
    LayerCellAnswer,
    NearSample,
    SampleAnswer,
)
from ..stores.registry import ServedStore
from ..stores.urls import address
from ..stores.versioned import Picture, Version, part_version
from . import tiles as tile_answers
from .atlases import atlas_row
from .maps import check_item, items_of_layer
from .pixels import JPEG
from .stores import fact_columns, image_facts, provenance_of
from .units import unit_row


def layer_atlas_of(served: ServedStore, layer: str, kind: Kind, v: str | None) -> Version[LayerAtlas]:
    """Raise LayerError, NotBuiltError, and StoreError where `v` names another version."""
    found = served.layer_atlas(layer, kind)
    if v is not None and v != part_version(found):
        raise StoreError(
            f"the atlas of the {kind} of {layer} has been made again since v={v[:64]}: load it again"
        )
    return found


def base_address(served: ServedStore, layer: str, kind: Kind) -> str:
    """Return where the API answers for a layer's atlas."""
    return f"{address(served)}/layers/{quote(layer, safe='')}/atlases/{kind}"


def describe(served: ServedStore, found: LayerAtlas, kind: Kind) -> LayerAtlasAnswer:
    """Return what the atlas is of, how it was made and how good it is."""
    row = atlas_row(found.atlas)
    return LayerAtlasAnswer(
        **provenance_of(served), layer=found.layer, kind=kind, items=row.images, facts=row.facts
    )


def tiles(served: ServedStore, found: Version[LayerAtlas], kind: Kind, view: ViewName) -> TilesAnswer:
    """Return how a view is cut into tiles."""
    base = base_address(served, found.value.layer, kind)
    return tile_answers.tiles(served, _inner(found), view, base=base)


def at(
    served: ServedStore, found: Version[LayerAtlas], kind: Kind, spot: tile_answers.Spot
) -> LayerCellAnswer:
    """Return what a view shows at a place. Raises as `questions.tiles.seen`."""
    of_layer = found.value
    seen = tile_answers.seen(served, of_layer.atlas, spot)
    is_unit, there = kind == "units", seen.item >= 0
    return LayerCellAnswer(
        **provenance_of(served),
        layer=of_layer.layer,
        kind=kind,
        grid=spot.view,
        row=seen.row,
        column=seen.column,
        level=seen.level,
        items=seen.items,
        item=seen.item if there else None,
        unit=unit_row(served, of_layer.layer, seen.item) if there and is_unit else None,
        sample=sample_answer(served, found, seen.item) if there and not is_unit else None,
        mean=_mean(served, found, seen.row, seen.column) if spot.view == "nearest" and not is_unit else None,
    )


def where(served: ServedStore, found: LayerAtlas, kind: Kind, item: int) -> ItemPlacesAnswer:
    """Return where a unit or a sample is. Raises NotFoundError."""
    atlas, items = found.atlas, items_of_layer(served, found, kind)
    check_item(items, item)
    x, y = atlas.coordinates[atlas.place(item, items.one)].tolist()
    cells = tile_answers.places(atlas, item)
    return ItemPlacesAnswer(
        **provenance_of(served), layer=found.layer, kind=kind, item=item, x=x, y=y, cells=cells
    )


def sample_picture(found: LayerAtlas, item: int) -> Picture:
    """Return the view of a sample. Raises NotFoundError."""
    jpeg = found.sample.pictures.get(item) if found.sample else None
    if jpeg is None:
        raise NotFoundError(f"no sample {item} on this map")
    return jpeg, JPEG


def _inner(found: Version[LayerAtlas]) -> Version[Atlas]:
    return Version(found.value.atlas, found.digest, found.stamp)


def sample_answer(served: ServedStore, found: Version[LayerAtlas], item: int) -> SampleAnswer:
    """Return one sample, of those that there are."""
    place = _place(found.value.sample, item)
    (image,) = served.store.images_at([place["image_id"]], fact_columns(served.store))
    x0, y0, x1, y1 = (place[name] for name in VIEW)
    return SampleAnswer(
        **image_facts(served, image),
        sample=item,
        y=place["y"],
        x=place["x"],
        view=(x0, y0, x1, y1),
        picture=_picture(served, found, item),
    )


def _mean(served: ServedStore, found: Version[LayerAtlas], row: int, column: int) -> CellMeanAnswer | None:
    of_layer = found.value
    number = of_layer.cell_rows.get((row, column))
    if number is None or of_layer.cells is None:
        return None
    (facts,) = of_layer.cells.slice(number, 1).to_pylist()
    nearest = [
        NearSample(
            sample=one["sample"],
            distance=one["distance"],
            image_id=_place(of_layer.sample, one["sample"])["image_id"],
            picture=_picture(served, found, one["sample"]),
        )
        for one in facts["nearest"]
    ]
    kept = ("samples", "label", "label_samples", "predicted", "predicted_samples")
    return CellMeanAnswer(
        **{name: facts[name] for name in kept},
        predicted_class=served.store.class_name(facts["predicted"]),
        nearest=nearest,
    )


def _place(sample: ActivationSample | None, item: int) -> dict[str, Any]:
    """Return the columns of a sample but its activation."""
    assert sample is not None
    (row,) = sample.places.slice(item, 1).to_pylist()
    return row


def _picture(served: ServedStore, found: Version[LayerAtlas], item: int) -> str:
    base = base_address(served, found.value.layer, "activations")
    return f"{base}/samples/{item}/picture?v={part_version(found)}"

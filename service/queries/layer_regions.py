"""Regions of a layer's own atlases as the API and the pages show them: what is in them, and what sets it apart."""

from ...index.atlas.layer_atlas import LayerAtlas
from ...index.overlays.regions import sample_units
from ..schemas.atlases import Kind
from ..schemas.regions import LayerRegionAnswer, RegionUnitsAnswer, SamplesInRegionAnswer, UnitsInRegionAnswer
from ..stores.versioned import Version
from .layer_atlases import sample_answer
from .regions import Drawn, classes, facts, region_page, units_answer
from .stores import provenance_of
from .units import unit_row


def region(drawn: Drawn, layer: str, kind: Kind) -> LayerRegionAnswer:
    """Return the region against the rest of the map."""
    return LayerRegionAnswer(
        **provenance_of(drawn.served),
        layer=layer,
        kind=kind,
        grid=drawn.grid,
        region=drawn.region,
        items=len(drawn.places()),
        on_map=len(drawn.shown.atlas.images),
        facts=facts(drawn),
        classes=classes(drawn),
    )


def units_inside(drawn: Drawn, layer: str, *, cursor: str | None, limit: int) -> UnitsInRegionAnswer:
    """Return a page of the units in a region. Raises UsageError for a foreign cursor."""
    page = region_page(drawn, cursor=cursor, limit=limit)
    return UnitsInRegionAnswer(
        **provenance_of(drawn.served),
        layer=layer,
        grid=drawn.grid,
        region=drawn.region,
        found=page.found,
        units=[unit_row(drawn.served, layer, unit) for unit in page.items],
        next=page.next,
    )


def samples_inside(
    drawn: Drawn, found: Version[LayerAtlas], *, cursor: str | None, limit: int
) -> SamplesInRegionAnswer:
    """Return a page of the samples in a region. Raises UsageError for a foreign cursor."""
    page = region_page(drawn, cursor=cursor, limit=limit)
    return SamplesInRegionAnswer(
        **provenance_of(drawn.served),
        layer=found.value.layer,
        grid=drawn.grid,
        region=drawn.region,
        found=page.found,
        samples=[sample_answer(drawn.served, found, item) for item in page.items],
        next=page.next,
    )


def characteristic(drawn: Drawn, of_layer: LayerAtlas, *, k: int) -> RegionUnitsAnswer:
    """Return the units of the layer whose activations in a region of its samples stand out most from those in the
    rest.
    """
    sample, on_map = of_layer.sample, drawn.shown.atlas.images
    assert sample is not None
    inside = drawn.ids()
    return units_answer(drawn, k, lambda: sample_units(sample, of_layer.layer, inside, on_map, k))

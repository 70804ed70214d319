"""Queries about units, answered for both the API and the pages."""

from typing import Any

from ...index.analysis.units import RANKED, LayerUnits, UnitQuery, choose
from ...index.stats.distribution import QUANTILES, Distribution
from ..schemas.units import (
    HistogramAnswer,
    OneUnitAnswer,
    QuantileAnswer,
    SimilarUnitAnswer,
    SimilarUnitsAnswer,
    UnitAnswer,
    UnitClassAnswer,
    UnitClassesAnswer,
    UnitRanks,
    UnitsAnswer,
)
from ..stores.registry import ServedStore
from ..stores.urls import patch_picture_address
from .paging import page_of
from .stores import finite, provenance_of


def units(
    served: ServedStore, layer: str, query: UnitQuery | None = None, *, cursor: str | None = None, limit: int
) -> UnitsAnswer:
    """Return a page of the units of a layer. Raises LayerError, NotFoundError for an unknown label, UsageError."""
    query = query or UnitQuery()
    of_layer = served.analysis.units.layer(layer)
    if query.label is not None:
        served.analysis.classes.find(query.label)
    chosen = choose(of_layer, query)
    page, following = page_of(served, ("units", layer, query), cursor, limit, len(chosen))
    return UnitsAnswer(
        **provenance_of(served),
        layer=layer,
        found=len(chosen),
        ranked=_ranked(of_layer),
        units=[UnitAnswer(**_row(served, of_layer, unit)) for unit in chosen[page].tolist()],
        next=following,
    )


def some_units(
    served: ServedStore, layer: str, query: UnitQuery, start: int, stop: int
) -> tuple[int, list[UnitAnswer]]:
    """Return how many units pass a query, and those of them from place `start` up to, not with, `stop`. Raises as
    `units`.
    """
    of_layer = served.analysis.units.layer(layer)
    if query.label is not None:
        served.analysis.classes.find(query.label)
    chosen = choose(of_layer, query)
    return len(chosen), [UnitAnswer(**_row(served, of_layer, unit)) for unit in chosen[start:stop].tolist()]


def unit(served: ServedStore, layer: str, number: int, where: str | None = None) -> OneUnitAnswer:
    """Return one unit, over the images that a filter keeps. Raises LayerError, FilterError."""
    served.store.check_unit(layer, number)
    of_layer = served.analysis.units.layer(layer)
    distribution = served.analysis.units.distribution(layer, number, where)
    row = _row(served, of_layer, number)
    if where:
        row |= _measured(distribution)
    return OneUnitAnswer(
        **provenance_of(served),
        **row,
        where=where or None,
        of_images=int(served.store.manifest.counts["ok"]),
        ranked=_ranked(of_layer),
        histogram=_histogram(distribution),
        quantiles=[
            QuantileAnswer(**finite({"quantile": quantile, "value": distribution.quantile(quantile)}))
            for quantile in QUANTILES
        ],
    )


def _measured(distribution: Distribution) -> dict[str, Any]:
    """Return what is other under a filter than over all images."""
    images = len(distribution.values)
    return {
        "images": images,
        "nonfinite": images - distribution.finite,
        **finite(distribution.statistics),
        "selectivity": None,
        "label": None,
        "ranks": UnitRanks(**dict.fromkeys(RANKED)),
    }


def unit_row(served: ServedStore, layer: str, number: int) -> UnitAnswer:
    """Return a unit as lists of units have it. Raises LayerError."""
    served.store.check_unit(layer, number)
    return UnitAnswer(**_row(served, served.analysis.units.layer(layer), number))


def unit_classes(
    served: ServedStore,
    layer: str,
    number: int,
    where: str | None = None,
    *,
    cursor: str | None = None,
    limit: int,
) -> UnitClassesAnswer:
    """Return what a unit does in the images of each class, of those that a filter keeps.

    Raises LayerError, FilterError, UsageError.
    """
    found = served.analysis.units.classes(layer, number, where)
    question = ("classes", layer, number, *([where] if where else []))
    page, following = page_of(served, question, cursor, limit, len(found))
    indices = {row.label: row.label_index for row in served.analysis.classes.rows()}
    rows = [
        UnitClassAnswer(
            **finite(one._asdict()),
            label_index=indices[one.label],
            label_class=served.store.class_name(indices[one.label]),
        )
        for one in found[page]
    ]
    selectivity = served.analysis.units.layer(layer).values["selectivity"][number]
    return UnitClassesAnswer(
        **provenance_of(served),
        **finite({"selectivity": None if where else float(selectivity)}),
        layer=layer,
        unit=number,
        where=where or None,
        why_none=served.analysis.classes.why_none(),
        found=len(found),
        classes=rows,
        next=following,
    )


def similar_units(served: ServedStore, layer: str, number: int, *, k: int) -> SimilarUnitsAnswer:
    """Return the k units of the layer that fire most in the same images. Raises LayerError."""
    found = served.analysis.similar.of(layer, number)
    pairs = zip(found.units[:k].tolist(), found.correlations[:k].tolist(), strict=True)
    return SimilarUnitsAnswer(
        **provenance_of(served),
        layer=layer,
        unit=number,
        images=found.images,
        exact=found.exact,
        varies=found.varies,
        similar=[
            SimilarUnitAnswer(
                rank=rank,
                unit=unit,
                correlation=correlation,
                picture=patch_picture_address(served, layer, unit, 1),
            )
            for rank, (unit, correlation) in enumerate(pairs, start=1)
        ],
    )


def _row(served: ServedStore, units: LayerUnits, number: int) -> dict[str, Any]:
    images = int(units.images[number])
    return {
        "layer": units.layer,
        "unit": number,
        "images": images,
        "nonfinite": int(units.nonfinite[number]),
        **finite({name: float(units.values[name][number]) for name in RANKED}),
        "label": units.labels[number],
        "ranks": UnitRanks(**{name: int(units.ranks[name][number]) or None for name in RANKED}),
        "picture": patch_picture_address(served, units.layer, number, 1) if images else None,
    }


def _ranked(units: LayerUnits) -> UnitRanks:
    return UnitRanks(**units.ranked)


def _histogram(distribution: Distribution) -> HistogramAnswer:
    made = distribution.histogram()
    rest = len(distribution.values) - distribution.finite
    return HistogramAnswer(edges=made.edges.tolist(), counts=made.counts.tolist(), not_finite=rest)

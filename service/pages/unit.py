"""What a unit's page shows: its patches, how its maxima are distributed, its classes, units like it, other stores."""

from dataclasses import dataclass

from fastapi import Request, Response

from ...common.errors import UnitscopeError
from ..queries import units as unit_queries
from ..queries.patches import PatchQuery
from ..queries.patches import patches as patches_of_unit
from ..schemas.units import OneUnitAnswer, UnitAnswer, UnitClassesAnswer
from ..stores.registry import Registry, ServedStore
from ..stores.urls import patch_picture_address
from .layer import filter_picture
from .rendering.charts import Bars, bars, class_bars
from .rendering.page import page
from .rendering.sections import attempt, begin, blocked_lately, given, live_of

PATCHES = 24
MORE = 100
CLASSES, ALL_CLASSES = 10, 1000
SIMILAR = 10
ELSEWHERE = 6
"""Patches of the same unit in another store."""


@dataclass(frozen=True)
class UnitLook:
    """What the address of a unit's page asks for. similar: wait for the units that are similar."""

    layer: str
    unit: int
    k: int = PATCHES
    where: str | None = None
    quantile: float | None = None
    all_classes: bool = False
    similar: bool = False
    filters: bool = False

    @property
    def asked(self) -> dict[str, object]:
        """The parameters of the address."""
        return {
            "where": self.where,
            "quantile": self.quantile,
            "k": None if self.k == PATCHES else self.k,
            "classes": "all" if self.all_classes else None,
            "similar": self.similar,
            "filters": self.filters,
        }


@dataclass(frozen=True)
class Elsewhere:
    """The unit of the same layer and number in another store; or why it cannot be shown."""

    store: str
    model: str
    unit: UnitAnswer | None
    pictures: list[str]
    problem: str | None = None


def unit(request: Request, served: ServedStore, look: UnitLook) -> Response:
    """Return one unit. Raises LayerError."""
    row = served.store.layer(look.layer)
    served.store.check_unit(look.layer, look.unit)
    similar = begin(
        lambda: unit_queries.similar_units(served, look.layer, look.unit, k=SIMILAR),
        wait=look.similar,
        long=not served.analysis.similar.is_quick(look.layer),
    )
    tried = attempt(
        lambda: patches_of_unit(
            served, PatchQuery(look.layer, look.unit, look.k, look.where, look.quantile)
        ).answer()
    )
    patches = tried.found.patches if tried.found else []
    blocked = blocked_lately(served, patches[0].image_id) if patches else None
    where = look.where if tried.problem is None else None  # a filter that cannot be read keeps all
    answer = unit_queries.unit(served, look.layer, look.unit, where)
    classes, chart = _classes(served, look, where)
    return page(
        request,
        "unit.html",
        status=tried.status,
        **given(served),
        layer=row,
        seen=row.geometry_of(look.unit),
        look=look,
        asked=look.asked,
        unit=answer,
        found=tried.found,
        problem=tried.problem,
        more=MORE if len(patches) == look.k < MORE else None,
        where=look.where or "",
        blocked=blocked() if blocked else None,
        columns=served.store.images_schema.names,
        histogram=_histogram(answer),
        classes=classes,
        chart=chart,
        elsewhere=_elsewhere(request.app.state.registry, served, look),
        filters=attempt(lambda: filter_picture(live_of(request), served, look.layer, look.unit))
        if look.filters
        else None,
        similar=similar(),
    )


def _histogram(answer: OneUnitAnswer) -> Bars | None:
    made = answer.histogram
    return bars(made.edges, made.counts) if made.counts else None


def _classes(
    served: ServedStore, look: UnitLook, where: str | None
) -> tuple[UnitClassesAnswer, list[tuple[float, float]]]:
    limit = ALL_CLASSES if look.all_classes else CLASSES
    answer = unit_queries.unit_classes(served, look.layer, look.unit, where, limit=limit)
    return answer, class_bars([one.mean for one in answer.classes])


def _elsewhere(registry: Registry, served: ServedStore, look: UnitLook) -> list[Elsewhere]:
    found: list[Elsewhere] = []
    for name in registry.names():
        if name == served.name:
            continue
        try:
            one = _in_store(registry.get(name).value, look)
        except UnitscopeError as error:
            one = Elsewhere(name, "", None, [], str(error))
        if one is not None:
            found.append(one)
    return found


def _in_store(other: ServedStore, look: UnitLook) -> Elsewhere | None:
    """Return None where the store has no such unit."""
    layers = {layer.layer: layer.units for layer in other.store.layers}
    if look.unit >= layers.get(look.layer, 0):
        return None
    answer = unit_queries.unit(other, look.layer, look.unit)
    pictures = [
        patch_picture_address(other, look.layer, look.unit, rank)
        for rank in range(1, min(ELSEWHERE, answer.images) + 1)
    ]
    return Elsewhere(other.name, str(other.store.manifest.model["spec"]), answer, pictures)

"""Statistics of units that are computed when they are first asked for: ranks, distributions, what each class does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from ...common.errors import ImageStatus
from ..caching.once import OnceCache
from ..stats.distribution import Distribution, ranks
from ..store.store import Store
from ..store.units import Patch
from .images import ImageColumns

_OK = f"status = '{ImageStatus.OK.value}'"
RANKED = ("max", "mean", "std", "min", "active", "selectivity")


@dataclass(frozen=True)
class LayerUnits:
    """All units of a layer.

    images: (units,) int64, with a value; nonfinite: (units,) int64, of these NaN or infinite.
    values: name of RANKED → (units,) float64, NaN for none.
    labels: of each unit the label that it fires most for. ranks: name of RANKED → (units,) int64: 1 + how many of the
    layer's units have a larger value; 0 for none. ranked: name of RANKED → how many units have a value.
    """

    layer: str
    images: np.ndarray
    nonfinite: np.ndarray
    values: dict[str, np.ndarray]
    labels: tuple[str | None, ...]
    ranks: dict[str, np.ndarray]
    ranked: dict[str, int]

    @property
    def bytes(self) -> int:
        """In memory."""
        return (2 * len(RANKED) + 4) * self.images.nbytes


class UnitClass(NamedTuple):
    """What a unit does in the images of one label. mean: of their maxima. active: share of them with one above 0."""

    label: str
    images: int
    mean: float
    active: float


class Ranked(NamedTuple):
    """Patches that stand next to each other in the order of all. first: the rank of the first, from 1.

    images: how many have a rank.
    """

    first: int
    images: int
    patches: list[Patch]


class UnitAnalysis:
    """The units of one store. Any threads may share it."""

    def __init__(self, store: Store, cache: OnceCache, images: Callable[[], ImageColumns]) -> None:
        self._store, self._cache, self._images = store, cache, images

    def layer(self, layer: str) -> LayerUnits:
        """Return all units of a layer. Raises LayerError."""
        name = self._store.layer(layer).layer
        return self._cache.get(("layer", name), lambda: self._layer(name), lambda units: units.bytes)

    def distribution(self, layer: str, unit: int, where: str | None = None) -> Distribution:
        """Return that of a unit's maxima over the images that did not fail and that a filter keeps.

        Raises LayerError, FilterError.
        """
        key = ("distribution", layer, unit, where or None)
        return self._cache.get(key, lambda: self._distribution(layer, unit, where), lambda found: found.bytes)

    def around(self, layer: str, unit: int, *, quantile: float, k: int, where: str | None) -> Ranked:
        """Return the k patches around a quantile of the maxima of the images that a filter keeps, strongest first.

        Raises LayerError, FilterError.
        """
        found = self.distribution(layer, unit, where)
        places = found.around(quantile, k)
        patches = self._store.patches_at(layer, unit, found.image_ids[places].tolist())
        return Ranked(places.start + 1, found.numbers, patches)

    def kept(self, where: str | None) -> int:
        """Return how many images that did not fail a filter keeps. Raises FilterError."""
        key = ("kept", where or None)
        return self._cache.get(
            key, lambda: int(np.count_nonzero(self._mask(where))), lambda _: 200 + len(where or "")
        )

    def classes(self, layer: str, unit: int, where: str | None = None) -> list[UnitClass]:
        """Return what a unit does in the images of each label: by the mean, descending, then by label.

        Over the finite maxima, of the images that a filter keeps. Raises LayerError, FilterError.
        """
        images = self._images()
        maxima = self._store.maxima(layer, unit)
        chosen = images.ok & np.isfinite(maxima)
        if where:
            chosen &= self._store.mask(where)
        rows, codes = images.codes.pairs()
        kept = chosen[rows]
        codes, values = codes[kept], maxima[rows[kept]].astype(np.float64)
        labels = len(images.labels)
        counts = np.bincount(codes, minlength=labels)
        sums = np.bincount(codes, weights=values, minlength=labels)
        active = np.bincount(codes, weights=values > 0, minlength=labels)
        there = np.flatnonzero(counts)
        means = sums[there] / counts[there]
        order = there[np.argsort(-means, kind="stable")]
        return [
            UnitClass(
                images.labels[code],
                int(counts[code]),
                float(sums[code] / counts[code]),
                float(active[code] / counts[code]),
            )
            for code in order.tolist()
        ]

    def _layer(self, layer: str) -> LayerUnits:
        table = self._store.units(layer)
        values = {name: _numbers(table[name]) for name in RANKED[:-1]}
        selective = self._store.selectivity(layer)
        none = np.full(table.num_rows, np.nan)
        values["selectivity"] = none if selective is None else _numbers(selective["selectivity"])
        labels = [None] * table.num_rows if selective is None else selective["label"].to_pylist()
        placed = {name: ranks(column) for name, column in values.items()}
        return LayerUnits(
            layer=layer,
            images=table["images"].to_numpy(),
            nonfinite=table["nonfinite"].to_numpy(),
            values=values,
            labels=tuple(labels),
            ranks=placed,
            ranked={name: int(np.count_nonzero(column)) for name, column in placed.items()},
        )

    def _distribution(self, layer: str, unit: int, where: str | None) -> Distribution:
        ids = np.flatnonzero(self._mask(where))
        return Distribution.of(self._store.maxima(layer, unit)[ids], ids)

    def _mask(self, where: str | None) -> np.ndarray:
        """Return (images,) bool: which did not fail, and pass a filter."""
        ok = self._store.mask(_OK)
        return ok & self._store.mask(where) if where else ok


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Return (rows,) float64, NaN for null."""
    return column.to_numpy().astype(np.float64)


UnitSort = Literal["unit", "max", "mean", "std", "min", "active", "selectivity"]


@dataclass(frozen=True)
class UnitQuery:
    """dead: no image with a maximum above 0. min_active, max_active: shares. label: that the unit fires most for.

    A unit without a value fails every condition on it. descending: None for the order that is useful: by number from
    the lowest, by anything else from the largest.
    """

    sort: UnitSort = "unit"
    descending: bool | None = None
    dead: bool | None = None
    min_active: float | None = None
    max_active: float | None = None
    min_selectivity: float | None = None
    label: str | None = None


def choose(units: LayerUnits, query: UnitQuery) -> np.ndarray:
    """Return (n,) int64: units, by what is asked; those without a value last, equal ones by number."""
    active, selectivity = units.values["active"], units.values["selectivity"]
    kept = np.ones(len(active), bool)
    if query.dead is not None:
        kept &= active == 0 if query.dead else active > 0
    if query.min_active is not None:
        kept &= active >= query.min_active
    if query.max_active is not None:
        kept &= active <= query.max_active
    if query.min_selectivity is not None:
        kept &= selectivity >= query.min_selectivity
    if query.label is not None:
        kept &= np.array([label == query.label for label in units.labels], bool)
    found = np.flatnonzero(kept)
    descending = query.sort != "unit" if query.descending is None else query.descending
    if query.sort == "unit":
        return found[::-1] if descending else found
    values = units.values[query.sort][found]
    return found[np.argsort(-values if descending else values, kind="stable")]

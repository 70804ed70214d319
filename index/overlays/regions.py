"""What sets the items of a region of a map apart: their classes, their means, and the units that fire more for them.

Everything is against the rest: the other items of the map; for the units of images the other images of the store.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..atlas.activation_sample import ActivationSample
from ..stats.moments import Statistics, merge
from ..store.store import Store
from .items import Labels

READ_BYTES = 1 << 30
"""Of maxima (float32) that one question reads at most; beyond it a sample of the region's images is looked at."""


class RegionClass(NamedTuple):
    """label: None for items without. share: of the region's items; rest: of the other items of the map."""

    label: str | None
    items: int
    share: float
    rest: float | None


class Contrast(NamedTuple):
    """A mean over the region's images and one over the rest; None where nothing is known."""

    region: float | None
    rest: float | None


class RegionUnit(NamedTuple):
    """mean, rest: of the unit's maxima over the region's images and over all others.

    gap: their difference in standard deviations of the unit's maxima over the dataset.
    """

    layer: str
    unit: int
    mean: float
    rest: float
    gap: float


@dataclass(frozen=True)
class RegionUnits:
    """units: by gap, descending, then in the layers' order. images: looked at, of those of the region."""

    units: tuple[RegionUnit, ...]
    images: int
    exact: bool


def region_classes(labels: Labels, inside: np.ndarray, on_map: np.ndarray) -> list[RegionClass]:
    """Return the labels of a region, the commonest first. inside, on_map: (m,) and (n,) int64 items."""
    here = _label_counts(labels, inside)
    others = _label_counts(labels, on_map) - here
    rest = len(on_map) - len(inside)
    order = sorted(np.flatnonzero(here).tolist(), key=lambda code: (-here[code], code))
    return [
        RegionClass(
            labels.names[code - 1] if code else None,
            int(here[code]),
            float(here[code] / len(inside)),
            float(others[code] / rest) if rest else None,
        )
        for code in order
    ]


def _label_counts(labels: Labels, items: np.ndarray) -> np.ndarray:
    """Return (1 + labels,) int64: how many items have no label, and how many each."""
    codes = labels.codes.take(items)
    return np.concatenate([[len(items) - codes.labelled], codes.counts(len(labels.names))])


def contrast(values: np.ndarray, inside: np.ndarray, on_map: np.ndarray) -> Contrast:
    """Return means over a region and over the rest of the map. values: (items,) float, NaN for none."""
    rest = np.setdiff1d(on_map, inside, assume_unique=True)
    return Contrast(_mean(values[inside]), _mean(values[rest]))


def _mean(values: np.ndarray) -> float | None:
    values = values[~np.isnan(values)].astype(np.float64)
    return float(values.mean()) if len(values) else None


def region_units(store: Store, layers: list[str], inside: np.ndarray, k: int) -> RegionUnits:
    """Return the k units whose maxima in the region are highest above those of all other images, by `gap`. Raises
    LayerError.

    inside: (m,) int64 image ids, ascending. The means of the others follow from those of all images, which the store
    has; so only row groups with images of the region are read, and of those as many as READ_BYTES allow: evenly spaced.
    """
    found: list[RegionUnit] = []
    fewest = len(inside)
    for layer in layers:
        sample = _readable(store, layer, inside, READ_BYTES // max(1, len(layers)))
        fewest = min(fewest, sum(map(len, sample)))
        if sample:
            found += _units(store, layer, sample, len(inside))
    found.sort(key=lambda unit: -unit.gap)
    return RegionUnits(tuple(found[:k]), fewest, fewest == len(inside))


def sample_units(
    sample: ActivationSample, layer: str, inside: np.ndarray, on_map: np.ndarray, k: int
) -> RegionUnits:
    """Return the k units of a layer whose activations in a region of its samples are highest above those in the rest.

    inside, on_map: (m,) and (n,) int64 samples, ascending.
    """
    here = rest = Statistics.empty(sample.width)
    for block in sample.blocks():
        rows = np.arange(block.first, block.first + len(block.values))
        within = np.isin(rows, inside, assume_unique=True)
        without = np.isin(rows, on_map, assume_unique=True) & ~within
        here = merge(here, Statistics.of(block.values[within]))
        rest = merge(rest, Statistics.of(block.values[without]))
    std = merge(here, rest).std
    usable = np.flatnonzero((std > 0) & np.isfinite(std)) if here.images and rest.images else []
    gaps = {unit: (here.means[unit] - rest.means[unit]) / std[unit] for unit in map(int, usable)}
    best = sorted(gaps, key=lambda unit: (-gaps[unit], unit))[:k]
    found = [
        RegionUnit(layer, unit, float(here.means[unit]), float(rest.means[unit]), float(gaps[unit]))
        for unit in best
    ]
    return RegionUnits(tuple(found), here.images, exact=True)


def _readable(store: Store, layer: str, inside: np.ndarray, limit: int) -> list[np.ndarray]:
    """Return the region's images by row group of the layer's maxima; of more bytes than `limit`, those of some
    groups.
    """
    groups = store.maxima_groups(layer)
    stops = np.searchsorted(inside, [first + rows for first, rows in groups])
    held = [
        (inside[start:stop], rows * store.layer(layer).units * 4)
        for (_, rows), start, stop in zip(groups, [0, *stops[:-1]], stops, strict=True)
        if stop > start
    ]
    room = max(1, limit // max((size for _, size in held), default=1))
    if len(held) > room:
        held = [held[place * len(held) // room] for place in range(room)]
    return [ids for ids, _ in held]


def _units(store: Store, layer: str, sample: list[np.ndarray], size: int) -> list[RegionUnit]:
    """Rank the units. size: images of the region, of which `sample` are looked at."""
    units = store.layer(layer).units
    sums, counts = np.zeros(units), np.zeros(units)
    for ids in sample:
        values = store.maxima_of_layer(layer, ids)
        finite = np.isfinite(values)
        sums += np.where(finite, values, 0).sum(axis=1, dtype=np.float64)
        counts += finite.sum(axis=1)
    table = store.units(layer)
    total, mean, std = (table[name].to_numpy().astype(np.float64) for name in ("images", "mean", "std"))
    others = total - size
    usable = np.flatnonzero((counts > 0) & (others > 0) & (std > 0) & np.isfinite(mean * std))
    here = sums[usable] / counts[usable]
    rest = (total[usable] * mean[usable] - size * here) / others[usable]
    gaps = (here - rest) / std[usable]
    return [
        RegionUnit(layer, *row)
        for row in zip(usable.tolist(), here.tolist(), rest.tolist(), gaps.tolist(), strict=True)
    ]

"""Where questions about classes get the tables that they start from."""

from dataclasses import dataclass

import numpy as np

from .image_columns import ImageColumns
from .store import Store

_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Selectivity:
    """values: (units,) float64, NaN for none. labels: of each unit the label with the largest mean, None for none."""

    values: np.ndarray
    labels: tuple[str | None, ...]


def selectivity(store: Store, images: ImageColumns, layer: str) -> Selectivity:
    """The class selectivity of each unit of a layer (Morcos et al. 2018)."""
    units = store.layer(layer).units
    none = Selectivity(np.full(units, np.nan), (None,) * units)
    ids = np.flatnonzero(images.ok & (images.codes >= 0))
    if not len(ids) or units * len(ids) * 4 > _MOST_BYTES:
        return none
    codes = images.codes[ids]
    counts = np.bincount(codes, minlength=len(images.labels))
    maxima = store.maxima_of_layer(layer, ids)
    values = np.full(units, np.nan)
    labels: list[str | None] = [None] * units
    for unit in range(units):
        sums = np.bincount(codes, weights=np.maximum(maxima[unit], 0), minlength=len(counts))
        means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        if not np.nansum(means) > 0 or (counts > 0).sum() < 2:
            continue
        best = int(np.nanargmax(means))
        rest = float(np.nanmean(np.delete(means, best)))
        labels[unit] = images.labels[best]
        values[unit] = (means[best] - rest) / (means[best] + rest)
    return Selectivity(values, tuple(labels))


@dataclass(frozen=True)
class StrongUnit:
    """A unit that an image fires far above its mean. score: (value - mean) / std over the dataset."""

    layer: str
    unit: int
    value: float
    score: float


def strongest_units(store: Store, image_id: int) -> list[list[StrongUnit]]:
    """Of each layer the units with the largest scores in an image, largest first; empty lists for a failed image."""
    found: list[list[StrongUnit]] = []
    for layer in store.layers:
        values = store.maxima_of_layer(layer.layer, np.array([image_id]))[:, 0].astype(np.float64)
        table = store.units(layer.layer)
        mean, std = (table[name].to_numpy(zero_copy_only=False).astype(float) for name in ("mean", "std"))
        if np.isnan(values).all():
            found.append([])
            continue
        scores = np.divide(values - mean, std, out=np.zeros(len(std)), where=std > 0).astype(np.float32)
        order = np.lexsort((np.arange(len(scores)), -scores))[:8]
        found.append([StrongUnit(layer.layer, int(u), float(values[u]), float(scores[u])) for u in order])
    return found

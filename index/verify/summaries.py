"""What `verify` looks at in the tables that sum up the maxima: classes, selectivity, each image's strongest units."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ...common.errors import ImageStatus
from ..compute import pc
from ..format.files import CLASSES, SELECTIVITY, STRONGEST
from ..labels.columns import LABELS, has_label_lists, list_pairs
from ..merge.image_units import STRONGEST_OF_LAYER, Scale
from ..merge.selectivity import selectivity
from ..store.store import Store
from ..store.summaries import StrongUnit

_SAMPLE = 3
"""Units of each layer, and images, that are computed again."""
_ROUNDING = 1e-5
"""Relative: what was added up in another order."""


def check_summary(store: Store) -> Iterator[tuple[str, str]]:
    """Yield (path, what is wrong) of each table that is not what images/, maxima/ and units.parquet say.

    Nothing for a store of an older release, which has none of them. Raises as `Store` does.
    """
    classes = store.classes_table()
    if classes is not None:
        yield from _check_classes(store, classes)
        yield from _check_selectivity(store, classes["label"].to_pylist())
    if store.manifest.parts(STRONGEST):
        yield from _check_strongest(store)


def _check_classes(store: Store, classes: pa.Table) -> Iterator[tuple[str, str]]:
    _, every = _labels(store)
    labels = every.unique().to_pylist()
    if store.manifest.counts.get("labels") != len(labels):
        yield CLASSES, f"the manifest has {store.manifest.counts.get('labels')} labels, images/ {len(labels)}"
    if not classes.num_rows:  # of too many labels
        return
    _, swept = _labels(store, swept=True)
    counts = {one["values"]: one["counts"] for one in swept.value_counts().to_pylist()}
    expected = [(label, counts.get(label, 0)) for label in sorted(labels, key=str.encode)]
    if list(zip(classes["label"].to_pylist(), classes["images"].to_pylist(), strict=True)) != expected:
        yield CLASSES, "the labels, or how many images each has, are not those of images/"


def _labels(store: Store, *, swept: bool = False) -> tuple[np.ndarray, pa.Array]:
    """Return (pairs,) int64, the image of each label, and the labels. swept: only of images that did not fail."""
    name = LABELS if has_label_lists(store.images_schema) else "label"
    table = store.images([name, "status"])
    column = table[name].combine_chunks()
    rows, labels = list_pairs(column) if name == LABELS else (np.arange(len(column)), column)
    kept = labels.is_valid().to_numpy(zero_copy_only=False)
    if swept:
        kept &= pc.equal(table["status"], ImageStatus.OK.value).to_numpy()[rows]
    return rows[kept], labels.filter(pa.array(kept))


def _check_selectivity(store: Store, labels: list[str]) -> Iterator[tuple[str, str]]:
    """Yield a few units of each layer: their means from the maxima, the rest from their means."""
    swept, own = _labels(store, swept=True)
    numbers = pc.index_in(own, value_set=pa.array(labels, pa.string())).fill_null(-1).to_numpy()
    swept, numbers = swept[numbers >= 0], numbers[numbers >= 0]
    for layer in store.layers:
        table = store.selectivity(layer.layer)
        for unit in _spread(layer.units):
            stored = store.class_means(layer.layer, unit)
            assert table is not None, "they are made together"
            assert stored is not None, "they are made together"
            values = np.maximum(store.maxima(layer.layer, unit)[swept], 0)
            known = np.isfinite(values)
            counts = np.bincount(numbers[known], minlength=len(labels))
            if not _is_mean(stored, values[known], numbers[known], counts) or table.slice(
                unit, 1
            ).to_pylist()[0] != {
                "unit": unit,
                **_preferred(stored, counts > 0, labels),
            }:
                yield SELECTIVITY, f"unit {unit} of {layer.layer} is not what its maxima are by label"


def _is_mean(stored: np.ndarray, values: np.ndarray, numbers: np.ndarray, counts: np.ndarray) -> bool:
    """Return whether `stored`, (labels,), are the means of `values` by label: (images,) floats and label numbers."""
    if len(stored) != len(counts):
        return False
    sums = np.bincount(numbers, weights=values, minlength=len(counts))
    means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return np.allclose(stored, means, rtol=_ROUNDING, atol=1e-30, equal_nan=True)


def _preferred(means: np.ndarray, there: np.ndarray, labels: list[str]) -> dict[str, Any]:
    """Return `label` and `selectivity` of a unit with these means."""
    preferred, index = selectivity(means[None], there[None])
    if preferred[0] < 0:
        return {"label": None, "selectivity": None}
    return {"label": labels[preferred[0]], "selectivity": float(index[0])}


def _check_strongest(store: Store) -> Iterator[tuple[str, str]]:
    """Yield the strongest unit of each layer in a few images: its value from the maxima, its score from its
    statistics.
    """
    for image in _spread(store.images_count):
        ok = store.image(image)["status"] == ImageStatus.OK
        for layer, units in zip(store.layers, store.strongest_units(image) or [], strict=True):
            if len(units) != (min(STRONGEST_OF_LAYER, layer.units) if ok else 0):
                yield STRONGEST, f"image {image} has {len(units)} units of {layer.layer}"
            elif units and not _is_strong(store, image, units):
                yield STRONGEST, f"the units of {layer.layer} in image {image} are not what the maxima say"


def _is_strong(store: Store, image: int, units: list[StrongUnit]) -> bool:
    """Return whether the units of a layer are in order, and the first is what maxima and statistics make it."""
    best = units[0]
    value = store.maxima(best.layer, best.unit)[image]
    measured = store.unit(best.layer, best.unit)
    mean = measured.mean if measured.std and measured.mean is not None else 0
    scale = Scale(np.array([mean]), np.array([measured.std or np.inf]))
    score = scale.scores(np.array([[value]]))[0, 0]
    same = np.array_equal([best.value, best.score], [value, score], equal_nan=True)
    return same and units == sorted(units, key=lambda one: (-one.score, one.unit))


def _spread(count: int) -> list[int]:
    """Return a few of 0 … count - 1, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, _SAMPLE).astype(int)).tolist()

"""The units' own map: the units of a layer laid out by how they fire over the dataset, each drawn as its best patch.

Two units are as far apart as their maxima, scaled to mean 0 and length 1: by the root of 2 - 2 times their correlation.
Units that say nothing (dead, or without a correlation) lie in rows of their own under the map.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from threadpoolctl import threadpool_limits

from ...common.errors import StoreDamagedError
from ...common.progress import SILENT, Progress
from ..analysis.correlations import Correlations, correlate
from ..neighbors.exact import Vectors
from ..neighbors.graph import knn_graph
from ..neighbors.index import NeighborIndex
from ..projection.grid import scaled
from ..projection.projection import MapOptions, project
from ..projection.quality import measure_quality
from ..store.store import Store

DIMMED = (0x48, 0x60)
"""The grays of black and white in the picture of a unit that lies apart."""
_JITTER = 1e-7
"""On the diagonal, so that units that fire exactly alike can be factored; moves no distance by more than 0.0005."""
_GAP = 0.08
"""Between the map and the rows under it, of its side."""


@dataclass(frozen=True)
class UnitsMap:
    """coordinates: (units, 2) float32. apart: (units,) bool, those that lie under the map.

    settings, quality: for the manifest of an atlas.
    """

    coordinates: np.ndarray
    apart: np.ndarray
    settings: dict[str, Any]
    quality: dict[str, Any]


def lay_out_units(store: Store, layer: str, options: MapOptions, *, progress: Progress = SILENT) -> UnitsMap:
    """Return the map of all units of a layer. Raises LayerError."""
    found = correlate(store, layer, threads=options.threads, progress=progress)
    dead = store.units(layer)["active"].to_numpy(zero_copy_only=False) == 0
    on_map = found.varies & ~dead
    ann = NeighborIndex(unit_vectors(found, on_map), "l2", None, (), {})
    graph = knn_graph(ann, exact=True, threads=options.threads, progress=progress)
    layout = project(ann.vectors, graph, options, progress=progress)
    quality = measure_quality(ann.vectors, graph, layout.coordinates).to_json()
    odd = int((~dead & ~found.finite).sum())
    settings = layout.settings | {
        "layer": layer,
        "correlated_over": found.images,
        "dead": int(dead.sum()),
        "constant": int((~dead & ~found.varies).sum()) - odd,
        **({"nonfinite": odd} if odd else {}),
    }
    return UnitsMap(with_rows_under(layout.coordinates, on_map), ~on_map, settings, quality)


def unit_vectors(found: Correlations, on_map: np.ndarray) -> Vectors:
    """Return (units, m) vectors whose distances are those of the units' scaled maxima; only units on the map are valid.

    on_map: (units,) bool, m of them. It is the Cholesky factor of their correlations: they are its inner products.
    """
    chosen = np.flatnonzero(on_map)
    features = np.zeros((len(on_map), max(1, len(chosen))), np.float32)
    if len(chosen):
        matrix = found.matrix[np.ix_(chosen, chosen)] + _JITTER * np.eye(len(chosen))
        with threadpool_limits(1, "blas"):
            features[chosen] = np.linalg.cholesky(matrix)
    return Vectors.of(features, on_map)


def with_rows_under(coordinates: np.ndarray, on_map: np.ndarray) -> np.ndarray:
    """Return (units, 2) float32: the map of some units scaled to the unit square, and the others in rows under it.

    coordinates: (m, 2), of those that are `on_map` (units,) bool. y grows downwards, as the grids draw it.
    """
    placed = np.zeros((len(on_map), 2), np.float32)
    if on_map.any():
        placed[on_map] = scaled(coordinates)
    others = np.flatnonzero(~on_map)
    across = max(1, int(np.ceil(np.sqrt(len(on_map)))))
    row, column = np.divmod(np.arange(len(others)), across)
    top = 1 + _GAP if on_map.any() else 0
    placed[others] = np.stack([(column + 0.5) / across, top + (row + 0.5) / across], axis=1)
    return placed


def dimmed(jpeg: bytes) -> bytes:
    """Return the picture of a unit that lies apart: without colours and nearly without contrast. Raises OSError."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        gray = ImageOps.grayscale(picture)
    low, high = DIMMED
    faded = gray.point([low + (high - low) * level // 255 for level in range(256)])
    file = io.BytesIO()
    faded.save(file, "JPEG", quality=85)
    return file.getvalue()


def picture_of(store: Store, layer: str, apart: np.ndarray, unit: int) -> bytes | None:
    """Return a unit's best patch, dimmed where the unit lies apart. Raises StoreDamagedError."""
    jpeg = store.patch(layer, unit, 0)
    if jpeg is None or not apart[unit]:
        return jpeg
    try:
        return dimmed(jpeg)
    except (OSError, SyntaxError, ValueError) as error:
        raise StoreDamagedError(
            f"the patch of unit {unit} of {layer} cannot be decoded ({error}); `unitscope verify {store.folder.url}` "
            "says what else is damaged"
        ) from error

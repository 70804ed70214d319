"""The activation atlas: a map of activations at single positions, averaged over the cells of a grid.

Source: Carter, Armstrong, Schubert, Johnson and Olah, "Activation Atlas", Distill (2019). There a cell shows a feature
visualisation of its mean; here it shows, of the real patches that lie in it, the one whose activation is nearest to
that mean, so that no two cells show the same.
`cells-<digest>.parquet` beside the sample has a row for each cell that holds samples: row, column, samples, the mean
activation, `nearest` (samples, nearest first, with their L2 distances), and the commonest label and predicted class of
the samples' images, each with how many images bear it.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import StoreDamagedError
from ..format.parquet_writer import features_settings, table_file
from ..neighbors.exact import Vectors, nearest
from ..projection.grid import nearest_cells
from ..storage.folder import Folder, MissingFileError
from ..storage.hashed_file import PartRecord

SAMPLES_IN_CELL = 16
"""About so many samples lie in a cell, where there are not more than MOST_CELLS a side."""
MOST_CELLS = 100
NEAREST = 4
_BLOCK = 16_384


@dataclass(frozen=True)
class Cells:
    """The cells that hold samples, row by row.

    row, column: (cells,) int64. samples: (cells,) int64, how many. means: (cells, units) float32.
    nearest: (cells, NEAREST) int64, of all samples, -1 for none; distances: (cells, NEAREST) float32, L2.
    own: (cells,) int64, of the cell's samples the nearest. members: (samples on the map,) int64, the cell of each.
    """

    row: np.ndarray
    column: np.ndarray
    samples: np.ndarray
    means: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray
    own: np.ndarray
    members: np.ndarray

    def shown(self, side: int) -> np.ndarray:
        """Return (side, side) int64: the sample that each cell shows, -1 for none."""
        grid = np.full((side, side), -1, np.int64)
        grid[self.row, self.column] = self.own
        return grid


def usual_side(samples: int) -> int:
    """Return cells along each side of the grid."""
    return min(MOST_CELLS, max(1, round(float(np.sqrt(samples / SAMPLES_IN_CELL)))))


def average(vectors: Vectors, samples: np.ndarray, coordinates: np.ndarray, side: int) -> Cells:
    """Return the mean activation of each cell of side x side, and the samples nearest to it, found exactly among all.

    samples: (n,) int64, rows of `vectors`, those on the map; coordinates: (n, 2), of each. Sums are float64, in the
    samples' order.
    """
    row, column = nearest_cells(coordinates, side)
    cells, members, counts = np.unique(row * side + column, return_inverse=True, return_counts=True)
    sums = np.zeros((len(cells), vectors.features.shape[1]))
    for rows in _blocks(len(samples)):
        np.add.at(sums, members[rows], vectors.features[samples[rows]].astype(np.float64))
    means = (sums / counts[:, None]).astype(np.float32)
    distances, found = nearest(vectors, means, NEAREST)
    own = samples[_nearest_members(vectors, samples, means, members)]
    return Cells(cells // side, cells % side, counts, means, found, distances, own, members)


def _nearest_members(
    vectors: Vectors, samples: np.ndarray, means: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """Return (cells,) int64, places in `samples`: of each cell's members the nearest to its mean, of equal ones the
    first.
    """
    gaps = np.empty(len(samples))
    for rows in _blocks(len(samples)):
        apart = vectors.features[samples[rows]].astype(np.float64) - means[members[rows]]
        gaps[rows] = (apart**2).sum(axis=1)
    order = np.lexsort((gaps, members))
    return order[np.unique(members[order], return_index=True)[1]]


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]


def commonest(
    members: np.ndarray, cells: int, values: list[str | int | None]
) -> list[tuple[str | int, int] | None]:
    """Return for each cell the value that most of its samples have, and how many; of equally common ones the first in
    order.

    members: (samples,) the cell of each sample; values: of each sample. None for a cell without values.
    """
    known = sorted({value for value in values if value is not None})  # pyright: ignore[reportArgumentType]
    codes = {value: code for code, value in enumerate(known)}
    found: list[tuple[str | int, int] | None] = [None] * cells
    own = np.array([codes.get(value, -1) for value in values], np.int64)  # pyright: ignore[reportCallIssue, reportArgumentType]
    kept = own >= 0
    pairs, counts = np.unique(np.stack([members[kept], own[kept]]), axis=1, return_counts=True)
    order = np.lexsort((pairs[1], -counts, pairs[0]))
    _, first = np.unique(pairs[0][order], return_index=True)
    for place in order[first].tolist():
        found[int(pairs[0, place])] = known[int(pairs[1, place])], int(counts[place])
    return found


def cells_schema(units: int) -> pa.Schema:
    """Return the columns of `cells-<digest>.parquet`."""
    near = pa.struct([pa.field("sample", pa.int64()), pa.field("distance", pa.float32())])
    return pa.schema(
        [
            pa.field("row", pa.int32(), nullable=False),
            pa.field("column", pa.int32(), nullable=False),
            pa.field("samples", pa.int64(), nullable=False),
            pa.field("mean", pa.list_(pa.float32(), units), nullable=False),
            pa.field("nearest", pa.list_(near), nullable=False),
            pa.field("label", pa.string()),
            pa.field("label_samples", pa.int64()),
            pa.field("predicted", pa.int32()),
            pa.field("predicted_samples", pa.int64()),
        ]
    )


def write_cells(
    folder: Folder, cells: Cells, labels: list[str | None], predicted: list[int | None]
) -> PartRecord:
    """Write `cells-<digest>.parquet`. labels, predicted: of the image of each of `cells.members`."""
    count = len(cells.samples)
    by_label, by_class = (commonest(cells.members, count, [*values]) for values in (labels, predicted))
    near = [
        [{"sample": sample, "distance": gap} for sample, gap in zip(own, gaps, strict=True) if sample >= 0]
        for own, gaps in zip(cells.nearest.tolist(), cells.distances.tolist(), strict=True)
    ]
    units = cells.means.shape[1]
    columns = [
        *(cells.row, cells.column, cells.samples),
        pa.FixedSizeListArray.from_arrays(pa.array(cells.means.ravel()), units),
        near,
        *_split(by_label),
        *_split(by_class),
    ]
    schema = cells_schema(units)
    table = pa.table(
        [
            column if isinstance(column, pa.Array) else pa.array(column, field.type)
            for column, field in zip(columns, schema, strict=True)
        ],
        schema=schema,
    )
    digest = hashlib.sha256()
    for array in (cells.row, cells.column, cells.samples, cells.means, cells.nearest):
        digest.update(np.ascontiguousarray(array).data)
    with table_file(folder, f"cells-{digest.hexdigest()[:16]}.parquet", schema, features_settings()) as file:
        file.write(table)
    return file.record


def read_cells(folder: Folder, path: str) -> pa.Table:
    """Return the cells but for their means. Raises StoreDamagedError."""
    try:
        with folder.open(path) as source, pq.ParquetFile(source) as file:
            return file.read(columns=[name for name in file.schema_arrow.names if name != "mean"])
    except (MissingFileError, pa.ArrowInvalid) as error:
        raise StoreDamagedError(
            f"{folder.path(path)} cannot be read ({error}); make the atlas again."
        ) from error


def remove_other_cells(folder: Folder, path: str) -> None:
    """Remove those of atlases before."""
    for name in folder.list(""):
        if name.startswith("cells-") and name != path:
            folder.remove(name)


def _split(found: list[tuple[str | int, int] | None]) -> tuple[list[str | int | None], list[int | None]]:
    return [one and one[0] for one in found], [one and one[1] for one in found]

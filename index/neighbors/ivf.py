"""An index of inverted lists over projected features, and exact gaps to candidates; the only importer of faiss."""

from typing import Any, BinaryIO

import faiss as _faiss
import numpy as np

from ..storage.row_file import RowFile
from .pca import Projection

faiss: Any = _faiss  # its Python names are added at import, where no type checker sees them

FAISS_VERSION: str = faiss.__version__


class IvfIndex:
    """A trained FAISS index: PCA, then inverted lists of codes. Threads may share it."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self._lists = faiss.extract_index_ivf(index)
        self.lists: int = self._lists.nlist
        self.dimensions: int = self._lists.d
        self.rows: int = index.ntotal
        self._parameters: dict[int, Any] = {}

    @classmethod
    def train(cls, factory: str, projection: Projection, sample: np.ndarray, seed: int) -> "IvfIndex":
        """Learn the lists and codes from `sample` (rows, width) float32.

        In one thread, as `add`: the sums of a matrix product depend on how many share it.
        """
        width, dimensions = projection.matrix.shape
        transform = faiss.LinearTransform(width, dimensions, True)
        faiss.copy_array_to_vector(np.ascontiguousarray(projection.matrix.T).ravel(), transform.A)
        faiss.copy_array_to_vector(-(projection.mean @ projection.matrix), transform.b)
        transform.is_trained = True
        inner = faiss.index_factory(dimensions, factory)
        inner.cp.seed = seed
        inner.cp.min_points_per_centroid = 1  # the choice is ours; no warnings on stderr
        with _Threads(1):
            inner.train(projection.apply(sample))
        index = faiss.IndexPreTransform(transform, inner)
        index.is_trained = True
        return cls(index)

    def add(self, rows: np.ndarray, ids: np.ndarray) -> None:
        """Add rows. rows: (rows, width) float32; ids: (rows,) int64."""
        with _Threads(1):
            self._index.add_with_ids(rows, ids)
        self.rows = self._index.ntotal

    def emptied(self) -> "IvfIndex":
        """Return another index with the same lists and codes, and nothing in them."""
        index = faiss.clone_index(self._index)
        index.reset()
        return IvfIndex(index)

    def candidates(
        self,
        queries: np.ndarray,
        count: int,
        probes: int,
        *,
        allowed: np.ndarray | None = None,
        threads: int = 1,
    ) -> np.ndarray:
        """Return (queries, count) int64: ids in the order of the codes' distances, -1 where there are no more.

        allowed: (images,) bool, the ids that may be returned.
        """
        if allowed is None:
            parameters = self._parameters.get(probes) or self._remember(probes)
        else:
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
            inner = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
            parameters = faiss.SearchParametersPreTransform(index_params=inner)
        with _Threads(threads if len(queries) > 1 else 1):
            return self._index.search(queries, count, params=parameters)[1]

    def _remember(self, probes: int) -> Any:
        inner = faiss.SearchParametersIVF(nprobe=probes)
        return self._parameters.setdefault(probes, faiss.SearchParametersPreTransform(index_params=inner))

    def scanned(self, queries: np.ndarray, probes: int) -> float:
        """Return the mean number of codes that a search for `queries` (queries, width) float32 reads."""
        projected = self._index.chain.at(0).apply(queries)
        _, numbers = self._lists.quantizer.search(projected, probes)
        sizes = np.array([self._lists.invlists.list_size(number) for number in range(self.lists)] + [0])
        return float(sizes[numbers].sum(axis=1).mean())

    def write(self, file: BinaryIO) -> None:
        """Write the index in FAISS's format."""
        faiss.write_index(self._index, faiss.PyCallbackIOWriter(file.write))

    @classmethod
    def read(cls, file: Any) -> "IvfIndex":
        """Read what `write` wrote."""
        return cls(faiss.read_index(faiss.PyCallbackIOReader(file.read)))


def squared_distances(features: np.ndarray | RowFile, queries: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return (queries, m) float32: squared L2 distances of each query to its own m images, inf for an id of -1.

    features: (images, width), queries: (queries, width), float32; ids: (queries, m) int64. Computed in float32.
    """
    if isinstance(features, RowFile):
        rows = features.take(np.maximum(ids, 0))
        rows -= queries[:, None]
        return np.where(ids < 0, np.float32(np.inf), np.einsum("qmw,qmw->qm", rows, rows))
    gaps = np.empty(ids.shape, np.float32)
    arrays = [np.ascontiguousarray(queries, np.float32), features, np.ascontiguousarray(ids, np.int64)]
    with _Threads(1):
        faiss.fvec_L2sqr_by_idx(
            *map(faiss.swig_ptr, (gaps, *arrays)), features.shape[1], ids.shape[0], ids.shape[1]
        )
    return gaps


class _Threads:
    """FAISS's number of threads for the calling thread (OpenMP keeps one for each), put back afterwards."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def __enter__(self) -> None:
        self.before: int = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(self.threads)

    def __exit__(self, *_: object) -> None:
        faiss.omp_set_num_threads(self.before)

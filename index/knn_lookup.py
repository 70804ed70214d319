"""The nearest images of an image, looked up in the stored graph instead of searched for."""

from dataclasses import dataclass, field

import numpy as np

from ..common.errors import StoreDamagedError
from .ann import Ann, Found
from .exact import distances, rank
from .files import Folder
from .knn_files import DTYPES, MANIFEST, check_origin, read_manifest
from .mapped import Pages, map_array

_SPARE = 6
"""Neighbours beyond those asked for that are ranked anew, where the order is float32's."""
_RESIDENT = 64 << 20
"""Bytes of each mapped file that stay in memory."""


@dataclass(frozen=True)
class KnnLookup:
    """The mapped graph of the index `ann`; threads may share it.

    ids: (images, k) int32, nearest first, -1 for none. gaps: (images, k) float32, their distances. ranked: of so many
    both are as `Ann.find` gives them. recall: of all k.
    """

    ann: Ann
    ids: np.ndarray
    gaps: np.ndarray
    ranked: int
    recall: float
    pages: tuple[Pages, Pages] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pages", tuple(Pages(array, _RESIDENT) for array in (self.ids, self.gaps)))

    @staticmethod
    def open(folder: Folder, ann: Ann, *, store: str) -> "KnnLookup":
        """store: the hash of the store's manifest.

        Raises StoreNotFoundError where there is no graph, or one of another store or index; StoreDamagedError.
        """
        manifest = read_manifest(folder)
        check_origin(folder, manifest, ann.manifest, store=store)
        shape = (ann.images, int(manifest["k"]))
        for name in DTYPES:
            if folder.size(name) != 4 * shape[0] * shape[1]:
                where = folder.path(name)
                raise StoreDamagedError(f"{where} has not the size that {MANIFEST} says; run `index` again.")
        ids, gaps = (map_array(folder, name, dtype, shape) for name, dtype in DTYPES.items())
        return KnnLookup(ann, ids, gaps, int(manifest.get("ranked", 0)), float(manifest["recall"]))

    @property
    def k(self) -> int:
        """How many neighbours of each image are known."""
        return self.ids.shape[1]

    def at_hand(self, k: int) -> bool:
        """Whether `find` reads no features, or only such as are taken to be in memory."""
        return k <= self.ranked or self.ann.in_memory

    def find(self, image_id: int, k: int) -> Found | None:
        """The k nearest of an image that has a feature, itself left out, as `Ann.find` gives them.

        None where the graph does not know so many, and where every image would be compared anyway.
        """
        if k > self.k or self.ann.is_exact(k):
            return None
        for pages in self.pages:
            pages.read(1)
        ids = self.ids[image_id, : k if k <= self.ranked else k + _SPARE].astype(np.int64)
        known = ids.tolist()
        if min(known) < 0 or max(known) >= self.ann.images:
            return None  # the file is damaged
        if k <= self.ranked:
            return Found(self.gaps[image_id, :k], ids, "graph")
        vectors = self.ann.vectors
        gaps = distances(vectors, vectors.features[image_id], ids, self.ann.metric)
        vectors.pages.read(len(ids))
        return Found(*rank(gaps, ids, k), "graph")

"""The index of a store, and the graph of neighbours that was made from it: one version of both."""

from threading import Lock
from typing import NamedTuple

from ...common.errors import UnitscopeError
from ...index.neighbors.graph_files import MANIFEST
from ...index.neighbors.graph_lookup import NeighborGraph
from ...index.neighbors.index import NeighborIndex
from ...index.storage.folder import Folder
from .versioned import Reloading, Version


class Neighbors(NamedTuple):
    """graph: None where there is none of this index, or one that cannot be read: then the index is searched."""

    ann: NeighborIndex
    graph: NeighborGraph | None


class NeighborsOpener:
    """Joins each version of a store's index with its graph. Threads may share it."""

    def __init__(self, folder: Folder, store: str) -> None:
        """store: the hash of the store's manifest."""
        self._folder, self._store = folder, store
        self._graph: tuple[NeighborIndex, Reloading[NeighborGraph]] | None = None
        self._lock = Lock()

    def of(self, ann: Version[NeighborIndex]) -> Version[Neighbors]:
        """Return it with the graph, opened where that was not done yet."""
        graph = self._graph_of(ann.value)
        try:
            return _joined(ann, graph.get())
        except UnitscopeError:
            return _joined(ann, None)

    def _graph_of(self, ann: NeighborIndex) -> Reloading[NeighborGraph]:
        with self._lock:
            if self._graph is None or self._graph[0] is not ann:
                made = Reloading(
                    self._folder, MANIFEST, lambda: NeighborGraph.open(self._folder, ann, store=self._store)
                )
                self._graph = ann, made
            return self._graph[1]


def _joined(ann: Version[NeighborIndex], graph: Version[NeighborGraph] | None) -> Version[Neighbors]:
    if graph is None:
        return Version(Neighbors(ann.value, None), ann.digest, ann.stamp)
    return Version(Neighbors(ann.value, graph.value), ann.digest + graph.digest, (*ann.stamp, *graph.stamp))

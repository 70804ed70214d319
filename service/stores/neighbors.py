"""The index of a store, and the graph of neighbours that was made from it: one version of both."""

from threading import Lock
from typing import NamedTuple

from ...common.errors import UnitscopeError
from ...index.neighbors.graph_files import MANIFEST
from ...index.neighbors.graph_lookup import KnnLookup
from ...index.neighbors.index import Ann
from ...index.storage.folder import Folder
from .versioned import Fresh, Version


class Near(NamedTuple):
    """graph: None where there is none of this index, or one that cannot be read: then the index is searched."""

    ann: Ann
    graph: KnnLookup | None


class NearOpener:
    """Joins each version of a store's index with its graph. Threads may share it."""

    def __init__(self, folder: Folder, store: str) -> None:
        """store: the hash of the store's manifest."""
        self._folder, self._store = folder, store
        self._graph: tuple[Ann, Fresh[KnnLookup]] | None = None
        self._lock = Lock()

    def of(self, ann: Version[Ann]) -> Version[Near]:
        """Return it with the graph, opened where that was not done yet."""
        graph = self._graph_of(ann.value)
        try:
            return _joined(ann, graph.get())
        except UnitscopeError:
            return _joined(ann, None)

    def at_hand(self, ann: Version[Ann]) -> Version[Near] | None:
        """Return the same where nothing has to be opened."""
        graph = self._graph_of(ann.value)
        opened = graph.at_hand
        return _joined(ann, opened) if opened is not None or graph.is_missing else None

    def _graph_of(self, ann: Ann) -> Fresh[KnnLookup]:
        with self._lock:
            if self._graph is None or self._graph[0] is not ann:
                made = Fresh(
                    self._folder, MANIFEST, lambda: KnnLookup.open(self._folder, ann, store=self._store)
                )
                self._graph = ann, made
            return self._graph[1]


def _joined(ann: Version[Ann], graph: Version[KnnLookup] | None) -> Version[Near]:
    if graph is None:
        return Version(Near(ann.value, None), ann.digest, ann.stamp)
    return Version(Near(ann.value, graph.value), ann.digest + graph.digest, (*ann.stamp, *graph.stamp))

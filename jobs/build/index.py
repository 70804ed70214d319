"""Builds the indexes over a finished store's features and its pixels, and the graph of neighbours: the `index` command."""

from typing import NamedTuple

from ...common.progress import SILENT, Progress
from ...index.neighbors.build import AnnReport, build
from ...index.neighbors.exact import RESIDENT_OF_JOBS, Metric
from ...index.neighbors.graph_table import stored_graph
from ...index.neighbors.index import NeighborIndex
from ...index.neighbors.pixel_space import WIDTH, pixel_blocks, pixel_folder
from ...index.store.store import Store
from ..cores import cores
from ..lock import writing


class Built(NamedTuple):
    """ann: the index over the features. neighbours: of each image in the graph. graph_recall: how many of these are
    true, measured.
    """

    ann: AnnReport
    neighbours: int
    graph_recall: float


def build_index(
    store: str, *, metric: Metric = "l2", pixels: bool = True, progress: Progress = SILENT
) -> Built:
    """Write `ann/` and `knn/` into the store, in place of those that are there, and with `pixels` `pixels/ann/` too.

    Raises StoreNotFoundError, StoreBusyError.
    """
    opened = Store.open(store)
    features = opened.features
    with writing(opened.folder):
        report = build(
            features.blocks(),
            features.width,
            opened.folder,
            store=opened.manifest.hash,
            metric=metric,
            threads=cores(),
            progress=progress,
        )
        ann = NeighborIndex.open(opened.folder, store=opened.manifest.hash, resident=RESIDENT_OF_JOBS)
        graph = stored_graph(
            opened.folder, ann, store=opened.manifest.hash, threads=cores(), progress=progress
        )
        if pixels:
            build(
                pixel_blocks(opened),
                WIDTH,
                pixel_folder(opened.folder),
                store=opened.manifest.hash,
                threads=cores(),
                progress=progress,
            )
    return Built(report, graph.k, graph.recall)

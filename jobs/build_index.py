"""Builds the index over a finished store's features: the `index` verb."""

from ..common.progress import SILENT, Progress
from ..index.ann_build import AnnReport, build
from ..index.exact import Metric
from ..index.store import Store
from .cores import cores
from .lock import writing


def build_index(store: str, *, metric: Metric = "l2", progress: Progress = SILENT) -> AnnReport:
    """Writes `ann/` into the store, in place of one that is there. Raises StoreNotFoundError, StoreBusyError."""
    opened = Store.open(store)
    features = opened.features
    with writing(opened.folder):
        return build(
            features.blocks(),
            features.width,
            opened.folder,
            store=opened.manifest.hash,
            metric=metric,
            threads=cores(),
            progress=progress,
        )

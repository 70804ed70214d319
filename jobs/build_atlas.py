"""Maps a finished store's images to the plane: the `atlas` verb."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.errors import StoreNotFoundError
from ..common.progress import SILENT, Progress
from ..index.ann import Ann
from ..index.ann_build import build
from ..index.atlas import write_atlas
from ..index.knn import knn_graph
from ..index.projection import Method, project
from ..index.quality import measure_quality
from ..index.schema import IMAGES
from ..index.store import Store
from ..index.thumbs import Thumbs
from .cores import cores
from .lock import writing


@dataclass(frozen=True)
class AtlasReport:
    """name: of the atlas. images: on the map. side: cells along each side of the grid. quality: on a sample."""

    name: str
    images: int
    side: int
    quality: dict[str, Any]

    def __str__(self) -> str:
        told = ", ".join(
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in self.quality.items()
            if isinstance(value, float)
        )
        return f"{self.images:,} images, a grid of {self.side} x {self.side} cells; {told}"


def build_atlas(
    store: str, *, method: Method = "umap", seed: int = 0, progress: Progress = SILENT
) -> AtlasReport:
    """Writes `atlas/<method>/`, in place of one that is there; builds the index first where there is none.

    Raises StoreNotFoundError, StoreBusyError.
    """
    opened = Store.open(store)
    with writing(opened.folder):
        ann = _index(opened, progress)
        graph = knn_graph(ann, threads=cores(), seed=seed, progress=progress)
        layout = project(ann.vectors, graph, method, seed=seed, progress=progress)
        labels = np.array(opened.images(["label"])["label"].to_pylist(), object)
        with progress.stage("measuring the map", None, "images"):
            quality = measure_quality(
                ann.vectors, graph, layout.coordinates, labels=labels, seed=seed
            ).to_json()
        parts = [record.rows for record in opened.manifest.parts(IMAGES)]
        with Thumbs(opened.folder, parts) as thumbs:
            manifest = write_atlas(
                opened.folder,
                method,
                graph.images,
                layout.coordinates,
                settings=layout.settings,
                quality=quality,
                store=opened.manifest.hash,
                thumb=thumbs.get,
                threads=cores(),
                progress=progress,
            )
    return AtlasReport(method, manifest["images"], manifest["side"], quality)


def _index(store: Store, progress: Progress) -> Ann:
    """The store's index, built where it is not there."""
    try:
        return Ann.open(store.folder, store=store.manifest.hash)
    except StoreNotFoundError:
        features = store.features
        build(
            features.blocks(),
            features.width,
            store.folder,
            store=store.manifest.hash,
            threads=cores(),
            progress=progress,
        )
        return Ann.open(store.folder, store=store.manifest.hash)

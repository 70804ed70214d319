"""Maps a finished store's images to the plane: the `atlas` verb."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..common.errors import StoreNotFoundError
from ..common.progress import SILENT, Progress
from ..index.ann import Ann
from ..index.ann_build import build
from ..index.atlas import check_name
from ..index.atlas_writer import write_atlas
from ..index.knn_table import stored_graph
from ..index.layout import lay_out
from ..index.projection import MapOptions
from ..index.quality import measure_quality
from ..index.schema import IMAGES
from ..index.store import Store
from ..index.thumbs import Thumbs
from .cores import cores
from .lock import writing


@dataclass(frozen=True)
class AtlasReport:
    """name: of the atlas. images: on the map. side: cells along each side of the grid.

    settings: how it was made, with the recall of its neighbours. quality: on a sample.
    """

    name: str
    images: int
    side: int
    settings: dict[str, Any]
    quality: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.images:,} images, a grid of {self.side} x {self.side} cells"


def build_atlas(
    store: str, options: MapOptions | None = None, *, name: str | None = None, progress: Progress = SILENT
) -> AtlasReport:
    """Writes `atlas/<name>/`, in place of one that is there; makes the index and the graph of neighbours first where
    they are missing.

    options: its `threads` are replaced by the cores there are. name: by default the method.
    Raises UsageError, StoreNotFoundError, StoreBusyError.
    """
    options = replace(options or MapOptions(), threads=cores())
    name = check_name(name or options.method)
    opened = Store.open(store)
    with writing(opened.folder):
        ann = _index(opened, progress)
        graph = stored_graph(
            opened.folder, ann, store=opened.manifest.hash, threads=options.threads, progress=progress
        )
        layout = lay_out(ann, graph, options, progress=progress)
        labels = np.array(opened.images(["label"])["label"].to_pylist(), object)
        with progress.stage("measuring the map", None, "images"):
            quality = measure_quality(ann.vectors, graph, layout.coordinates, labels=labels).to_json()
        parts = [record.rows for record in opened.manifest.parts(IMAGES)]
        with Thumbs(opened.folder, parts) as thumbs:
            manifest = write_atlas(
                opened.folder,
                name,
                graph.images,
                layout.coordinates,
                settings=layout.settings,
                quality=quality,
                store=opened.manifest.hash,
                thumb=thumbs.get,
                threads=cores(),
                progress=progress,
            )
    return AtlasReport(name, manifest["images"], manifest["side"], layout.settings, quality)


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

"""Maps a finished store's images to the plane: the `atlas` command."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ...common.errors import NotBuiltError
from ...common.progress import SILENT, Progress
from ...index.atlas.atlas import check_name
from ...index.atlas.writer import write_atlas
from ...index.format.layer_folders import layer_folder
from ...index.format.files import IMAGES
from ...index.neighbors.build import build
from ...index.neighbors.exact import RESIDENT_OF_JOBS
from ...index.neighbors.graph_table import stored_graph
from ...index.neighbors.index import NeighborIndex
from ...index.projection.projection import MapOptions
from ...index.projection.quality import measure_quality
from ...index.projection.sampled import lay_out
from ...index.storage.folder import Folder
from ...index.store.features import FeatureBlock
from ...index.store.store import Store
from ...index.store.thumbs import Thumbs
from ..cores import cores
from ..lock import writing
from .tiles import draw_on_ray


class BlockReader(Protocol):
    """What an index is built from."""

    @property
    def width(self) -> int: ...

    def blocks(self) -> Iterator[FeatureBlock]: ...


@dataclass(frozen=True)
class AtlasReport:
    """name: of the atlas. images: on the map. side: cells along each side of the grid.

    settings: how it was made, with the recall of its neighbours. quality: on a sample. items: what is on the map, if
    not images.
    """

    name: str
    images: int
    side: int
    settings: dict[str, Any]
    quality: dict[str, Any]
    items: str = "images"

    def __str__(self) -> str:
        return f"{self.images:,} {self.items}, a grid of {self.side} x {self.side} cells"


def build_atlas(
    store: str,
    options: MapOptions | None = None,
    *,
    name: str | None = None,
    layer: str | None = None,
    workers: int = 0,
    ray_address: str | None = None,
    progress: Progress = SILENT,
) -> AtlasReport:
    """Write `atlas/<name>/`, in place of one that is there; makes the index and the graph of neighbours first where
    they are missing.

    options: its `threads` are replaced by the cores there are. layer: one whose mean activation is the feature here,
    in place of the store's own. name: by default the method, after the layer where there is one. workers: on Ray, that
    draw the tiles; 0 is this process. ray_address: of a cluster.
    Raises UsageError, LayerError, StoreNotFoundError, StoreBusyError.
    """
    options = replace(options or MapOptions(), threads=cores())
    name = check_name(name or usual_name(options.method, layer))
    opened = Store.open(store)
    features = opened.features if layer is None else opened.layer_features(layer)
    built = opened.folder if layer is None else layer_folder(opened.folder, layer)
    with writing(opened.folder):
        ann = index_of(features, built, store=opened.manifest.hash, progress=progress)
        graph = stored_graph(
            built, ann, store=opened.manifest.hash, threads=options.threads, progress=progress
        )
        layout = lay_out(ann, graph, options, progress=progress)
        labels = np.array(opened.images(["label"])["label"].to_pylist(), object)
        with progress.stage("measuring the map", None, "images"):
            quality = measure_quality(ann.vectors, graph, layout.coordinates, labels=labels).to_json()
        settings = layout.settings | left_out(ann) | ({} if layer is None else {"layer": layer})
        parts = [record.rows for record in opened.manifest.parts(IMAGES)]
        draw_all = None
        if workers:
            draw_all = draw_on_ray(
                opened.folder.url, parts, workers=workers, address=ray_address, progress=progress
            )
        with Thumbs(opened.folder, parts) as thumbs:
            manifest = write_atlas(
                opened.folder,
                name,
                graph.images,
                layout.coordinates,
                settings=settings,
                quality=quality,
                store=opened.manifest.hash,
                thumb=thumbs.get,
                draw_all=draw_all,
                threads=cores(),
                progress=progress,
            )
    return AtlasReport(name, manifest["images"], manifest["side"], settings, quality)


def usual_name(method: str, layer: str | None) -> str:
    """Return what an atlas is called: `umap`, or `features-10-umap` of the layer `features.10`."""
    return method if layer is None else f"{re.sub('[^A-Za-z0-9]+', '-', layer).strip('-')[:50]}-{method}"


def left_out(ann: NeighborIndex) -> dict[str, int]:
    """Return for an atlas's settings: how many have a feature that is not a finite number, and are not on the map; if any."""
    return {"left_out": ann.manifest["left_out"]} if ann.manifest["left_out"] else {}


def index_of(features: BlockReader, folder: Folder, *, store: str, progress: Progress) -> NeighborIndex:
    """Return the index in a folder, built over these features where it is not there. store: as in `NeighborIndex.open`."""
    try:
        return NeighborIndex.open(folder, store=store, resident=RESIDENT_OF_JOBS)
    except NotBuiltError:
        build(features.blocks(), features.width, folder, store=store, threads=cores(), progress=progress)
        return NeighborIndex.open(folder, store=store, resident=RESIDENT_OF_JOBS)

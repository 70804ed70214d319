"""Draws the tiles of an atlas on Ray: each region by a task, with the thumbnails of the store."""

from collections.abc import Iterator, Sequence
from functools import partial

from ...common.progress import SILENT, Progress
from ...index.atlas.tile_build import Draw, Drawn
from ...index.atlas.tile_drawing import draw
from ...index.atlas.tile_packs import Region
from ...index.storage.hashed_file import PartRecord
from ...index.storage.folder import Folder
from ...index.store.thumbs import Thumbs
from ..ray.job import RayJob, Run


def draw_on_ray(
    store: str,
    parts: Sequence[int],
    *,
    workers: int,
    address: str | None = None,
    progress: Progress = SILENT,
) -> Draw:
    """Return what `draw_here` does, by `workers` processes: the same bytes, for no region knows of another.

    store: its folder, as every worker sees it. parts: the rows of each part of its images. address: of a cluster.
    """

    def note(text: str) -> None:
        with progress.stage("Ray") as stage:
            stage.note(text)

    def draw_all(path: str, regions: Sequence[Region]) -> Iterator[Drawn]:
        if not regions:
            return
        from ..ray.pool import RayPool

        by_key = {region.key: region for region in regions}
        largest_first = sorted(regions, key=lambda region: -region.images)
        job = RayJob(partial(_drawer, store, tuple(parts), path), workers, address, lanes=1)
        with RayPool(job) as pool:
            for key, files in pool.map("draw", largest_first, note):
                yield by_key[key], files

    return draw_all


def _drawer(store: str, parts: tuple[int, ...], path: str, _lanes: int) -> Run:
    """Return what draws a region in a worker, which opens the thumbnails once."""
    folder = Folder.confined(store)
    thumbs = Thumbs(folder, parts)  # a bucket's are copied here

    def run(_step: str, region: Region) -> tuple[str, list[PartRecord]]:
        return region.key, draw(folder, path, region, thumbs.get)

    return run

"""Draws the tiles of an atlas on Ray: each region by a task, with the thumbnails of the store."""

from collections.abc import Iterator, Sequence
from functools import cache, partial

from ..index.atlas_tiles import Draw, Drawn
from ..index.files import Folder
from ..index.manifest import PartRecord
from ..index.thumbs import Thumbs
from ..index.tile_regions import Region
from ..index.tile_writer import draw


def draw_on_ray(store: str, parts: Sequence[int], *, workers: int, address: str | None = None) -> Draw:
    """As `draw_here`, by `workers` processes: the same bytes, for no region knows of another.

    store: its folder, as every worker sees it. parts: the rows of each part of its images. address: of a cluster.
    """

    def draw_all(path: str, regions: Sequence[Region]) -> Iterator[Drawn]:
        if not regions:
            return
        from .ray_workers import run_tasks

        by_key = {region.key: region for region in regions}
        largest_first = sorted(regions, key=lambda region: -region.images)
        call = partial(_draw, store, tuple(parts), path)
        for key, files in run_tasks(call, largest_first, workers=workers, address=address):
            yield by_key[key], files

    return draw_all


def _draw(store: str, parts: tuple[int, ...], path: str, region: Region) -> tuple[str, list[PartRecord]]:
    return region.key, draw(Folder.confined(store), path, region, _thumbs(store, parts).get)


@cache
def _thumbs(store: str, parts: tuple[int, ...]) -> Thumbs:
    """Once in each worker; a bucket's are copied to it, so it should not be for every region."""
    return Thumbs(Folder.confined(store), parts)

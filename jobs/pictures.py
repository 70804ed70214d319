"""Small JPEGs of every image and of each unit's strongest views, made after the merge.

Two steps, so that a part of a million images does not wait for one worker: `thumbnails` (a shard) and `patches` (a
block of units) each leave a file of JPEGs in the work folder, and `pack` puts those of a part or layer into one file.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import DatasetError, ImageError, ImageStatus
from ..index.dataset.open import Dataset
from ..index.files import Folder
from ..index.merged import Part
from ..index.packs import PATCHES_PER_UNIT, write_pack
from ..index.pixels import crop_jpeg, decode, thumbnail
from ..index.schema import MERGED, PATCHES, THUMBS, UNITS, WORK, shard_path
from ..index.shard_files import shard_blocks
from ..index.tables import PartRecord
from .plan import Plan
from .sweep import read_rows

THUMBNAIL_SIDE = 96
PATCH_SIDE = 96
BLOCK_UNITS = 128
WORK_THUMBS = f"{WORK}/{THUMBS}"
WORK_PATCHES = f"{WORK}/{PATCHES}"
WORK_OUTPUTS = (MERGED, WORK_THUMBS, WORK_PATCHES)
"""What is made from committed shards, and stale when one of them changes."""
JPEGS = pa.schema([("jpeg", pa.binary())])


@dataclass(frozen=True)
class PatchTask:
    """The patches of `units` units of layer number `layer`, from unit `first`."""

    layer: int
    first: int
    units: int


@dataclass(frozen=True)
class PackTask:
    """One packed file: thumbs of part `number`, or patches of layer `number`."""

    table: str
    number: int


def patch_tasks(plan: Plan) -> list[PatchTask]:
    """Blocks of units of each layer."""
    return [
        PatchTask(number, first, min(BLOCK_UNITS, layer.units - first))
        for number, layer in enumerate(plan.layers)
        for first in range(0, layer.units, BLOCK_UNITS)
    ]


def pack_tasks(plan: Plan) -> list[PackTask]:
    """One file for each part of thumbs and each layer of patches."""
    return [PackTask(THUMBS, part) for part in range(plan.parts)] + [
        PackTask(PATCHES, layer) for layer in range(len(plan.layers))
    ]


def thumbnails(folder: Folder, plan: Plan, dataset: Dataset, shard: int) -> None:
    """Leaves the JPEGs of a shard's images in the work folder; null where an image failed.

    Raises DatasetError for an image that is not what was swept any more.
    """
    name = _thumbnails_path(shard)
    if folder.exists(name):
        return
    rows = read_rows(folder, plan, shard)
    swept = zip(rows["uri"].to_pylist(), _swept(folder, plan, shard), dataset.read(rows), strict=True)
    _leave(folder, name, [_thumbnail(uri, sha256, data) for uri, sha256, data in swept])


def _swept(folder: Folder, plan: Plan, shard: int) -> list[str | None]:
    """The SHA-256 of each image of a shard that was swept; None where it failed."""
    first, stop = plan.shard_range(shard)
    part = Part(0, first, stop - first, (shard_path(shard),))
    batch = next(shard_blocks(folder, part, ["status", "sha256"], stop - first))[0]
    rows = zip(batch["status"].to_pylist(), batch["sha256"].to_pylist(), strict=True)
    return [sha256 if status == str(ImageStatus.OK) else None for status, sha256 in rows]


def _thumbnail(uri: str, sha256: str | None, data: bytes | ImageError) -> bytes | None:
    if sha256 is None:
        return None
    if isinstance(data, ImageError):
        raise _changed(uri, data.reason)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _changed(uri, "its SHA-256 is another")
    try:
        return thumbnail(data, THUMBNAIL_SIDE)
    except ImageError:  # decoders differ, where one is stricter
        return None


def _changed(uri: str, why: str) -> DatasetError:
    return DatasetError(
        f"{uri} is not what was swept any more ({why}): put it back and run the command again, which loses nothing, "
        "or sweep into a new folder"
    )


def patches(folder: Folder, plan: Plan, dataset: Dataset, task: PatchTask) -> None:
    """Leaves the JPEGs of a block's views in the work folder, PATCHES_PER_UNIT a unit; null where there are fewer.

    Raises DatasetError for an image that cannot be read any more.
    """
    name = _patches_path(task.layer, task.first)
    if folder.exists(name):
        return
    wanted: dict[int, list[tuple[int, tuple[int, int, int, int]]]] = {}
    for unit, top in enumerate(_tops(folder, plan, task)):
        for rank, patch in enumerate(top[:PATCHES_PER_UNIT]):
            slot = unit * PATCHES_PER_UNIT + rank
            view = (patch["vx0"], patch["vy0"], patch["vx1"], patch["vy1"])
            wanted.setdefault(patch["image_id"], []).append((slot, view))
    jpegs: list[bytes | None] = [None] * (task.units * PATCHES_PER_UNIT)
    ids = sorted(wanted)
    for image_id, data in zip(ids, _read_images(folder, plan, dataset, ids), strict=True):
        if isinstance(data, ImageError):
            raise _changed(f"image {image_id}", data.reason)
        try:
            pixels = decode(data)
        except ImageError:
            continue
        for slot, view in wanted[image_id]:
            jpegs[slot] = crop_jpeg(pixels, view, PATCH_SIDE)
    _leave(folder, name, jpegs)


def _tops(folder: Folder, plan: Plan, task: PatchTask) -> list[list[dict[str, int]]]:
    """Each unit's strongest patches, of the units of a task, in order."""
    first = sum(layer.units for layer in plan.layers[: task.layer]) + task.first
    with folder.open(UNITS) as source:
        file = pq.ParquetFile(source)
        size = file.metadata.row_group(0).num_rows
        groups = range(first // size, (first + task.units - 1) // size + 1)
        rows = file.read_row_groups(list(groups), columns=["top"])
    return rows["top"].slice(first - groups[0] * size, task.units).to_pylist()


def _read_images(
    folder: Folder, plan: Plan, dataset: Dataset, ids: list[int]
) -> Iterator[bytes | ImageError]:
    """The encoded bytes of images, ascending ids; one read for the images of a shard."""
    start = 0
    while start < len(ids):
        shard = ids[start] // plan.shard_size
        stop = start
        while stop < len(ids) and ids[stop] // plan.shard_size == shard:
            stop += 1
        first, _ = plan.shard_range(shard)
        rows = read_rows(folder, plan, shard).take([image_id - first for image_id in ids[start:stop]])
        yield from dataset.read(rows)
        start = stop


def pack(folder: Folder, plan: Plan, task: PackTask) -> list[PartRecord]:
    """Puts the JPEGs of a part or layer into one packed file, in order."""
    if task.table == THUMBS:
        names = [_thumbnails_path(shard) for shard in plan.part_shards(task.number)]
    else:
        units = plan.layers[task.number].units
        names = [_patches_path(task.number, first) for first in range(0, units, BLOCK_UNITS)]
    return write_pack(folder, task.table, task.number, _jpegs(folder, names))


def _jpegs(folder: Folder, names: list[str]) -> Iterator[bytes | None]:
    for name in names:
        with folder.open(name) as source:
            yield from (value.as_py() for value in pa.ipc.open_file(source).get_batch(0)["jpeg"])


def _leave(folder: Folder, name: str, jpegs: list[bytes | None]) -> None:
    with folder.writer(name) as sink, pa.ipc.new_file(sink, JPEGS) as writer:
        writer.write_batch(pa.record_batch([pa.array(jpegs, pa.binary())], schema=JPEGS))


def _thumbnails_path(shard: int) -> str:
    return f"{WORK_THUMBS}/shard-{shard:06d}.arrow"


def _patches_path(layer: int, first: int) -> str:
    return f"{WORK_PATCHES}/layer-{layer:05d}-unit-{first:06d}.arrow"

"""Small JPEGs of every image and of each unit's strongest views, made after the merge.

`choose_views` notes which views of which image are wanted; `pictures` reads each image of a shard once and leaves its
JPEGs in the work folder; `pack` puts those of a part (thumbs) or of a layer (patches) into one packed file.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import DatasetError, ImageError, ImageStatus, StoreDamagedError
from ...index.datasets.decode import crop_jpeg, decode, thumbnail
from ...index.datasets.open import Dataset
from ...index.format.files import PATCHES, THUMBS, UNITS, shard_path
from ...index.merge.notes import Part
from ...index.merge.shards import shard_blocks
from ...index.merge.tables import PartRecord
from ...index.storage.folder import Folder
from ...index.storage.packs import PATCHES_PER_UNIT, write_pack
from ..planning.place import WORK_PICTURES
from ..planning.plan import Plan, read_rows

THUMBNAIL_SIDE = 96
PATCH_SIDE = 96
WANTED = f"{WORK_PICTURES}/wanted.arrow"
VIEW = ("vx0", "vy0", "vx1", "vy1")
WANTED_SCHEMA = pa.schema(
    [
        ("image_id", pa.int64()),
        ("layer", pa.int32()),
        ("row", pa.int64()),
        *((name, pa.int32()) for name in VIEW),
    ]
)
NO_LAYER = -1
"""The layer of a thumbnail."""
PICTURES_SCHEMA = pa.schema(
    [("layer", pa.int32()), ("row", pa.int64()), ("jpeg", pa.dictionary(pa.int32(), pa.binary()))]
)
"""A dictionary, for all units of a vector layer that an image is strong in show the same view."""

View = tuple[int, int, int, int]


@dataclass(frozen=True)
class PackTask:
    """One packed file: thumbs of part `number`, or patches of layer `number`."""

    table: str
    number: int


def pack_tasks(plan: Plan) -> list[PackTask]:
    """Return one file for each part of thumbs and each layer of patches."""
    return [PackTask(THUMBS, part) for part in range(plan.parts)] + [
        PackTask(PATCHES, layer) for layer in range(len(plan.layers))
    ]


def choose_views(folder: Folder, plan: Plan) -> None:
    """Note the views of each unit's first PATCHES_PER_UNIT patches, in the order of the images."""
    if folder.exists(WANTED):
        return
    firsts = np.cumsum([0, *(layer.units for layer in plan.layers)])
    tables: list[pa.Table] = []
    with folder.open(UNITS) as source:
        file, unit = pq.ParquetFile(source), 0
        for batch in file.iter_batches(columns=["top"]):
            top = batch["top"].combine_chunks() if isinstance(batch["top"], pa.ChunkedArray) else batch["top"]
            tables.append(_views(top, unit, firsts))
            unit += batch.num_rows
    wanted = pa.concat_tables(tables).sort_by(
        [("image_id", "ascending"), ("layer", "ascending"), ("row", "ascending")]
    )
    with folder.writer(WANTED) as sink, pa.ipc.new_file(sink, WANTED_SCHEMA) as writer:
        writer.write_table(wanted.combine_chunks())


def _views(top: pa.ListArray, unit: int, firsts: np.ndarray) -> pa.Table:
    """Return WANTED_SCHEMA's rows of consecutive units, the first of which is number `unit` of all layers' units."""
    offsets = top.offsets.to_numpy().astype(np.int64)
    counts = np.diff(offsets)
    units = np.repeat(np.arange(len(top)), counts)
    rank = np.arange(counts.sum()) - np.repeat(offsets[:-1] - offsets[0], counts)
    kept = rank < PATCHES_PER_UNIT
    patches = top.flatten().filter(pa.array(kept))
    number = unit + units[kept]
    layer = np.searchsorted(firsts, number, side="right") - 1
    columns = [patches.field("image_id"), layer, (number - firsts[layer]) * PATCHES_PER_UNIT + rank[kept]]
    return pa.table([*columns, *(patches.field(name) for name in VIEW)], schema=WANTED_SCHEMA)


def pictures(folder: Folder, plan: Plan, dataset: Dataset, shard: int) -> None:
    """Leave the thumbnails and the wanted views of a shard's images in the work folder; null where an image failed.

    Raises DatasetError for an image that is not what was swept any more.
    """
    name = _pictures_path(shard)
    if folder.exists(name):
        return
    first, stop = plan.shard_range(shard)
    wanted = _wanted(folder, first, stop)
    rows = read_rows(folder, plan, shard)
    swept = zip(rows["uri"].to_pylist(), _swept(folder, plan, shard), dataset.read(rows), strict=True)
    made: list[tuple[int, int, bytes | None]] = []
    for image_id, (uri, sha256, data) in enumerate(swept, first):
        encoded = _same(uri, sha256, data)
        made.append((NO_LAYER, image_id, _thumbnail(encoded)))
        made += _crops(encoded, wanted.get(image_id, []))
    made.sort(key=lambda one: one[:2])
    columns = [list(column) for column in zip(*made, strict=True)]
    batch = pa.record_batch(
        [pa.array(*one) for one in zip(columns, PICTURES_SCHEMA.types, strict=True)], PICTURES_SCHEMA
    )
    with folder.writer(name) as sink, pa.ipc.new_file(sink, PICTURES_SCHEMA) as writer:
        writer.write_batch(batch)


def _wanted(folder: Folder, first: int, stop: int) -> dict[int, list[tuple[int, int, View]]]:
    """Return by image_id, of the images [first, stop): (layer, row in the layer's pack, view)."""
    with folder.open(WANTED) as source:
        try:
            table = pa.ipc.open_file(source).read_all()
        except pa.ArrowInvalid as error:
            raise _damaged(folder, WANTED, error) from error
        ids = table["image_id"].to_numpy()
        begin, end = np.searchsorted(ids, [first, stop])
        rows = table.slice(begin, end - begin).to_pylist()
    found: dict[int, list[tuple[int, int, View]]] = {}
    for row in rows:
        view = (row["vx0"], row["vy0"], row["vx1"], row["vy1"])
        found.setdefault(row["image_id"], []).append((row["layer"], row["row"], view))
    return found


def _swept(folder: Folder, plan: Plan, shard: int) -> list[str | None]:
    """Return the SHA-256 of each image of a shard that was swept; None where it failed."""
    first, stop = plan.shard_range(shard)
    part = Part(0, first, stop - first, (shard_path(shard),))
    batch = next(shard_blocks(folder, part, ["status", "sha256"], stop - first))[0]
    rows = zip(batch["status"].to_pylist(), batch["sha256"].to_pylist(), strict=True)
    return [sha256 if status == str(ImageStatus.OK) else None for status, sha256 in rows]


def _same(uri: str, sha256: str | None, data: bytes | ImageError) -> bytes | None:
    """Return the encoded image, None where it had failed. Raises DatasetError where it is not what was swept."""
    if sha256 is None:
        return None
    if isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == sha256:
        return data
    why = data.reason if isinstance(data, ImageError) else "its SHA-256 is another"
    raise DatasetError(
        f"{uri} is not what was swept any more ({why}): put it back and run the command again, which loses nothing, "
        "or sweep into a new folder"
    )


def _thumbnail(data: bytes | None) -> bytes | None:
    try:
        return None if data is None else thumbnail(data, THUMBNAIL_SIDE)
    except ImageError:  # decoders differ, where one is stricter
        return None


def _crops(
    data: bytes | None, wanted: list[tuple[int, int, View]]
) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield (layer, row, JPEG) of each wanted view."""
    if data is None or not wanted:
        return
    try:
        pixels = decode(data)
    except ImageError:
        return
    jpegs = {view: crop_jpeg(pixels, view, PATCH_SIDE) for view in {view for _, _, view in wanted}}
    for layer, row, view in wanted:
        yield layer, row, jpegs[view]


def pack(folder: Folder, plan: Plan, task: PackTask) -> list[PartRecord]:
    """Put the JPEGs of a part or layer into one packed file, in order."""
    if task.table == THUMBS:
        shards = plan.part_shards(task.number)
        thumbs = (jpeg for shard in shards for _, jpeg in _left(folder, shard, NO_LAYER))
        return write_pack(folder, task.table, task.number, thumbs)
    jpegs: list[bytes | None] = [None] * (plan.layers[task.number].units * PATCHES_PER_UNIT)
    for shard in range(plan.shards):
        for row, jpeg in _left(folder, shard, task.number):
            jpegs[row] = jpeg
    return write_pack(folder, task.table, task.number, jpegs)


def _left(folder: Folder, shard: int, layer: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield (row, JPEG) of one layer, or of the thumbnails, of what `pictures` left of a shard."""
    name = _pictures_path(shard)
    with folder.open(name) as source:
        try:
            batch = pa.ipc.open_file(source).get_batch(0)
        except pa.ArrowInvalid as error:
            raise _damaged(folder, name, error) from error
        begin, end = np.searchsorted(batch["layer"].to_numpy(), [layer, layer + 1])
        part = batch.slice(begin, end - begin)
        yield from zip(part["row"].to_pylist(), part["jpeg"].to_pylist(), strict=True)


def _damaged(folder: Folder, name: str, error: Exception) -> StoreDamagedError:
    return StoreDamagedError(
        f"{folder.path(name)} is damaged ({error}): remove {folder.path(WORK_PICTURES)} and run the command again"
    )


def _pictures_path(shard: int) -> str:
    return f"{WORK_PICTURES}/shard-{shard:06d}.arrow"

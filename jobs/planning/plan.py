"""The plan of a sweep: which images are in which shard, which layers are kept, and what everything is measured with.

Made once, by the driver, and read by every worker. The images stand in `plan/part-*.parquet`, one row group a shard;
everything else in one JSON file, published last: a plan is whole or absent.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import StoreDamagedError, SweepError
from ...index.format.batches import regroup
from ...index.format.files import PART_IMAGES, PLAN, part_path
from ...index.format.layer_row import LayerRow
from ...index.labels.columns import LABEL_INDICES
from ...index.storage.folder import Folder
from ...model.capture.feature import Feature
from ...model.layers.layers import Layer
from ...model.outputs import OutputKind
from .place import PLAN_FILE


class Digest(Protocol):
    """A running hash."""

    def update(self, data: bytes, /) -> None: ...


PLAN_VERSION = 1
MAX_SHARD_IMAGES = 4096
SHARDS_WANTED = 64
"""Enough shards that several workers finish together, also on a small dataset."""
MAX_SHARD_BYTES = 128 * 2**20
"""Of maxima and positions, which a lane holds until it commits."""


@dataclass(frozen=True)
class Plan:
    """What a sweep does, whoever does it.

    `layers` are the rows of layers.parquet, `captured` how each is read off the network, in the same order.
    `averaged`: layers whose mean over positions is kept as a further feature, in order of execution.
    `guessed`: for layers whose receptive field may be too large, the operators without a rule on the way to them.
    `settings` holds everything that changes a byte of the store: see `make_plan`.
    """

    images: int
    shard_size: int
    batch_size: int
    layers: tuple[LayerRow, ...]
    captured: tuple[Layer, ...]
    feature: Feature
    outputs: int | None
    settings: dict[str, Any]
    averaged: tuple[Layer, ...] = ()
    guessed: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    @property
    def output(self) -> OutputKind:
        """What the network's output is; plans of older releases took logits for granted."""
        return OutputKind(
            **self.settings["model"].get("output", {"task": "classification" if self.outputs else "none"})
        )

    @property
    def shards(self) -> int:
        return -(-self.images // self.shard_size)

    @property
    def shards_per_part(self) -> int:
        return max(1, PART_IMAGES // self.shard_size)

    @property
    def parts(self) -> int:
        return -(-self.shards // self.shards_per_part)

    def shard_range(self, shard: int) -> tuple[int, int]:
        """Return [first, past the last) image_id of a shard."""
        return shard * self.shard_size, min((shard + 1) * self.shard_size, self.images)

    def part_shards(self, part: int) -> range:
        """Return the shards of a part."""
        first = part * self.shards_per_part
        return range(first, min(first + self.shards_per_part, self.shards))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that the plan fixes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        fields = asdict(self)
        for later in ("averaged", "guessed"):
            if not fields[later]:  # a sweep that was planned before there was this goes on as it was
                del fields[later]
        return json.dumps({"version": PLAN_VERSION} | fields, sort_keys=True, indent=1)

    @staticmethod
    def from_json(text: str) -> "Plan":
        """Raise SweepError for a plan of another version, ValueError, KeyError or TypeError for what is not a plan."""
        fields = json.loads(text)
        version = fields.pop("version")
        if version != PLAN_VERSION:
            raise SweepError(
                f"the unfinished sweep was planned by another version (plan format {version}, this one writes "
                f"{PLAN_VERSION}); start a new store"
            )
        fields["layers"] = tuple(LayerRow(**row) for row in fields["layers"])
        fields["captured"] = tuple(Layer(**row) for row in fields["captured"])
        fields["averaged"] = tuple(Layer(**row) for row in fields.get("averaged", ()))
        feature = fields["feature"]
        fields["feature"] = Feature(**feature | {"layer": Layer(**feature["layer"])})
        return Plan(**fields)


def load_plan(folder: Folder) -> Plan | None:
    """Return the plan of an unfinished sweep, or None. Raises StoreDamagedError, and SweepError for another
    version's.
    """
    if not folder.exists(PLAN_FILE):
        return None
    try:
        return Plan.from_json(folder.read(PLAN_FILE).decode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreDamagedError(
            f"{folder.path(PLAN_FILE)} is damaged ({error!r}): remove this file to plan again (what was swept is then "
            "swept again), or start a new store"
        ) from error


def shard_size(images: int, batch_size: int, bytes_per_image: int) -> int:
    """Return images a shard: a function of the dataset and the layers alone, so that every run cuts alike."""
    size = batch_size
    while (
        size * 2 <= min(MAX_SHARD_IMAGES, images // SHARDS_WANTED)
        and size * 2 * bytes_per_image <= MAX_SHARD_BYTES
    ):
        size *= 2
    return size


def write_images(folder: Folder, batches: Iterator[pa.RecordBatch], images: int, size: int) -> str:
    """Write `plan/part-*.parquet` from rows in image_id order; gives the dataset's fingerprint.

    Each row group is one shard of `size` images.
    """
    digest = hashlib.sha256()
    per_part = max(1, PART_IMAGES // size) * size
    rows = shard_tables(batches, size)
    first = 0
    for part in range(-(-images // per_part)):
        stop = min(first + per_part, images)
        with folder.writer(part_path(PLAN, part)) as sink:
            writer: pq.ParquetWriter | None = None
            while first < stop:
                table = next(rows)
                _digest(digest, table)
                ids = pa.array(range(first, first + table.num_rows), pa.int64())
                table = table.add_column(0, "image_id", ids)
                writer = writer or pq.ParquetWriter(
                    sink, table.schema, compression="zstd", write_page_checksum=True
                )
                writer.write_table(table, row_group_size=size)
                first += table.num_rows
            if writer is not None:
                writer.close()
    return digest.hexdigest()


def shard_tables(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """Yield the same rows in tables of `size` rows, one a shard; the last may be shorter."""
    return (pa.Table.from_batches(block).combine_chunks() for block in regroup(batches, size))


def dataset_fingerprint(batches: Iterable[pa.RecordBatch]) -> str:
    """Return SHA-256 over uri, size and etag of each image, in order; however the rows are cut into batches."""
    digest = hashlib.sha256()
    for batch in batches:
        _digest(digest, batch)
    return digest.hexdigest()


def _digest(digest: Digest, table: pa.Table | pa.RecordBatch) -> None:
    columns = [table[name].to_pylist() for name in ("uri", "size", "etag")]
    for row in zip(*columns, strict=True):
        digest.update(json.dumps(row).encode())


READ_COLUMNS = ("image_id", "uri", "size", "label_index", LABEL_INDICES, "file", "offset", "length")


def read_rows(folder: Folder, plan: Plan, shard: int, columns: list[str] | None = None) -> pa.Table:
    """Return the plan's rows of a shard, in image_id order. Raises StoreDamagedError."""
    part, index = divmod(shard, plan.shards_per_part)
    path = part_path(PLAN, part)

    def read() -> pa.Table:
        with folder.open(path) as source:
            file = pq.ParquetFile(source)
            known = [name for name in READ_COLUMNS if name in file.schema_arrow.names]
            return file.read_row_group(index, columns=columns or known)

    try:
        return folder.attempt(path, read)
    except (pa.ArrowInvalid, IndexError) as error:
        raise StoreDamagedError(
            f"{folder.path(path)} is damaged ({error}): remove {folder.path(PLAN_FILE)} to plan again (what was swept "
            "is then swept again), or start a new store"
        ) from error

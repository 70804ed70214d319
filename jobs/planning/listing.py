"""Lists a dataset for a plan: held in a file, since what its labels mean and how it is cut depends on all of it."""

import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import pyarrow as pa

from ...common.errors import DatasetError, UnitscopeError
from ...index.datasets.kinds import ALLOWED
from ...index.datasets.open import Dataset
from ...index.format.files import SHARDS, shard_path
from ...index.labels.columns import INDICES_FIELD, LABEL_INDICES, LABELS, has_label_lists
from ...index.labels.matching import LabelMap
from ...index.labels.summary import COUNTED, LabelCounter, LabelFacts, only_ranks
from ...index.storage.errors import translate
from ...index.storage.folder import Folder
from .config import SweepConfig
from .place import WORK_OUTPUTS
from .plan import Plan, read_rows, shard_tables


def no_images(config: SweepConfig, dataset: Dataset) -> DatasetError:
    """Return the error for a dataset of the right kind without an image in it."""
    return DatasetError(f"{config.data} holds no images. {ALLOWED} It was read as: {dataset.describe()}")


@dataclass(frozen=True)
class Listing:
    """What listing a dataset found. labels: the distinct ones that were counted."""

    facts: LabelFacts
    labels: frozenset[str]

    def describe_labels(self, found: LabelMap) -> str:
        """Say how many of the labels are classes of the model, and by which rule."""
        facts = self.facts
        if not facts.labelled:
            return "none of them has a label"
        known = len(found.indices.keys() & self.labels)
        some = "" if facts.labelled == facts.images else f"{facts.labelled:,} of them labelled; "
        more = "more than " if facts.distinct > COUNTED else ""
        count = f"{more}{min(facts.distinct, COUNTED):,}"
        return f"{some}{known:,} of {count} labels are classes of the model: {found.source}"


def list_images(
    config: SweepConfig, dataset: Dataset, held: IO[bytes], *, advance: Callable[[int], None]
) -> Listing:
    """Write the batches of the dataset to `held`: how they are cut, and what the labels mean, depends on all of them.

    Raises DatasetError for an empty dataset.
    """
    counter = LabelCounter()
    writer: pa.ipc.RecordBatchStreamWriter | None = None
    for batch in dataset.batches():
        counter.add(batch)
        writer = writer or pa.ipc.new_stream(held, batch.schema)
        writer.write_batch(batch)
        advance(batch.num_rows)
    facts = counter.facts() if dataset.integer_labels else only_ranks(counter.facts())
    if writer is None or not facts.images:
        raise no_images(config, dataset)
    writer.close()
    return Listing(facts, frozenset(counter.distinct))


@contextmanager
def temporary_file() -> Generator[IO[bytes]]:
    """Raise StorageError where the disk of temporary files fails."""
    try:
        with tempfile.TemporaryFile() as held:
            yield held
    except UnitscopeError:
        raise
    except OSError as error:
        where = f"a temporary file in {tempfile.gettempdir()} (TMPDIR names another folder)"
        raise translate(where, error) from error


def replay(held: IO[bytes], labels: LabelMap, *, lists: bool = False) -> Iterator[pa.RecordBatch]:
    """Yield the batches that were listed, with the model's class of each label.

    lists: with `label_indices`, the classes of all labels of each image.
    """
    held.seek(0)
    for batch in pa.ipc.open_stream(held):
        index = [labels.index(label) for label in batch["label"].to_pylist()]
        found = _insert(batch, "label_index", pa.array(index, pa.int32()), after="label")
        if lists:
            indices = pa.array(_label_indices(batch, labels), INDICES_FIELD.type)
            found = _insert(found, LABEL_INDICES, indices, after="label_index")
        yield found


def _label_indices(batch: pa.RecordBatch, labels: LabelMap) -> list[list[int | None] | None]:
    """Return the classes of each image's labels: of its list, or else of its one label."""
    if has_label_lists(batch.schema):
        rows = batch[LABELS].to_pylist()
    else:
        rows = [None if label is None else [label] for label in batch["label"].to_pylist()]
    return [None if row is None else [labels.index(label) for label in row] for row in rows]


def discard_changed(folder: Folder, previous: Plan, rows: Iterator[pa.RecordBatch], size: int) -> None:
    """Remove the shard files whose images are no longer those of the plan, and all that was merged."""
    for tree in WORK_OUTPUTS:
        folder.remove_tree(tree)
    if size != previous.shard_size:
        folder.remove_tree(SHARDS)
        return
    shards = 0
    for shard, now in enumerate(shard_tables(rows, size)):
        shards += 1
        if shard < previous.shards and now.equals(read_rows(folder, previous, shard, now.column_names)):
            continue
        folder.remove(shard_path(shard))
    for shard in range(shards, previous.shards):
        folder.remove(shard_path(shard))


def _insert(batch: pa.RecordBatch, name: str, column: pa.Array, *, after: str) -> pa.RecordBatch:
    return batch.add_column(batch.schema.get_field_index(after) + 1, name, column)

"""Sweeps one shard, in process and without Ray: decode → forward → reduce → shard file.

A worker process has one `Sweeper`; each of its lanes (threads) takes one shard after another: `sweep`, then `commit`.
"""

import os
import socket
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
import pyarrow as pa
import torch

from ...common.errors import ImageStatus, SweepError
from ...index.datasets.open import Dataset
from ...index.format.files import shard_path
from ...index.format.schema import shard_schema
from ...index.labels.columns import LABEL_INDICES
from ...index.merge.shards import with_checksums
from ...index.storage.folder import Folder
from ...model.sources.load import LoadedModel
from ..planning.plan import Plan, read_rows
from ..planning.sample import Sample, sample
from .forward import BatchResult, Forward
from .label_predictions import LabelLists
from .predictions import predict


@dataclass(frozen=True)
class ShardRecord:
    """That a shard is committed. `worker`: host and process. `failures`: (uri, status, reason) of each failed image."""

    shard: int
    images: int
    worker: str
    failures: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Swept:
    """A shard that is not committed yet: what its file will hold, and what is told of it afterwards."""

    record: ShardRecord
    batch: pa.RecordBatch


class Sweeper:
    """Sweeps shards of one plan; safe to call from several threads, each of which is a lane."""

    def __init__(self, plan: Plan, folder: Folder, dataset: Dataset, model: LoadedModel) -> None:
        self._plan = plan
        self._folder = folder
        self._dataset = dataset
        self._model = model
        options = plan.settings["options"]
        self._allow_nonfinite = bool(options["allow_nonfinite"])
        self._maxima_dtype = np.dtype(options["maxima_dtype"])
        self._feature_dtype = np.dtype(options["feature_dtype"])
        self._forward = Forward(
            model, plan.captured, plan.feature, averaged=plan.averaged, device=options["device"]
        )

    def __enter__(self) -> "Sweeper":
        self._forward.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._forward.__exit__(kind, error, traceback)

    def sweep(self, shard: int) -> Swept:
        """Decode, runs and reduces the images of a shard.

        Raises SweepError for a NaN or Inf activation (naming layer, unit and image), StorageError where the disk fails.
        """
        torch.set_num_threads(1)
        rows = read_rows(self._folder, self._plan, shard)
        held = _Held(self._plan, rows, self._maxima_dtype, self._feature_dtype)
        encoded = self._dataset.read(rows)
        size = self._plan.batch_size
        for start in range(0, rows.num_rows, size):
            stop = min(start + size, rows.num_rows)
            samples = [sample(next(encoded), self._model.preprocess) for _ in range(start, stop)]
            result = self._forward.run(_stack(samples, self._model.input_size))
            held.add(start, samples, result)
            if not self._allow_nonfinite:
                held.check_finite(start, samples, result)
        worker = f"{socket.gethostname()}:{os.getpid()}"
        return Swept(ShardRecord(shard, rows.num_rows, worker, held.failures()), held.batch())

    def commit(self, swept: Swept) -> ShardRecord:
        """Write the shard's file, mostly waiting for the disk. Raises StorageError."""
        path, batch = shard_path(swept.record.shard), with_checksums(swept.batch)
        with self._folder.writer(path) as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return swept.record


def _stack(samples: list[Sample], input_size: tuple[int, int]) -> torch.Tensor:
    """Return (n, 3, height, width) uint8, channels last; a failed image's slot is zeros, so that no other image
    moves.
    """
    shape = (len(samples), 3, *input_size)
    batch = torch.empty(shape, dtype=torch.uint8, memory_format=torch.channels_last)
    for slot, one in zip(batch, samples, strict=True):
        if one.pixels is None:
            slot.zero_()
        else:
            slot.copy_(one.pixels)
    return batch


class _Held:
    """What a lane holds of its shard until the commit."""

    def __init__(self, plan: Plan, rows: pa.Table, maxima_dtype: np.dtype, feature_dtype: np.dtype) -> None:
        count = rows.num_rows
        self._plan = plan
        self._kind = plan.output
        self._ids = rows["image_id"]
        self._uris = rows["uri"]
        self._labels = rows["label_index"].fill_null(-1).to_numpy()
        self._samples: list[Sample] = []
        self._maxima = [np.zeros((count, layer.units), maxima_dtype) for layer in plan.layers]
        self._positions = [
            np.zeros((count, layer.units), layer.position_type.to_pandas_dtype())
            if layer.has_positions
            else None
            for layer in plan.layers
        ]
        self._feature = np.zeros((count, plan.feature.width), feature_dtype)
        self._means = [np.zeros((count, layer.units), feature_dtype) for layer in plan.averaged]
        self._predicted = np.full(count, -1, np.int32)
        self._probability = np.zeros(count, np.float32)
        self._loss = np.full(count, np.nan, np.float32)
        self._lists = LabelLists(rows, plan.output) if LABEL_INDICES in rows.column_names else None

    def add(self, start: int, samples: list[Sample], result: BatchResult) -> None:
        """Add one batch's results in the rows from `start`."""
        rows = slice(start, start + len(samples))
        self._samples += [replace(one, pixels=None) for one in samples]  # a shard's pixels may be gigabytes
        with np.errstate(over="ignore"):  # float16: an overflow becomes Inf, which check_finite then reports
            for kept, positions, values, flat in zip(
                self._maxima, self._positions, result.maxima, result.positions, strict=True
            ):
                kept[rows] = values
                if positions is not None:
                    positions[rows] = flat
            self._feature[rows] = result.feature
            for kept, means in zip(self._means, result.means, strict=True):
                kept[rows] = means
        if result.logits is None or not self._kind.predicts:
            return
        if self._lists is not None:
            self._lists.add(start, result.logits)
        if self._kind.task != "multi-label":
            predictions = predict(result.logits, self._labels[rows], self._kind)
            self._predicted[rows] = predictions.predicted
            self._probability[rows] = predictions.probability
            self._loss[rows] = predictions.loss

    def check_finite(self, start: int, samples: list[Sample], result: BatchResult) -> None:
        """Raise SweepError for the first NaN or Inf of an image that is ok."""
        rows = slice(start, start + len(samples))
        ok = np.array([one.status is ImageStatus.OK for one in samples])
        tables = [
            (layer.layer, kept[rows]) for layer, kept in zip(self._plan.layers, self._maxima, strict=True)
        ]
        tables += [
            (f"the mean of {layer.name}", kept[rows])
            for layer, kept in zip(self._plan.averaged, self._means, strict=True)
        ]
        for name, values in [*tables, ("the feature", self._feature[rows])]:
            finite = np.isfinite(values).all(axis=1) | ~ok
            if finite.all():
                continue
            row = int(np.argmin(finite))
            unit = int(np.argmin(np.isfinite(values[row])))
            raise SweepError(
                f"activation {values[row, unit]} in unit {unit} of {name}, image {self._ids[start + row]} "
                f"({self._uris[start + row]}): mend the model or the image, or allow it with --allow-nonfinite"
            )

    def failures(self) -> tuple[tuple[str, str, str], ...]:
        """Return (uri, status, reason) of each image that failed."""
        return tuple(
            (str(uri), str(one.status), one.reason or "")
            for uri, one in zip(self._uris.to_pylist(), self._samples, strict=True)
            if one.status is not ImageStatus.OK
        )

    def batch(self) -> pa.RecordBatch:
        """Return the shard file's one record batch (index/format/schema.py: shard_schema)."""
        failed = np.array([one.status is not ImageStatus.OK for one in self._samples])
        none = failed | (self._predicted < 0)
        arrays = [
            self._ids.combine_chunks(),
            pa.array([one.sha256 for one in self._samples], pa.string()),
            pa.array([one.width for one in self._samples], pa.int32()),
            pa.array([one.height for one in self._samples], pa.int32()),
            pa.array(self._predicted, mask=none),
            pa.array(self._probability, mask=none),
            self._losses(failed),
            *([] if self._lists is None else self._lists.columns(failed)),
            pa.array([str(one.status) for one in self._samples], pa.string()),
            pa.array([one.reason for one in self._samples], pa.string()),
            _rows(self._feature, failed),
        ]
        for values, positions in zip(self._maxima, self._positions, strict=True):
            arrays.append(_rows(values, failed))
            if positions is not None:
                arrays.append(_rows(positions, failed))
        arrays += [_rows(means, failed) for means in self._means]
        plan = self._plan
        schema = shard_schema(
            plan.layers,
            feature_width=plan.feature.width,
            feature_type=pa.from_numpy_dtype(self._feature.dtype),
            maxima_type=pa.from_numpy_dtype(self._maxima[0].dtype) if self._maxima else pa.float32(),
            averaged=[layer.units for layer in plan.averaged],
            lists=() if self._lists is None else self._lists.fields,
        )
        return pa.record_batch(arrays, schema=schema)

    def _losses(self, failed: np.ndarray) -> pa.Array:
        """Return (images,) float32, null where the image failed or has no label that is a class."""
        if self._kind.task == "multi-label" and self._lists is not None:
            return pa.array(self._lists.losses(), pa.float32(), mask=failed)
        unknown = np.isnan(self._loss) & (self._labels < 0)
        return pa.array(self._loss, mask=failed | (self._predicted < 0) | unknown)


def _rows(values: np.ndarray, failed: np.ndarray) -> pa.Array:
    """Return (images, n) as a fixed-size list, null where the image failed."""
    flat = pa.array(values.reshape(-1))
    mask = pa.array(failed) if failed.any() else None
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=mask)

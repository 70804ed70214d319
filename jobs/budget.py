"""How many images may fail before the run does, and which did."""

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from ..common.errors import ImageStatus, SweepError
from ..index.dataset.open import Dataset
from ..index.files import Folder
from ..index.schema import shard_path
from ..model.preprocess import Preprocess
from .pixels import sample
from .plan import Plan
from .sweep import read_rows

SHOWN = 20

Failure = tuple[str, str, str]
"""(uri, status, reason)"""


class Budget:
    """Counts failed images; `spend` raises once they are more than the budget."""

    def __init__(self, images: int, max_error_rate: float) -> None:
        self._images = images
        self._rate = max_error_rate
        self._failures: list[Failure] = []

    def spend(self, failures: Iterable[Failure]) -> None:
        """Raises SweepError, which names the files, past the budget."""
        self._failures += failures
        if len(self._failures) > self._rate * self._images:
            raise SweepError(self._message())

    def by_status(self) -> dict[str, int]:
        """How many failed, by status."""
        return dict(sorted(Counter(status for _, status, _ in self._failures).items()))

    def _message(self) -> str:
        count = len(self._failures)
        lines = [f"  {uri}: {status}: {reason}" for uri, status, reason in self._failures[:SHOWN]]
        if count > SHOWN:
            lines.append(f"  … and {count - SHOWN} more")
        needed = count / self._images
        return "\n".join(
            [
                f"{count} of {self._images} images failed so far, more than --max-error-rate {self._rate:g} allows:",
                *lines,
                "Mend these files and run the command again, or run it again with a larger --max-error-rate "
                f"(at least {needed:.2g}) to list them in errors.parquet and go on. Nothing that was swept is lost.",
            ]
        )


def recheck(
    folder: Folder, plan: Plan, dataset: Dataset, preprocess: Preprocess, shards: Iterable[int]
) -> set[int]:
    """The committed shards in which an image that had failed can be used now: they are to be swept again."""
    mended: set[int] = set()
    for shard in shards:
        failed = _failed_rows(_committed(folder, shard))
        if failed:
            rows = read_rows(folder, plan, shard).take(failed)
            if any(sample(data, preprocess).status is ImageStatus.OK for data in dataset.read(rows)):
                mended.add(shard)
    return mended


def committed_failures(folder: Folder, plan: Plan, shard: int) -> list[Failure]:
    """(uri, status, reason) of each failed image of a committed shard."""
    batch = _committed(folder, shard)
    failed = _failed_rows(batch)
    if not failed:
        return []
    uris = read_rows(folder, plan, shard)["uri"].take(failed).to_pylist()
    status, reason = (batch[name].take(failed).to_pylist() for name in ("status", "reason"))
    return list(zip(uris, status, reason, strict=True))


def _failed_rows(batch: pa.RecordBatch) -> list[int]:
    return [row for row, status in enumerate(batch["status"].to_pylist()) if status != str(ImageStatus.OK)]


def _committed(folder: Folder, shard: int) -> pa.RecordBatch:
    """The status and reason of each image of a committed shard."""
    with folder.open(shard_path(shard)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
        return pa.record_batch({name: batch[name] for name in ("status", "reason")})

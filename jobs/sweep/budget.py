"""How many images may fail before the run does, and which did."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from ...common.errors import ImageStatus, StoreDamagedError, SweepError
from ...index.datasets.open import Dataset
from ...index.format.files import shard_path
from ...index.merge.notes import Part
from ...index.merge.shards import shard_blocks
from ...index.storage.folder import Folder
from ...model.sources.preprocess import Preprocess
from ..planning.plan import Plan, read_rows
from ..planning.sample import sample

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
        """Raise SweepError, which names the files, past the budget."""
        self._failures += failures
        if len(self._failures) > self._rate * self._images:
            raise SweepError(self._message())

    def by_status(self) -> dict[str, int]:
        """Return how many failed, by status."""
        return dict(sorted(Counter(status for _, status, _ in self._failures).items()))

    def _message(self) -> str:
        count = len(self._failures)
        lines = [f"  {uri}: {status}: {reason}" for uri, status, reason in self._failures[:SHOWN]]
        if count > SHOWN:
            lines.append(f"  … and {count - SHOWN} more")
        needed = ceil(1000 * count / self._images) / 1000
        return "\n".join(
            [
                f"{count} of {self._images} images failed so far, more than --max-error-rate {self._rate:g} allows:",
                *lines,
                "Fix these files and run the command again, or run it again with a larger --max-error-rate "
                f"(at least {needed:g} for these; more may fail among the images that were not read yet, and "
                "--max-error-rate 1 stops at none) to list them in errors.parquet and go on. Nothing that was swept is "
                "lost.",
            ]
        )


@dataclass(frozen=True)
class Failed:
    """An image of a committed shard that failed: its row in the shard, its status and reason."""

    row: int
    status: str
    reason: str


def read_committed(folder: Folder, plan: Plan, shards: Iterable[int]) -> dict[int, list[Failed]]:
    """Return shard → its images that failed.

    A shard is left out where its file is damaged: cut off by hand, or by a disk that lost its power.
    """
    found: dict[int, list[Failed]] = {}
    for shard in shards:
        first, stop = plan.shard_range(shard)
        part = Part(0, first, stop - first, (shard_path(shard),))
        try:
            batch = next(shard_blocks(folder, part, ["status", "reason"], stop - first))[0]
        except StoreDamagedError:
            continue
        rows = zip(batch["status"].to_pylist(), batch["reason"].to_pylist(), strict=True)
        found[shard] = [
            Failed(row, status, reason)
            for row, (status, reason) in enumerate(rows)
            if status != str(ImageStatus.OK)
        ]
    return found


def recheck(
    folder: Folder, plan: Plan, dataset: Dataset, preprocess: Preprocess, committed: dict[int, list[Failed]]
) -> set[int]:
    """Return the committed shards in which an image that had failed can be used now: they are to be swept again."""
    mended: set[int] = set()
    for shard, failed in committed.items():
        if failed:
            rows = read_rows(folder, plan, shard).take([one.row for one in failed])
            if any(sample(data, preprocess).status is ImageStatus.OK for data in dataset.read(rows)):
                mended.add(shard)
    return mended


def failures_of(folder: Folder, plan: Plan, shard: int, failed: list[Failed]) -> list[Failure]:
    """Return the failed images of a committed shard, with their uris."""
    if not failed:
        return []
    uris = read_rows(folder, plan, shard)["uri"].take([one.row for one in failed]).to_pylist()
    return [(uri, one.status, one.reason) for uri, one in zip(uris, failed, strict=True)]

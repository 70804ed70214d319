"""`RowFile`: the rows of a large array file, read from the disk by position while they are served.

It takes the place of a mapped array in searches: a file that is truncated or overwritten meanwhile gives an error,
where a mapped one would end the process. Nothing is answered from it before all of it was compared with its SHA-256.
"""

from threading import Event, Thread
from time import monotonic

import numpy as np

from ...common.errors import StorageError, UnitscopeError
from ..caching.cached_only import refuse_if_cached_only
from .watched_file import WatchedFile

WAIT_SECONDS = 20.0
"""How long a request waits for the comparison, which takes about a second for two gigabytes."""


class RowFile:
    """(rows, width) float32. Any threads may share it."""

    def __init__(self, file: WatchedFile, shape: tuple[int, int], sha256: str) -> None:
        """Begins to compare the file with its SHA-256, in a thread. Raises StoreDamagedError for another size."""
        self.shape = shape
        self.size = shape[0] * shape[1]
        self.nbytes = 4 * self.size
        if file.size != self.nbytes:
            raise file.damaged(f"it has not its size: {file.size:,} bytes, not {self.nbytes:,}")
        self._file, self._row = file, 4 * shape[1]
        self._problem: UnitscopeError | None = None
        self._checked = Event()
        self._began = monotonic()
        Thread(target=self._check, args=(sha256,), name="checking features", daemon=True).start()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: "int | np.integer | slice | np.ndarray") -> np.ndarray:
        """Return one row (width,), a run of rows, or rows by number (…, width)."""
        if isinstance(rows, int | np.integer):
            return self.take(np.array([rows]))[0]
        if isinstance(rows, np.ndarray):
            return self.take(rows)
        start, stop, step = rows.indices(len(self))
        if step != 1:
            return self.take(np.arange(start, stop, step))
        refuse_if_cached_only()
        self._await()
        return self._file.read_array(start, max(0, stop - start), self.shape[1], np.float32)

    def take(self, ids: np.ndarray, axis: int = 0) -> np.ndarray:
        """Return (…, width) float32, the rows of these numbers. Raises StoreDamagedError, StorageError."""
        if axis:
            raise ValueError("only whole rows are read")
        refuse_if_cached_only()
        self._await()
        found = np.empty((*ids.shape, self.shape[1]), np.float32)
        rows = ids.ravel().tolist()
        if rows and not 0 <= min(rows) <= max(rows) < self.shape[0]:
            raise IndexError(f"rows {min(rows)} to {max(rows)} of {self.shape[0]}")
        self._file.read_rows(found.reshape(-1, self.shape[1]), rows)
        self._file.check_unchanged()
        return found

    def _await(self) -> None:
        if not self._checked.is_set() and not self._checked.wait(WAIT_SECONDS):
            raise StorageError(
                f"{self._file.path} is still being compared with its SHA-256, for {monotonic() - self._began:.0f} s "
                "now; try again in a minute"
            )
        if self._problem is not None:
            raise self._problem

    def _check(self, sha256: str) -> None:
        try:
            self._file.check(sha256)
        except UnitscopeError as error:
            self._problem = error
        finally:
            self._checked.set()

"""The exceptions of Unitscope, in one tree.

    UnitscopeError                something that the user can mend; exit code 1
    ├── UsageError                a wrong argument; exit code 2
    │   ├── ModelSpecError        a model that cannot be found or loaded as it was named
    │   ├── LayerError            a layer or unit that the model or store does not have
    │   ├── FilterError           a filter that cannot be parsed or names an unknown column
    │   └── NotFoundError         an image, store or atlas that is not there
    ├── DatasetError              a dataset that cannot be read or has changed since the plan
    ├── StorageError              the disk or bucket failed, after retries: never a bad image
    ├── StoreError                a store that cannot be used as asked
    │   ├── StoreNotFoundError    nothing there, or no finished store
    │   ├── DerivedError          an index, graph, atlas or sample that cannot be used; has the command that builds it
    │   │   ├── NotBuiltError     there is none; a StoreNotFoundError too
    │   │   └── OutdatedError     it is of another version, sweep or index
    │   ├── StoreBusyError        another sweep is writing it
    │   ├── ModelNotAllowedError  code or weights that only the store names, and nobody allowed
    │   ├── DatasetNotAllowedError  a dataset that only the store names, and nobody allowed
    │   └── StoreDamagedError     a file that differs from the manifest
    ├── SweepError                a sweep that must stop: NaN, too many bad images, a worker that differs
    └── ImageError                one image that cannot be used; carries its status

Every message names the bad value, what was allowed, and what to do next.
"""

from enum import StrEnum


class ImageStatus(StrEnum):
    """What became of an image: exactly one of these."""

    OK = "ok"
    UNDECODABLE = "undecodable"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"


class UnitscopeError(Exception):
    """Something that the user can mend; the message says how."""

    exit_code = 1


class UsageError(UnitscopeError):
    """A wrong argument."""

    exit_code = 2


class ModelSpecError(UsageError):
    """A model that cannot be found or loaded as it was named."""


class LayerError(UsageError):
    """A layer or unit that the model or store does not have."""


class FilterError(UsageError):
    """A filter that cannot be parsed or names an unknown column."""


class NotFoundError(UsageError):
    """An image, store or atlas that is not there."""


class DatasetError(UnitscopeError):
    """A dataset that cannot be read or has changed since the plan."""


class StorageError(UnitscopeError):
    """The disk or bucket failed, after retries."""


class StoreError(UnitscopeError):
    """A store that cannot be used as asked."""


class StoreNotFoundError(StoreError):
    """No finished store there."""


class DerivedError(StoreError):
    """An index, graph, atlas or sample that cannot be used as it is.

    command: builds it; the message says so. then: ends the message, as in ", and …".
    """

    def __init__(self, message: str, command: str, then: str = "") -> None:
        super().__init__(message, command, then)
        self.command = command

    def __str__(self) -> str:
        message, command, then = self.args
        return f"{message}; run `{command}`{then}"


class NotBuiltError(DerivedError, StoreNotFoundError):
    """The store has none of it."""


class OutdatedError(DerivedError):
    """It is of another version, or was built from another sweep, from another index or with other settings."""

    def __init__(self, message: str, command: str, then: str = " again") -> None:
        super().__init__(message, command, then)


class StoreBusyError(StoreError):
    """Another sweep is writing this store."""


class ModelNotAllowedError(StoreError):
    """The store names code or weights that the person who opens it has not allowed."""


class DatasetNotAllowedError(StoreError):
    """The store names a dataset that the person who opens it has not allowed."""


class StoreDamagedError(StoreError):
    """A file of the store differs from its manifest."""


class SweepError(UnitscopeError):
    """A sweep that must stop."""


class ImageError(UnitscopeError):
    """One image that cannot be used."""

    def __init__(self, status: ImageStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

"""Which error is which problem: what the service answers with, and what its clients raise. Knows no web framework."""

from pydantic import BaseModel

from ..common.errors import (
    DatasetError,
    DatasetNotAllowedError,
    FilterError,
    ImageError,
    LayerError,
    ModelNotAllowedError,
    NotFoundError,
    StorageError,
    StoreDamagedError,
    StoreError,
    StoreNotFoundError,
    UnitscopeError,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:unitscope:"
"""Of the types of problems."""


class Problem(BaseModel):
    """RFC 9457. `type` is a short name of the kind of problem, `detail` a sentence for a person."""

    type: str
    title: str
    status: int
    detail: str


class ImageChangedError(StoreDamagedError):
    """The image is not the one that was swept."""


class ImageGoneError(DatasetError):
    """The image, or its dataset, is not where it was when it was swept."""


class ModelChangedError(StoreError):
    """The model that is there is not the one that was swept."""


class ModelUnavailableError(UnitscopeError):
    """The model worker cannot answer now. retry_after: seconds after which it may, None where that is not known."""

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


KINDS: tuple[tuple[type[UnitscopeError], int, str, str], ...] = (
    (NotFoundError, 404, "not-found", "Not found"),
    (LayerError, 404, "no-such-unit", "No such layer or unit"),
    (StoreNotFoundError, 404, "not-made-yet", "Not there"),
    (FilterError, 422, "filter", "The filter cannot be read"),
    (UsageError, 422, "request", "The request cannot be answered"),
    (ImageChangedError, 409, "image-changed", "The image has changed since the sweep"),
    (ImageGoneError, 410, "image-gone", "The image is not there any more"),
    (ImageError, 422, "image", "The image cannot be decoded"),
    (StoreDamagedError, 503, "store-damaged", "The store is damaged"),
    (StorageError, 503, "storage", "The store cannot be read now"),
    (ModelNotAllowedError, 409, "model-not-allowed", "The store's model is not run"),
    (DatasetNotAllowedError, 409, "dataset-not-allowed", "The store's dataset is not read"),
    (ModelChangedError, 409, "model-changed", "The model has changed since the sweep"),
    (ModelUnavailableError, 503, "live-model", "The model cannot be asked now"),
    (UnitscopeError, 409, "store", "The store cannot answer"),
)
"""Kind of error, HTTP status, type and title; from the narrowest to the widest."""


def status_of(error: UnitscopeError) -> tuple[int, str, str]:
    """Return HTTP status, type and title."""
    return next(told for kind, *told in KINDS if isinstance(error, kind))  # pyright: ignore[reportReturnType]

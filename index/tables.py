"""Writes one part of each table from the shard files of that part. Each function may run in any process, in any order."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..common.frame import Frame
from .files import Folder
from .schema import LayerRow
from .statistics import Statistics
from .topk import TopK


@dataclass(frozen=True)
class Part:
    """A fixed run of whole shards. `shards`: paths of its shard files, in order; images first … first + images - 1."""

    number: int
    first: int
    images: int
    shards: tuple[str, ...]


@dataclass(frozen=True)
class PartRecord:
    """A finished file, as the manifest lists it."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Merged:
    """What one task made: the file and, for maxima, each unit's top-k and statistics over the part's images."""

    record: PartRecord
    top: TopK | None = None
    statistics: Statistics | None = None


# Each is resumable: what it made is noted under `.work/merged/`, and a second call gives the note back.


def write_images(folder: Folder, part: Part) -> Merged:
    """Writes `images/part-N.parquet` from `plan/part-N.parquet` and the shards."""
    raise NotImplementedError


def write_features(folder: Folder, part: Part) -> Merged:
    raise NotImplementedError


def write_maxima(folder: Folder, part: Part, layers: Sequence[LayerRow], number: int, *, k: int) -> Merged:
    """Writes `maxima/<layer>/part-N.parquet` for layers[number]."""
    raise NotImplementedError


def write_errors(folder: Folder, parts: Sequence[Part]) -> Merged:
    """Writes `errors.parquet` of all parts (after all write_images)."""
    raise NotImplementedError


def write_layers(folder: Folder, layers: Sequence[LayerRow]) -> Merged:
    raise NotImplementedError


def write_units(folder: Folder, parts: Sequence[Part], layers: Sequence[LayerRow], frame: Frame, *, k: int) -> Merged:
    """Writes `units.parquet` (after all write_images and write_maxima)."""
    raise NotImplementedError

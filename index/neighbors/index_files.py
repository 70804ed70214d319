"""Opens the files of `ann/`: the features, their lengths, the FAISS index and a manifest, published last."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..format.derived import Derived, open_derived
from ..storage.damaged import reading
from ..storage.folder import Folder
from ..storage.memory_map import map_array
from ..storage.row_file import RowFile
from ..storage.watched_file import WatchedFile, record_of
from .exact import Vectors
from .ivf import IvfIndex
from .tune import OperatingPoint

VERSION = 2
MANIFEST, FEATURES, LENGTHS, INDEX = "ann/ann.json", "ann/features.f32", "ann/lengths.f64", "ann/index.faiss"
_AGAIN = "run `unitscope index STORE` again"
_KIND = Derived("index", MANIFEST, VERSION, _AGAIN)


@dataclass(frozen=True)
class IndexFiles:
    """The contents of the files. index: None where exact search is fast enough; then there are no points either."""

    vectors: Vectors
    index: IvfIndex | None
    points: tuple[OperatingPoint, ...]
    manifest: dict[str, Any]


def open_files(folder: Folder, *, store: str | None, resident: int, serving: bool, held: int) -> IndexFiles:
    """Open all files. Arguments and errors: as those of `NeighborIndex.open`."""
    with reading(folder.path(MANIFEST), _AGAIN):
        manifest = open_derived(folder, _KIND, sources={"store": store}).content
        images, width = _checked_shape(manifest)
        lengths = _verified(folder, manifest, LENGTHS).whole(
            (images,), np.float64, _sha256(manifest, LENGTHS)
        )
        features = _open_features(folder, manifest, (images, width), serving=serving, held=held)
        index = _read_index(folder, manifest) if manifest["type"] != "flat" else None
        points = tuple(OperatingPoint(**point) for point in manifest["points"])
        return IndexFiles(Vectors(features, lengths, np.isfinite(lengths), resident), index, points, manifest)


def _checked_shape(manifest: dict[str, Any]) -> tuple[int, int]:
    """Return (images, width). Raises ValueError for settings that no build writes."""
    images, width = int(manifest["images"]), int(manifest["width"])
    if images < 0 or width < 1 or manifest["metric"] not in ("l2", "cosine"):
        raise ValueError(f"{images} images of {width} numbers, metric {manifest['metric']!r}")
    return images, width


def _open_features(
    folder: Folder, manifest: dict[str, Any], shape: tuple[int, int], *, serving: bool, held: int
) -> "np.ndarray | RowFile":
    file, sha256 = _verified(folder, manifest, FEATURES), _sha256(manifest, FEATURES)
    if shape[0] * shape[1] <= held:
        return file.whole(shape, np.float32, sha256)
    if serving:
        return RowFile(file, shape, sha256)
    file.check(sha256, size=shape[0] * shape[1] * 4)
    return map_array(folder, FEATURES, np.float32, shape)


def _read_index(folder: Folder, manifest: dict[str, Any]) -> IvfIndex:
    """Return FAISS reads only what has the SHA-256 that was noted: its reader trusts the file."""
    file = _verified(folder, manifest, INDEX)
    file.check(_sha256(manifest, INDEX))
    with reading(folder.path(INDEX), _AGAIN):
        try:
            index = IvfIndex.read(file.reader())
        except RuntimeError as error:
            raise file.damaged(str(error)) from error
    file.check_unchanged()
    if index.rows != int(manifest["rows"]):
        raise file.damaged(f"it holds {index.rows:,} images, not {manifest['rows']}")
    return index


def _verified(folder: Folder, manifest: dict[str, Any], name: str) -> WatchedFile:
    """Return the open file, of the size that the manifest notes."""
    file = WatchedFile(folder, name, _AGAIN)
    size, _ = record_of(manifest, name, folder.path(MANIFEST))
    if size is not None and size != file.size:
        raise file.damaged(f"it has not its size: {file.size:,} bytes, not {size:,}")
    return file


def _sha256(manifest: dict[str, Any], name: str) -> str:
    return record_of(manifest, name, MANIFEST)[1]

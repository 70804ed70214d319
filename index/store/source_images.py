"""The bytes of a store's images: read again from the dataset, by the places that `plan/` knows, and checked."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from ...common.errors import StoreDamagedError
from ..datasets.base import from_uri
from ..datasets.open import Dataset, open_dataset
from ..format.columns import Columns
from ..format.manifest import Manifest
from ..storage.stored_names import check_stored_name
from .images import ImageReader
from .trust import Trust, dataset_options, dataset_path


class SweptPixels:
    """The dataset that a store was swept from, opened when it is first asked for."""

    def __init__(self, manifest: Manifest, trust: Trust, plan: Columns, images: ImageReader) -> None:
        """Set up the reader. trust: whether the dataset may be read, and where it is. plan: the columns of plan/."""
        self._manifest, self._trust, self._plan, self._images = manifest, trust, plan, images

    def read(self, image_ids: Sequence[int]) -> Iterator[bytes]:
        """Yield the encoded bytes of some images, in the order given.

        Raises ImageError where they cannot be read, StoreDamagedError where they are not what was swept.
        """
        dataset = self._dataset
        images = self._images.at(image_ids, ["uri", "sha256"])
        ids, names = np.array(image_ids, np.int64), self._plan.schema.names
        rows = pa.table({name: self._plan.take(name, ids) for name in names})
        for file in rows["file"].to_pylist():
            if file is not None:
                check_stored_name(from_uri(file), "plan/")
        for image_id, image, data in zip(image_ids, images, dataset.read(rows), strict=True):
            if not isinstance(data, bytes):
                raise data
            if hashlib.sha256(data).hexdigest() != image["sha256"]:
                raise StoreDamagedError(
                    f"image {image_id} ({image['uri']}) is not the one that was swept: its SHA-256 differs; "
                    "put the old file back or sweep again into a new folder"
                )
            yield data

    @cached_property
    def _dataset(self) -> Dataset:
        path = dataset_path(self._manifest, self._trust)
        return open_dataset(path, dataset_options(self._manifest, self._trust))

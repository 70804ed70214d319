"""Finds where units have their maxima in any image, and makes patches of that: from `maxima/`."""

from collections.abc import Sequence

import numpy as np

from ...common.frame import Frame
from ..format.columns import Columns
from ..format.files import MAXIMA
from ..format.layer_row import LayerRow
from ..format.patches import top_column
from ..stats.topk import TopK
from .maxima import MaximaReader
from .table_files import TableFiles
from .units import Patch, patches_of


class UnitMaxima:
    """The maxima of all layers, each opened when it is first read. Any threads may share it."""

    def __init__(self, tables: TableFiles, layers: Sequence[LayerRow], frame: Frame, images: Columns) -> None:
        """images: the columns of images/, for the sizes of the originals."""
        self._tables, self._layers, self._frame, self._images = tables, layers, frame, images
        self._readers: dict[int, MaximaReader] = {}

    def reader(self, number: int) -> MaximaReader:
        """Return the maxima of layer `number`."""
        if number not in self._readers:
            layer = self._layers[number]
            self._readers[number] = MaximaReader(self._tables.of_images(MAXIMA, layer.layer), layer)
        return self._readers[number]

    def strongest(self, number: int, unit: int, k: int, mask: np.ndarray | None) -> list[Patch]:
        """Return the k strongest patches of a unit. mask: (images,) bool, those that count; None for all."""
        return self._patches(number, [unit], self.reader(number).strongest(unit, k, mask))

    def at(self, number: int, unit: int, image_ids: np.ndarray) -> list[Patch]:
        """Return the patches of a unit in some images, (n,) int64. Raises UsageError for one that failed."""
        return self._patches(number, [unit], self.reader(number).at(unit, image_ids))

    def in_image(
        self, number: int, units: Sequence[int], image_id: int, *, ranked: bool
    ) -> list[tuple[Patch, int | None]]:
        """Return the patches of some units in one image, with their ranks if `ranked`. Raises UsageError where it
        failed.
        """
        top, ranks = self.reader(number).in_image(units, image_id, ranked=ranked)
        given = [None] * len(units) if ranks is None else ranks.tolist()
        return list(zip(self._patches(number, units, top), given, strict=True))

    def _patches(self, number: int, units: Sequence[int], found: TopK) -> list[Patch]:
        """Return the patches of `found`, which has a row for each of `units`."""
        layer, numbers = self._layers[number], np.array(units, np.int64)
        column = top_column(found, layer, self._frame, self._images, units=numbers)
        return patches_of(column.values)

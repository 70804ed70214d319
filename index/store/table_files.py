"""Opens the tables of a store: the files that the manifest names, through one bounded cache."""

from collections.abc import Sequence

import pyarrow as pa

from ..format.columns import Columns
from ..format.files import CLASSES, ERRORS, IMAGES, MANIFEST, PLAN, SELECTIVITY, STRONGEST, UNITS
from ..format.manifest import Manifest
from ..format.manifest_checks import check_rows
from ..format.parquet_cache import FileCache
from ..format.schema import (
    CLASSES_SCHEMA,
    ERRORS_SCHEMA,
    SELECTIVITY_SCHEMA,
    STRONGEST_SCHEMA,
    UNITS_SCHEMA,
    images_schema,
    plan_schema,
)
from ..storage.damaged import reading
from ..storage.folder import Folder
from ..storage.hashed_file import PartRecord

_FOOTER_BYTES = 256 * 2**20
_COLUMN_BYTES = 256 * 2**20
_EXPECTED: dict[str, pa.Schema] = {
    IMAGES: images_schema(),
    PLAN: plan_schema(),
    UNITS: UNITS_SCHEMA,
    CLASSES: CLASSES_SCHEMA,
    SELECTIVITY: SELECTIVITY_SCHEMA,
    STRONGEST: STRONGEST_SCHEMA,
    ERRORS: ERRORS_SCHEMA,
}
"""The columns of each table whose types are checked when it is opened."""


class TableFiles:
    """The tables of one store. Any threads may share it. cache: the open files and what is held of them."""

    def __init__(self, folder: Folder, manifest: Manifest, images: int) -> None:
        """images: of the store."""
        self._folder, self._manifest, self._images = folder, manifest, images
        self.cache = FileCache(folder, footer_bytes=_FOOTER_BYTES, column_bytes=_COLUMN_BYTES)

    def of_images(self, table: str, layer: str | None = None) -> Columns:
        """Return a table, or a layer's part of one, with a row for each image. Raises StoreDamagedError for fewer or
        more.
        """
        parts = self._manifest.parts(table) if layer is None else self._manifest.parts_of_layer(table, layer)
        with reading(self._folder.path(MANIFEST)):
            check_rows(table, parts, self._images)
        return self.open(parts)

    def open(self, records: Sequence[PartRecord]) -> Columns:
        """Return the table in these files."""
        table = records[0].path.partition("/")[0] if records else ""
        expected = _EXPECTED.get(table)
        return Columns(self.cache, [one.path for one in records], [one.rows for one in records], expected)

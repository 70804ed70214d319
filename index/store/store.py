"""`Store`: opens a finished store and answers from it, exactly. Any threads may share one; its memory is bounded.

It reads files when it is asked and keeps open files, columns and filters' masks in bounded caches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from ...common.errors import ImageStatus, UsageError
from ..caching.cached_only import refuse_if_cached_only
from ..format.files import ERRORS, FEATURES, IMAGES, LAYERS, MANIFEST, PATCHES, PLAN, THUMBS, UNITS
from ..format.layer_row import LayerRow
from ..format.manifest import Manifest
from ..format.manifest_checks import check_model, check_named
from ..format.schema import ERRORS_SCHEMA
from ..storage.damaged import reading
from ..storage.folder import Folder
from ..storage.packs import PATCHES_PER_UNIT, Packs
from ..where.parser import ClassNames, Filter
from .features import FeatureReader, averaged_features
from .images import ImageReader, first_rows
from .layers import LayerReader
from .source_images import SweptPixels
from .summaries import StrongUnit, SummaryReader
from .table_files import TableFiles
from .trust import NOTHING, Trust
from .unit_maxima import UnitMaxima
from .units import Patch, UnitReader, UnitRow


class Store:
    """A finished store. Open it with `Store.open`.

    manifest: what it was made from. layers: in the order of layers.parquet. classes: the model's, or None.

    >>> from unitscope.index.store import Store
    >>> store = Store.open("store")
    >>> [row.layer for row in store.layers]
    ['features.0', 'block.1:0', 'head']
    >>> best = store.top("head", 3, k=2, where="label = 'cat'")
    >>> [(patch.image_id, round(patch.value, 2)) for patch in best]
    [(42, 1.24), (25, 1.2)]
    >>> store.image(best[0].image_id)["uri"]
    '00042.png'
    """

    def __init__(self, folder: Folder, manifest: Manifest, trust: Trust = NOTHING) -> None:
        self.folder = folder
        self.trust = trust
        self.manifest = manifest
        with reading(folder.path(MANIFEST)):
            check_named(manifest.files, (LAYERS, UNITS, ERRORS))
            check_model(manifest.model)
            self.images_count = int(manifest.counts["images"])
        self._layers = LayerReader(folder, manifest.files[LAYERS])
        self.layers: tuple[LayerRow, ...] = self._layers.rows
        classes = manifest.model.get("classes")
        self.classes: tuple[str, ...] | None = None if classes is None else tuple(classes)
        self._tables = tables = TableFiles(folder, manifest, self.images_count)
        self._summary = SummaryReader(manifest, tables.open, self.layers)
        names = ClassNames(self.classes or (), self._summary.labelled)
        self._images = ImageReader(tables.of_images(IMAGES), self.images_count, names)
        self._pixels = SweptPixels(manifest, trust, tables.of_images(PLAN), self._images)
        self._units = UnitReader(tables.open([manifest.files[UNITS]]), self.layers, self.images_count)
        self._maxima = UnitMaxima(tables, self.layers, manifest.preprocessing, self._images.columns)
        self._thumbs, self._patches = (Packs(folder, table, manifest.files) for table in (THUMBS, PATCHES))

    @staticmethod
    def open(path: str, *, dataset: str | None = None, trust: Trust = NOTHING) -> "Store":
        """Return the store at a local path or bucket URL. dataset: where its images are now, if they have moved. trust:
        what that the store names outside itself may be used; by default what this user swept on this machine.

        Raises StoreNotFoundError where there is none or its sweep is unfinished, StoreError for a newer format,
        StoreDamagedError where its manifest or layers cannot be read.
        """
        folder = Folder.confined(path)
        trust = trust if dataset is None else replace(trust, dataset=dataset)
        return Store(folder, Manifest.read(folder), trust)

    def cache_reads(self) -> dict[str, tuple[int, int]]:
        """Return how often what was wanted was in memory, and how often not, of each cache by its name."""
        return {**self._tables.cache.reads(), "masks": self._images.mask_reads}

    def class_name(self, index: int | None) -> str | None:
        """Return the name of the model's class, None for no index, an unknown one, and a model without names."""
        if index is None or self.classes is None or not 0 <= index < len(self.classes):
            return None
        return self.classes[index]

    # Layers and units

    def layer(self, name: str) -> LayerRow:
        """Return the layer. Raises LayerError, with the closest names, where the store has none of that name."""
        return self.layers[self._layers.number(name)]

    def check_unit(self, layer: str, unit: int) -> None:
        """Raise LayerError where the store has no such unit."""
        self._layers.with_unit(layer, unit)

    def unit(self, layer: str, unit: int) -> UnitRow:
        """Return statistics and all stored patches of a unit. Raises LayerError."""
        return self._units.row(self._layers.with_unit(layer, unit), unit)

    def units(self, layer: str) -> pa.Table:
        """Return (units,) rows: `layer`, `unit`, `images`, `mean`, `std`, `min`, `max`, `active`. Raises LayerError."""
        return self._units.statistics(self._layers.number(layer))

    def top(self, layer: str, unit: int, *, k: int = 9, where: Filter | str | None = None) -> list[Patch]:
        """Return the k strongest patches of a unit among the images that `where` keeps: by value, descending, then
        image_id.

        Raises LayerError, FilterError, and UsageError for k < 1.
        """
        number = self._layers.with_unit(layer, unit)
        if k < 1:
            raise UsageError(f"k = {k}: ask for at least one patch")
        if where is None:
            stored = self._units.top(number, unit, k)
        else:
            stored = self._units.top_among(number, unit, k, self.mask(where))
        return self.top_from_maxima(layer, unit, k=k, where=where) if stored is None else stored

    def top_from_maxima(
        self, layer: str, unit: int, *, k: int, where: Filter | str | None = None
    ) -> list[Patch]:
        """Do the same as `top`, always from the maxima."""
        refuse_if_cached_only()
        number = self._layers.with_unit(layer, unit)
        mask = None if where is None else self.mask(where)
        return self._maxima.strongest(number, unit, k, mask)

    def patches_at(self, layer: str, unit: int, image_ids: Sequence[int]) -> list[Patch]:
        """Return where a unit has its maximum in each of some images, in the order given.

        Raises LayerError, and UsageError for an id that is none and for an image that failed.
        """
        number = self._layers.with_unit(layer, unit)
        ids = np.array([self._images.checked(image_id) for image_id in image_ids], np.int64)
        return self._maxima.at(number, unit, ids)

    def patches_in(
        self, layer: str, units: Sequence[int], image_id: int, *, ranked: bool = False
    ) -> list[tuple[Patch, int | None]]:
        """Return where each of some units of a layer has its maximum in one image, in the order given; and the
        maximum's rank, 1 + how many images have a larger one, if `ranked`, None otherwise.

        Raises LayerError, and UsageError for an id that is none and for an image that failed.
        """
        number = self._layers.number(layer)
        for unit in units:
            self.check_unit(layer, unit)
        return self._maxima.in_image(number, units, self._images.checked(image_id), ranked=ranked)

    def maxima(self, layer: str, unit: int) -> np.ndarray:
        """Return (images,) float32: the maximum of each image; NaN where an image failed. Raises LayerError."""
        return self._maxima.reader(self._layers.with_unit(layer, unit)).values(unit)

    def maxima_of_layer(self, layer: str, image_ids: np.ndarray) -> np.ndarray:
        """Return (units, n) float32: the maxima of all units of a layer in some images, NaN where one failed; kept
        nowhere.

        image_ids: (n,) int64, ascending. Raises LayerError.
        """
        return self._maxima.reader(self._layers.number(layer)).of_all_units(image_ids)

    def maxima_groups(self, layer: str) -> list[tuple[int, int]]:
        """Return (first image_id, images) of each row group of a layer's maxima, the least that is read. Raises
        LayerError.
        """
        return self._maxima.reader(self._layers.number(layer)).groups

    def positions(self, layer: str, unit: int) -> np.ndarray:
        """Return (images,) int32: where each maximum is, flat y * width + x; -1 where an image failed. Raises
        LayerError.
        """
        return self._maxima.reader(self._layers.with_unit(layer, unit)).positions(unit)

    # What the sweep summed up; None in a store of an older release, which did not

    def classes_table(self) -> pa.Table | None:
        """Return the rows of classes.parquet (CLASSES_SCHEMA): none where the images have no labels, or more than
        4,096.
        """
        return self._summary.classes()

    def selectivity(self, layer: str) -> pa.Table | None:
        """Return (units,) rows: `unit`, `label` (of the largest mean) and `selectivity`, null for none. Raises
        LayerError.
        """
        return self._summary.selectivity(self._layers.number(layer))

    def class_means(self, layer: str, unit: int) -> np.ndarray | None:
        """Return (labels,) float32 in the order of `classes_table`: the mean of max(maximum, 0) over the images of each
        label, NaN where it has none. Raises LayerError.
        """
        return self._summary.class_means(self._layers.with_unit(layer, unit), unit)

    def strongest_units(self, image_id: int) -> list[list[StrongUnit]] | None:
        """Return for each layer up to 8 units with the largest scores, (value - mean) / std of the unit over the
        dataset, by score, descending, then unit; empty lists for an image that failed. Raises UsageError for an id that
        is none.
        """
        return self._summary.strongest(self._images.checked(image_id))

    # Images

    @property
    def images_schema(self) -> pa.Schema:
        """The columns of images/, the dataset's own metadata among them."""
        return self._images.columns.schema

    @property
    def list_columns(self) -> tuple[str, ...]:
        """The columns of images/ for several labels and predictions of an image; none in most stores."""
        return self._images.list_columns

    def images(self, columns: Sequence[str]) -> pa.Table:
        """Return (images,) rows of some columns of images/. Raises UsageError for an unknown column."""
        return self._images.table(columns)

    def images_at(self, ids: Sequence[int], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return rows of images/ by id, in the order given. Raises UsageError for an id that is none."""
        return self._images.at(ids, columns)

    def hold_images(self, columns: Sequence[str]) -> None:
        """Read some columns of images/ ahead, so that rows of them are quicker: for who will ask for many."""
        self._images.hold(columns)

    def image(self, image_id: int) -> dict[str, Any]:
        """Return the row of images/. Raises UsageError for an id that is none."""
        return self.images_at([image_id])[0]

    def find_image(self, uri: str) -> int | None:
        """Return the id of the image with this uri, or None."""
        return self._images.find(uri)

    def errors(self, n: int) -> list[dict[str, Any]]:
        """Return the first n images that failed: `image_id`, `uri`, `status`, `reason`."""
        return first_rows(self._tables.open([self.manifest.files[ERRORS]]), ERRORS_SCHEMA.names, n)

    def parse_filter(self, where: str) -> Filter:
        """Return the filter that a text is, over the columns of images/ and the classes' names. Raises FilterError."""
        return self._images.parse(where)

    def mask(self, where: Filter | str) -> np.ndarray:
        """Return (images,) bool, not to be written to: where the filter is true. Raises FilterError."""
        return self._images.mask(where)

    def pixels(self, image_id: int) -> bytes:
        """Return the image's encoded bytes, from the dataset.

        Raises ImageError where they cannot be read, StoreDamagedError where they are not what was swept,
        DatasetNotAllowedError where nobody allowed to read the dataset that the store names.
        """
        return next(self.pixels_of([image_id]))

    def pixels_of(self, image_ids: Sequence[int]) -> Iterator[bytes]:
        """Do the same as `pixels` of some images, in the order given."""
        return self._pixels.read(image_ids)

    # Features

    @cached_property
    def features(self) -> FeatureReader:
        """The features: one at a time, or all in blocks."""
        return FeatureReader(self._tables.of_images(FEATURES))

    @property
    def averaged_layers(self) -> tuple[str, ...]:
        """The layers whose mean over positions the sweep kept as a further feature, in order of execution."""
        return self.manifest.averaged_layers

    def layer_features(self, layer: str) -> FeatureReader:
        """Return the features of `layer_features/<layer>/`. Raises LayerError with the layers there are."""
        return averaged_features(self._tables, layer, self.averaged_layers)

    def feature(self, image_id: int) -> np.ndarray:
        """Return (width,) float32. Raises UsageError for an id that is none and for an image that failed."""
        vector = self.features.one(self._images.checked(image_id))
        if vector is None:
            status = self.images_at([image_id], ["status"])[0]["status"]
            raise UsageError(f"image {image_id} has no feature: it is {status}, not {ImageStatus.OK.value}")
        return vector

    # Pictures

    def thumb(self, image_id: int) -> bytes | None:
        """Return a small JPEG of the image; None where it failed. Raises UsageError for an id that is none."""
        part, row = self._images.columns.locate(self._images.checked(image_id))
        return self._thumbs.get(part, row)

    def patch(self, layer: str, unit: int, rank: int) -> bytes | None:
        """Return a small JPEG of the view of a unit's patch number `rank`; None for ranks that are not packed."""
        number = self._layers.with_unit(layer, unit)
        if not 0 <= rank < PATCHES_PER_UNIT:
            return None
        return self._patches.get(number, unit * PATCHES_PER_UNIT + rank)

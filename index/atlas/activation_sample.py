"""A sample of a layer's activations on disk: of each chosen image the vector of all units at one random position.

`sample.parquet`: image_id, y, x, the view vx0 … vy1 in the original image's pixels, and the activation; `patches/`: a
pack with the view of each row. `sample.json`, written last, says of what store, layer and seed. A row of the table and
of the pack is a *sample*, and its number is what the atlas over it shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import DerivedError, StoreDamagedError
from ..format.derived import Derived, open_derived
from ..format.sealed import sealed
from ..storage.folder import Folder, MissingFileError
from ..storage.open_pack import OpenPack
from ..store.features import FeatureBlock

VERSION = 1
MANIFEST, TABLE, PATCHES = "sample.json", "sample.parquet", "patches"
VIEW = ("vx0", "vy0", "vx1", "vy1")
_KIND = Derived("sample of activations", MANIFEST, VERSION, "delete it and run `unitscope atlas` again")
_PLACES = ["image_id", "y", "x", *VIEW]


def sample_schema(units: int) -> pa.Schema:
    """Return the columns of `sample.parquet`."""
    numbers = [pa.field(name, pa.int32(), nullable=False) for name in ("y", "x", *VIEW)]
    activation = pa.field("activation", pa.list_(pa.float32(), units), nullable=False)
    return pa.schema([pa.field("image_id", pa.int64(), nullable=False), *numbers, activation])


def choose_images(ok: np.ndarray, positions: int, seed: int) -> np.ndarray:
    """Return (n,) int64 ids, ascending: of the images that are ok (m,) all, or `positions` of them by lot."""
    if len(ok) <= positions:
        return ok
    return np.sort(np.random.default_rng(seed).choice(ok, positions, replace=False))


def choose_positions(image_ids: np.ndarray, positions: int, seed: int) -> np.ndarray:
    """Return (n,) int64: of each image one of its flat positions by lot, the same whichever other images there are."""
    drawn = [np.random.default_rng((seed, image)).integers(positions) for image in image_ids.tolist()]
    return np.array(drawn, np.int64)


@dataclass(frozen=True)
class ActivationSample:
    """An open sample. digest: names all of it. facts: its manifest."""

    folder: Folder
    digest: str
    facts: dict[str, Any]

    @staticmethod
    def open(folder: Folder, *, store: str | None = None, **settings: object) -> "ActivationSample":
        """Open a sample. store: the hash of the store's manifest. settings: what its own must have, such as `seed`.

        Raises NotBuiltError where there is none, OutdatedError for one of another sweep or other settings;
        StoreDamagedError.
        """
        found = open_derived(folder, _KIND, sources={"store": store}, settings=settings)
        return ActivationSample(folder, found.digest, found.content)

    @property
    def rows(self) -> int:
        return int(self.facts["rows"])

    @property
    def width(self) -> int:
        """Units of the layer."""
        return int(self.facts["units"])

    def blocks(self) -> Iterator[FeatureBlock]:
        """Yield all activations in the order of the rows; `first` is a row.

        Raises StoreDamagedError, also where the sample was replaced meanwhile.
        """
        first = 0
        with self._table() as table:
            for group in range(table.num_row_groups):
                column = table.read_row_group(group, columns=["activation"])["activation"].combine_chunks()
                values = column.flatten().to_numpy().reshape(-1, self.width)
                yield FeatureBlock(first, values, np.ones(len(values), bool))
                first += len(values)
        self._check_current()

    @cached_property
    def places(self) -> pa.Table:
        """All columns but the activation, in memory. Raises StoreDamagedError."""
        with self._table() as table:
            return table.read(columns=_PLACES).combine_chunks()

    @cached_property
    def pictures(self) -> OpenPack:
        """The view of each row. Raises StoreDamagedError."""
        return OpenPack(self.folder, PATCHES, 0)

    def _check_current(self) -> None:
        """Check a table that is read later: it must still be this sample's."""
        try:
            current = ActivationSample.open(self.folder).digest == self.digest
        except DerivedError:
            current = False
        if not current:
            raise StoreDamagedError(
                f"The sample in {self.folder.url} is being made again; ask again once its atlas is there."
            )

    def _table(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.folder.open(TABLE))
        except (MissingFileError, pa.ArrowInvalid) as error:
            raise StoreDamagedError(
                f"{self.folder.path(TABLE)} cannot be read ({error}); delete {MANIFEST} beside it and run "
                "`unitscope atlas` again."
            ) from error


def publish_sample(folder: Folder, facts: dict[str, Any]) -> None:
    """Write the manifest: from here on the sample is there. facts: `store`, `layer`, `positions`, `seed`, `rows`, …"""
    folder.publish(MANIFEST, sealed({"version": VERSION} | facts))

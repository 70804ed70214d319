"""Color and filter the items of an atlas: the images of a store, a layer's units, or samples of a layer.

Items are numbered as the atlas numbers them: by image_id, by unit, by row of the sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ...common.errors import UsageError
from ..analysis.images import ImageColumns
from ..analysis.similar_units import SimilarUnits
from ..analysis.units import RANKED, LayerUnits
from ..atlas.activation_sample import ActivationSample
from ..labels.codes import LabelCodes
from ..store.store import Store
from ..where.parser import parse
from .coloring import (
    ItemColors,
    at_rows,
    by_column,
    by_numbers,
    by_unit,
    by_values,
    colorable,
    colorable_columns,
)

UNIT_TITLES = {
    "max": ("max activation", "over all images"),
    "mean": ("mean activation", "over all images"),
    "std": ("standard deviation of the activations", "over all images"),
    "min": ("min activation", "over all images"),
    "active": ("fraction of images activating", "from 0 to 1"),
    "selectivity": ("class selectivity", "from 0 to 1"),
    "label": ("preferred class", ""),
    "state": ("dead or alive", ""),
}
"""What a column of a layer's units is called, and its unit."""
DEAD, ALIVE = "dead", "alive"


class Labels(NamedTuple):
    """names: of labels. codes: the places in `names` of each item's label or labels."""

    names: tuple[str, ...]
    codes: LabelCodes


class MapItems(Protocol):
    """What is known of all items that a map may show. one: the word for an item."""

    @property
    def one(self) -> str: ...

    @property
    def count(self) -> int:
        """How many there are, on the map or not."""
        ...

    @property
    def columns(self) -> list[str]:
        """That they can be colored by."""
        ...

    def by_column(self, name: str) -> ItemColors:
        """Raise UsageError for a column that there is not."""
        ...

    def by_unit(self, layer: str, unit: int) -> ItemColors:
        """Return what a unit does. Raises LayerError, UsageError."""
        ...

    def mask(self, where: str) -> np.ndarray:
        """Return (items,) bool: which of them pass a filter. Raises FilterError."""
        ...

    def labels(self) -> Labels:
        """Return the label of each; of a unit that which it fires most for."""
        ...

    def contrasts(self) -> dict[str, np.ndarray]:
        """Return numbers whose means tell a region from the rest: (items,) float, NaN for none."""
        ...


@dataclass(frozen=True)
class ImageItems:
    """The images of a store. known: reads their columns."""

    store: Store
    known: Callable[[], ImageColumns]
    one: str = "image"

    @property
    def count(self) -> int:
        """All of the dataset."""
        return self.store.images_count

    @property
    def columns(self) -> list[str]:
        """Those of images/ and `correct`."""
        return colorable(self.store)

    def by_column(self, name: str) -> ItemColors:
        """Return one of `columns`."""
        return by_column(self.store, name)

    def by_unit(self, layer: str, unit: int) -> ItemColors:
        """Return its maxima."""
        return by_unit(self.store, layer, unit)

    def mask(self, where: str) -> np.ndarray:
        """Return a filter over `images/`."""
        return self.store.mask(where)

    def labels(self) -> Labels:
        """Return their own."""
        known = self.known()
        return Labels(known.labels, known.codes)

    def contrasts(self) -> dict[str, np.ndarray]:
        """Return whether they are taken for what they are, and the cross-entropy."""
        known = self.known()
        return {"accuracy": known.right, "mean loss": known.finite_loss}


@dataclass(frozen=True)
class UnitItems:
    """The units of a layer. similar: of the store."""

    units: LayerUnits
    similar: SimilarUnits
    one: str = "unit"

    @property
    def count(self) -> int:
        """All units of the layer."""
        return len(self.units.images)

    @cached_property
    def table(self) -> pa.Table:
        """A row for each unit: its statistics, the label that it fires most for, and its `state`: dead or alive."""
        numbers = {name: pa.array(self.units.values[name], from_pandas=True) for name in RANKED}
        dead = self.units.values["active"] == 0
        states = pa.array([DEAD if one else ALIVE for one in dead.tolist()])
        labels = pa.array(self.units.labels, pa.string())
        return pa.table({"unit": np.arange(self.count), **numbers, "label": labels, "state": states})

    @property
    def columns(self) -> list[str]:
        """Those of `table` that are known of any unit."""
        known = [name for name in UNIT_TITLES if self.table[name].null_count < self.count]
        return [name for name in known if name in colorable_columns(self.table.schema)]

    def by_column(self, name: str) -> ItemColors:
        """Return one of `columns`."""
        if name not in self.columns:
            raise UsageError(f"no column {name[:200]!r} to color by; there are {', '.join(self.columns)}")
        title, says = UNIT_TITLES[name]
        return by_values(title, self.table[name].combine_chunks(), says=says)

    def by_unit(self, layer: str, unit: int) -> ItemColors:
        """Return how the others fire with it: their correlation over the images."""
        if layer != self.units.layer:
            raise UsageError(
                f"the units of {self.units.layer} can be colored by their correlation with one of them, "
                f"and layer={layer[:200]!r} is another layer: use layer={self.units.layer}"
            )
        found = self.similar.of(layer, unit)
        values = np.full(self.count, np.nan)
        values[found.units] = found.correlations
        if found.varies:
            values[unit] = 1
        return by_numbers(f"unit {unit} of {layer}", values, says="correlation with its activations")

    def mask(self, where: str) -> np.ndarray:
        """Return a filter over `table`."""
        return parse(where, self.table.schema).mask(self.table)

    def labels(self) -> Labels:
        """Return those that they fire most for."""
        names = tuple(sorted({label for label in self.units.labels if label is not None}))
        places = {label: place for place, label in enumerate(names)}
        codes = [-1 if label is None else places[label] for label in self.units.labels]
        return Labels(names, LabelCodes(np.array(codes, np.int64)))

    def contrasts(self) -> dict[str, np.ndarray]:
        """Return their statistics."""
        wanted = ("max", "mean", "active", "selectivity")
        return {UNIT_TITLES[name][0]: self.units.values[name] for name in wanted}


@dataclass(frozen=True)
class SampleItems:
    """Samples of a layer's activations. images: of which each is one."""

    layer: str
    sample: ActivationSample
    images: ImageItems
    one: str = "sample"

    @property
    def count(self) -> int:
        """All of the sample, on the map or not."""
        return self.sample.rows

    @property
    def columns(self) -> list[str]:
        """Those of the images."""
        return self.images.columns

    @cached_property
    def image_ids(self) -> np.ndarray:
        """(samples,) int64: the image of each."""
        return self.sample.places["image_id"].to_numpy()

    def by_column(self, name: str) -> ItemColors:
        """Return the value of its image."""
        return at_rows(self.images.by_column(name), self.image_ids)

    def by_unit(self, layer: str, unit: int) -> ItemColors:
        """Return its activation in the sample; of a unit of another layer the maximum in the sample's image."""
        if layer != self.layer:
            return at_rows(self.images.by_unit(layer, unit), self.image_ids)
        self.images.store.check_unit(layer, unit)
        values = np.concatenate([block.values[:, unit] for block in self.sample.blocks()])
        return by_numbers(f"unit {unit} of {layer}", values, says="activation at the position")

    def mask(self, where: str) -> np.ndarray:
        """Return a filter over the images."""
        return self.images.mask(where)[self.image_ids]

    def labels(self) -> Labels:
        """Return those of their images."""
        names, codes = self.images.labels()
        return Labels(names, codes.take(self.image_ids))

    def contrasts(self) -> dict[str, np.ndarray]:
        """Return those of their images."""
        return {name: values[self.image_ids] for name, values in self.images.contrasts().items()}

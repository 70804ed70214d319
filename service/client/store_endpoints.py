"""The questions that the clients ask, each said once: the service's stores, and what one store is asked.

Parameters mean what the OpenAPI document says of them; None leaves one to the service.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel

from ...common.errors import NotFoundError
from ..paths import class_address
from ..schemas.classes import ClassAnswer, ClassesAnswer, OneClassAnswer, OverviewAnswer
from ..schemas.images import ImageAnswer, ImagesAnswer, ImageUnitsAnswer, ListedImageAnswer
from ..schemas.live import RegionNeighborsAnswer, UploadNeighborsAnswer
from ..schemas.neighbors import Metric, NeighborAnswer, NeighborsAnswer, Space
from ..schemas.regions import CounterpartAnswer
from ..schemas.stores import LayerAnswer, LayersAnswer, StoreAnswer, StoresAnswer
from ..schemas.units import (
    OneUnitAnswer,
    PatchAnswer,
    PatchesAnswer,
    SimilarUnitAnswer,
    SimilarUnitsAnswer,
    UnitAnswer,
    UnitClassAnswer,
    UnitClassesAnswer,
    UnitsAnswer,
)
from .atlas_endpoints import AtlasQuestions
from .endpoint import Paged, asks, lists
from .exchange import Parameter, Question
from .live_endpoints import LiveQuestions
from .requests import API, Box, ImageLike, box_text, file_of, one, paged, picture, posted, table
from .rows import Rows, picture_address

if TYPE_CHECKING:
    from ...index.analysis.classes import ClassSort
    from ...index.analysis.images import ImageSort
    from ...index.analysis.units import UnitSort

Order = Literal["asc", "desc"]


class ServiceQuestions:
    """What a service is asked."""

    @asks
    def stores(self) -> Question[Rows[StoresAnswer, StoreAnswer]]:
        """Return the stores, in the order in which the service was given them."""
        return table(StoresAnswer, API)


class StoreQuestions(AtlasQuestions, LiveQuestions):
    """What one store is asked. name: as the service lists it."""

    # The store

    @asks
    def about(self) -> Question[StoreAnswer]:
        """Return what was swept, with what."""
        return one(StoreAnswer, self.path)

    @asks
    def overview(self) -> Question[OverviewAnswer]:
        """Return what is noteworthy: dead units, weakest classes, worst confusions, most selective units, failed
        images.
        """
        return one(OverviewAnswer, f"{self.path}/overview")

    # Layers and units

    @asks
    def layers(self) -> Question[Rows[LayersAnswer, LayerAnswer]]:
        """Return the layers, in order of execution."""
        return table(LayersAnswer, f"{self.path}/layers")

    @lists
    def units(
        self,
        layer: str,
        *,
        sort: "UnitSort | None" = None,
        order: Order | None = None,
        dead: bool | None = None,
        min_active: float | None = None,
        max_active: float | None = None,
        min_selectivity: float | None = None,
        label: str | None = None,
    ) -> Paged[UnitsAnswer, UnitAnswer]:
        """Return the units of a layer that pass some filters, with their statistics and ranks."""
        return paged(
            UnitsAnswer,
            f"{self.layer_path(layer)}/units",
            sort=sort,
            order=order,
            dead=dead,
            min_active=min_active,
            max_active=max_active,
            min_selectivity=min_selectivity,
            label=label,
        )

    @asks
    def unit(self, layer: str, unit: int, *, where: str | None = None) -> Question[OneUnitAnswer]:
        """Return one unit: statistics with their ranks in the layer, a histogram and quantiles of its maxima."""
        return one(OneUnitAnswer, self.unit_path(layer, unit), where=where)

    @asks
    def patches(
        self, layer: str, unit: int, *, k: int = 9, where: str | None = None, quantile: float | None = None
    ) -> Question[Rows[PatchesAnswer, PatchAnswer]]:
        """Return a unit's strongest patches, or those around a quantile, among the images that a filter keeps."""
        address = f"{self.unit_path(layer, unit)}/patches"
        return table(PatchesAnswer, address, k=k, where=where, quantile=quantile)

    @lists
    def unit_classes(
        self, layer: str, unit: int, *, where: str | None = None
    ) -> Paged[UnitClassesAnswer, UnitClassAnswer]:
        """Return what a unit does in the images of each class, the largest mean first."""
        return paged(UnitClassesAnswer, f"{self.unit_path(layer, unit)}/classes", where=where)

    @asks
    def similar_units(
        self, layer: str, unit: int, *, k: int = 10
    ) -> Question[Rows[SimilarUnitsAnswer, SimilarUnitAnswer]]:
        """Return the units of the layer that fire most in the same images."""
        return table(SimilarUnitsAnswer, f"{self.unit_path(layer, unit)}/similar", k=k)

    # Images and classes

    @lists
    def images(
        self, *, where: str | None = None, sort: "ImageSort | None" = None, order: Order | None = None
    ) -> Paged[ImagesAnswer, ListedImageAnswer]:
        """Return the images that a filter keeps: by loss, the hardest of anything."""
        return paged(ImagesAnswer, f"{self.path}/images", where=where, sort=sort, order=order)

    @asks
    def image(self, image_id: int) -> Question[ImageAnswer]:
        """Return everything known of one image."""
        return one(ImageAnswer, self.image_path(image_id))

    @asks
    def counterpart(self, image_id: int, other: str) -> Question[CounterpartAnswer]:
        """Return the same image, by its uri, in another store of the service."""
        return one(CounterpartAnswer, f"{self.image_path(image_id)}/counterpart", other=other)

    @asks
    def image_units(
        self, image_id: int, *, layer: str | None = None, k: int | None = None
    ) -> Question[ImageUnitsAnswer]:
        """Return the units that an image fires most, by layer, and where in the image they do."""
        return one(ImageUnitsAnswer, f"{self.image_path(image_id)}/units", layer=layer, k=k)

    @lists
    def classes(
        self, *, sort: "ClassSort | None" = None, order: Order | None = None
    ) -> Paged[ClassesAnswer, ClassAnswer]:
        """Return the labels of the dataset, with how well each is recognised."""
        return paged(ClassesAnswer, f"{self.path}/classes", sort=sort, order=order)

    @asks
    def one_class(self, label: str) -> Question[OneClassAnswer]:
        """Return one class: its confusions, most selective units, hardest and most typical images."""
        return one(OneClassAnswer, f"{self.path}/{class_address(label)}")

    # Neighbours

    @asks
    def neighbors(
        self,
        image_id: int,
        *,
        k: int = 10,
        where: str | None = None,
        metric: Metric | None = None,
        exact: bool = False,
        space: Space | None = None,
    ) -> Question[Rows[NeighborsAnswer, NeighborAnswer]]:
        """Return the images that the model finds most like an image of the store; or those most like it in pixels."""
        search: dict[str, Parameter] = {
            "k": k,
            "where": where,
            "metric": metric,
            "exact": exact,
            "space": space,
        }
        return table(NeighborsAnswer, f"{self.path}/neighbors", image=image_id, **search)

    @asks
    def neighbors_of_vector(
        self,
        vector: Sequence[float] | np.ndarray,
        *,
        k: int = 10,
        where: str | None = None,
        metric: Metric | None = None,
        exact: bool = False,
    ) -> Question[Rows[NeighborsAnswer, NeighborAnswer]]:
        """Return the images whose features are nearest to a vector, as wide as a feature."""
        body: dict[str, Any] = {"vector": np.asarray(vector, np.float64).tolist(), "k": k, "exact": exact}
        body |= {"where": where, "metric": metric}
        return posted(NeighborsAnswer, f"{self.path}/neighbors", {}, json=body)

    @asks
    def neighbors_of_upload(
        self,
        image: ImageLike,
        *,
        k: int = 10,
        where: str | None = None,
        metric: Metric | None = None,
        exact: bool = False,
    ) -> Question[Rows[UploadNeighborsAnswer, NeighborAnswer]]:
        """Return the images that the model finds most like an image of your own, and what it takes that image for."""
        search: dict[str, Parameter] = {"k": k, "where": where, "metric": metric, "exact": exact}
        address = f"{self.path}/neighbors/upload"
        return posted(UploadNeighborsAnswer, address, search, content=file_of(image))

    @asks
    def neighbors_of_region(
        self,
        image_id: int,
        box: Box,
        *,
        k: int = 10,
        where: str | None = None,
        metric: Metric | None = None,
        exact: bool = False,
    ) -> Question[Rows[RegionNeighborsAnswer, NeighborAnswer]]:
        """Return the images that the model finds most like a box of an image."""
        search: dict[str, Parameter] = {
            "box": box_text(box),
            "k": k,
            "where": where,
            "metric": metric,
            "exact": exact,
        }
        return table(RegionNeighborsAnswer, f"{self.image_path(image_id)}/neighbors-of-region", **search)

    # Pictures

    @asks
    def picture(self, row: BaseModel) -> Question[Image.Image]:
        """Return the picture that shows a row best: of a patch its view, of an image its thumbnail. Raises
        NotFoundError.
        """
        address = picture_address(row)
        if address is None:
            raise NotFoundError(f"{type(row).__name__} has no picture; rows of patches and images have")
        return picture(address)

    @asks
    def pixels(self, image_id: int) -> Question[Image.Image]:
        """Return an image, from its own file."""
        return picture(f"{self.image_path(image_id)}/pixels")

    @asks
    def thumb(self, image_id: int) -> Question[Image.Image]:
        """Return a small picture of an image; needs no dataset."""
        return picture(f"{self.image_path(image_id)}/thumb")

    @asks
    def crop(self, image_id: int, box: Box, *, side: int | None = None) -> Question[Image.Image]:
        """Return a box of an image. side: pixels of the longer side at most; it is never enlarged."""
        return picture(f"{self.image_path(image_id)}/crop", box=box_text(box), side=side)

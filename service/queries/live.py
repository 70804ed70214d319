"""Queries of a store's network, for both the API and the pages: what the model worker is asked and answers."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from threading import Event
from typing import Any
from urllib.parse import quote

import numpy as np

from ...common.errors import ImageError, ImageStatus, LayerError, UnitscopeError, UsageError
from ...common.frame import Box
from ...index.datasets.decode import size
from ...index.format.layer_row import LayerRow
from ...index.neighbors.index import NeighborIndex
from ..live.model_spec import model_facts
from ..live.mosaics import mosaic_of
from ..live.protocol import Head, Message
from ..live.supervisor import LiveModel
from ..schemas.live import (
    ClassShare,
    FrameFacts,
    MapsAnswer,
    MosaicAnswer,
    Prediction,
    RegionNeighborsAnswer,
    Scale,
    UploadNeighborsAnswer,
)
from ..stores.registry import ServedStore
from ..stores.urls import address, version
from ..stores.versioned import Picture
from .neighbors import Search, neighbors
from .pixels import PNG, read_pixels
from .stores import check_image, provenance_of

UPLOAD_PIXELS = 64_000_000
"""Of an image that is sent to the model: decoding more takes seconds, in which nobody else is answered."""

ARRAY = "application/octet-stream"
Ask = Callable[..., Message]


@dataclass(frozen=True)
class MapView:
    """Which maps of a layer, and how they are shown. unit: None for all. scale: None for what fits the layer."""

    layer: str
    unit: int | None = None
    scale: Scale | None = None
    zoom: int = 1
    overlay: bool = False


class Live:
    """One request's way to the model. gone: set when its client has gone away."""

    def __init__(self, model: LiveModel, gone: Event | None = None) -> None:
        self.model = model
        self._gone = gone

    def _ask(self, served: ServedStore, operation: str, body: bytes = b"", **more: Any) -> Message:
        head: Head = {
            "op": operation,
            "exif": served.store.manifest.exif,
            "model": model_facts(served.store.manifest, served.store.trust),
            **more,
        }
        return self.model.ask(head, body, gone=self._gone)

    def check_allowed(self, served: ServedStore) -> None:
        """Raise ModelNotAllowedError where the store's network must not be run: before any pixel is read for it."""
        model_facts(served.store.manifest, served.store.trust)

    # Activation maps

    def describe_maps(self, served: ServedStore, image_id: int, view: MapView) -> MapsAnswer:
        """Describe the maps, without the model. Raises NotFoundError, LayerError, UsageError."""
        store = served.store
        check_image(store, image_id)
        row, scale = _checked(served, view)
        input_height, input_width = store.manifest.model["input_size"]
        (image,) = store.images_at([image_id], ("width", "height"))
        width, height = image["width"], image["height"]
        if width is None:
            raise UnitscopeError(
                f"image {image_id} could not be decoded, so it has no maps; errors.parquet says why"
            )
        seen = store.manifest.preprocessing.to_original((0, 0, input_width, input_height), width, height)
        place = f"{address(served)}/images/{image_id}/maps/{quote(view.layer, safe='')}"
        return MapsAnswer(
            **provenance_of(served),
            image_id=image_id,
            layer=row.layer,
            kind=row.kind,
            units=row.units,
            map_height=row.height,
            map_width=row.width,
            scale=scale,
            input_height=input_height,
            input_width=input_width,
            seen=seen,
            mosaic=_mosaic(row, view.zoom),
            picture=f"{place}?scale={scale}&zoom={view.zoom}&v={version(served)}",
            array=f"{place}/array?v={version(served)}",
        )

    def maps(self, served: ServedStore, image_id: int, view: MapView) -> Picture:
        """Return a PNG of an image's maps, quickly: a batch of one, equal to what the sweep saw but for rounding.

        Raises as `describe_maps`, as `read_pixels` and as `LiveModel.ask`.
        """
        check_image(served.store, image_id)
        _checked(served, view)
        self.check_allowed(served)
        return self._maps(served, read_pixels(served, image_id), view).body, PNG

    def array(self, served: ServedStore, image_id: int, layer: str, unit: int | None) -> Picture:
        """Return the maps themselves as a NumPy file, (units, height, width) float32, or (height, width) of one unit.

        As the sweep saw them: on a machine such as the sweep's their maxima are the store's, bit for bit.
        """
        check_image(served.store, image_id)
        row = served.store.layer(layer)
        check_unit(row, unit)
        self.check_allowed(served)
        body = read_pixels(served, image_id)
        answer = self._ask(served, "array", body, row=asdict(row), unit=unit, as_swept=True)
        return answer.body, ARRAY

    def frame(self, served: ServedStore, data: bytes, view: MapView) -> tuple[bytes, FrameFacts]:
        """Return a PNG of the maps of an image of one's own."""
        row, _ = _checked(served, view)
        _check_upload(data)
        answer = self._maps(served, data, view)
        facts = FrameFacts(
            **_prediction(served, answer),
            mosaic=_mosaic(row, view.zoom) if view.unit is None else None,
            layer=view.layer,
            unit=view.unit,
            seconds=answer.head["seconds"],
        )
        return answer.body, facts

    def _maps(self, served: ServedStore, data: bytes, view: MapView) -> Message:
        row, scale = _checked(served, view)
        highest = None
        if scale == "dataset":
            column = served.store.units(view.layer).column("max").to_numpy()
            highest = np.nan_to_num(column.astype(np.float64), nan=0, posinf=0, neginf=0).tolist()
        return self._ask(
            served, "maps", data, row=asdict(row), unit=view.unit, scale=scale, zoom=view.zoom, overlay=view.overlay,
            highest=highest, as_swept=False,
        )  # fmt: skip

    # Neighbours

    def neighbors_of_upload(
        self, served: ServedStore, ann: NeighborIndex, data: bytes, search: Search
    ) -> UploadNeighborsAnswer:
        """Return the images nearest to an image of one's own. Raises ImageError, UsageError, and as `LiveModel.ask`."""
        _check_upload(data)
        answer = self._ask(served, "feature", data)
        found = neighbors(served, ann, _feature(served, answer), search)
        return UploadNeighborsAnswer(**found.fields, query=Prediction(**_prediction(served, answer)))

    def neighbors_of_region(
        self, served: ServedStore, ann: NeighborIndex, image_id: int, box: Box, search: Search
    ) -> RegionNeighborsAnswer:
        """Return the images nearest to a box of an image, that image itself left out."""
        check_image(served.store, image_id)
        self.check_allowed(served)
        answer = self._ask(served, "feature", read_pixels(served, image_id), box=box)
        found = neighbors(served, ann, _feature(served, answer), search, image_id=image_id)
        query = Prediction(**_prediction(served, answer))
        return RegionNeighborsAnswer(**found.fields, query=query, box=answer.head["box"])

    # Filters

    def filters(self, served: ServedStore, layer: str) -> Message:
        """Return the worker's answer about a layer's filters. Raises LayerError, UnitscopeError for a layer without
        any.
        """
        return self._ask(served, "filters", row=asdict(served.store.layer(layer)))


def _check_upload(data: bytes) -> None:
    """Raise ImageError for an upload whose pixels would keep the worker from everybody else for long."""
    try:
        width, height = size(data)
    except ImageError:
        return  # the worker says what is wrong with it
    if width * height > UPLOAD_PIXELS:
        raise ImageError(
            ImageStatus.TOO_LARGE,
            f"the image is {ImageStatus.TOO_LARGE}: {width} x {height} pixels; an image that is sent may have "
            f"{UPLOAD_PIXELS:,}: send a smaller one",
        )


def check_unit(row: LayerRow, unit: int | None) -> None:
    """Raise LayerError for a unit that the layer does not have."""
    if unit is not None and not 0 <= unit < row.units:
        raise LayerError(f"no unit {unit} in {row.layer}: it has units 0 to {row.units - 1}")


def _checked(served: ServedStore, view: MapView) -> tuple[LayerRow, Scale]:
    """Return the layer, and the scale that fits it. Raises LayerError, UsageError, UnitscopeError."""
    row = served.store.layer(view.layer)
    check_unit(row, view.unit)
    one_position = row.height * row.width == 1
    if one_position and view.unit is not None:
        raise UnitscopeError(
            f"{row.layer} is a {row.kind} of one position: a unit has one value and no map; leave out unit="
        )
    if one_position and view.scale == "unit":
        raise UsageError(f"{row.layer} has one position: with scale=unit every cell would be white or black")
    if view.unit is None:
        _mosaic(row, view.zoom)
    return row, view.scale or ("layer" if one_position else "unit")


def _mosaic(row: LayerRow, zoom: int) -> MosaicAnswer:
    return MosaicAnswer(**asdict(mosaic_of(row.units, (row.height, row.width), zoom)))


def _feature(served: ServedStore, answer: Message) -> np.ndarray:
    """Return (width,) float32, rounded as the store's features are."""
    feature = np.frombuffer(answer.body, np.float32)
    if served.provenance["feature_dtype"] == "float16":
        feature = feature.astype(np.float16).astype(np.float32)
    return feature


def _prediction(served: ServedStore, answer: Message) -> dict[str, Any]:
    facts = answer.head
    shares = [
        ClassShare(class_index=index, class_name=served.store.class_name(index), probability=probability)
        for index, probability in facts["top"]
    ]
    return {
        "prediction": shares,
        **{name: facts[name] for name in Prediction.model_fields if name != "prediction"},
    }

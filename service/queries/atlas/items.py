"""The items of an atlas as the API and the pages show them: images, units, and samples of activations."""

from typing import Any

from ....common.errors import NotFoundError
from ....index.atlas.activation_sample import VIEW, ActivationSample
from ....index.format.layer_folders import ACTIVATIONS, UNITS
from ...schemas.atlases import CellMeanAnswer, NearSample, SampleAnswer, ShownImage
from ...schemas.units import UnitAnswer
from ...stores.urls import thumb_address
from ...stores.versioned import Picture
from ..pixels import JPEG
from ..stores import fact_columns, image_facts
from ..units import unit_row
from .served_atlas import ServedAtlas


def image_answer(shown: ServedAtlas, item: int) -> ShownImage | None:
    """Return an image of an atlas of images; None of another atlas."""
    if shown.layer is not None:
        return None
    served = shown.served
    (row,) = served.store.images_at([item], (*fact_columns(served.store), "width", "height"))
    return ShownImage(**image_facts(served, row), width=row["width"], height=row["height"])


def unit_answer(shown: ServedAtlas, item: int) -> UnitAnswer | None:
    """Return a unit of an atlas of units; None of another atlas."""
    if shown.layer is None or shown.kind != UNITS:
        return None
    return unit_row(shown.served, shown.layer, item)


def sample_answer(shown: ServedAtlas, item: int) -> SampleAnswer | None:
    """Return a sample of an atlas of activations; None of another atlas."""
    if shown.kind != ACTIVATIONS:
        return None
    served, place = shown.served, _place(_sample_of(shown), item)
    (image,) = served.store.images_at([place["image_id"]], fact_columns(served.store))
    x0, y0, x1, y1 = (place[name] for name in VIEW)
    return SampleAnswer(
        **image_facts(served, image),
        sample=item,
        y=place["y"],
        x=place["x"],
        view=(x0, y0, x1, y1),
        picture=_sample_picture_address(shown, item),
    )


def cell_mean(shown: ServedAtlas, row: int, column: int) -> CellMeanAnswer | None:
    """Return the mean of the samples in a cell of the nearest grid; None of another atlas, or of an empty cell."""
    opened = shown.found.value
    number = opened.cell_rows.get((row, column))
    if number is None or opened.cells is None:
        return None
    (facts,) = opened.cells.slice(number, 1).to_pylist()
    nearest = [
        NearSample(
            sample=one["sample"],
            distance=one["distance"],
            image_id=_place(_sample_of(shown), one["sample"])["image_id"],
            picture=_sample_picture_address(shown, one["sample"]),
        )
        for one in facts["nearest"]
    ]
    kept = ("samples", "label", "label_samples", "predicted", "predicted_samples")
    return CellMeanAnswer(
        **{name: facts[name] for name in kept},
        predicted_class=shown.served.store.class_name(facts["predicted"]),
        nearest=nearest,
    )


def image_of(shown: ServedAtlas, item: int) -> int | None:
    """Return the image that an item is, or is a sample of; None for a unit."""
    if shown.kind == ACTIVATIONS:
        return _place(_sample_of(shown), item)["image_id"]
    return item if shown.layer is None else None


def picture_of(shown: ServedAtlas, item: int) -> str | None:
    """Return the address of a picture of an item; None for a dead unit."""
    if shown.layer is None:
        return thumb_address(shown.served, item)
    if shown.kind == ACTIVATIONS:
        return _sample_picture_address(shown, item)
    return unit_row(shown.served, shown.layer, item).picture


def sample_picture(shown: ServedAtlas, item: int) -> Picture:
    """Return what a sample sees. Raises NotFoundError for one that is none, also of an atlas without samples."""
    sample = shown.found.value.sample
    if sample is None:
        raise NotFoundError(f"the atlas {shown.name} has no samples: it is an atlas of {shown.kind}")
    jpeg = sample.pictures.get(item)
    if jpeg is None:
        raise NotFoundError(f"no sample {item} on this map")
    return jpeg, JPEG


def _sample_of(shown: ServedAtlas) -> ActivationSample:
    sample = shown.found.value.sample
    assert sample is not None
    return sample


def _place(sample: ActivationSample, item: int) -> dict[str, Any]:
    """Return the columns of a sample but its activation."""
    (row,) = sample.places.slice(item, 1).to_pylist()
    return row


def _sample_picture_address(shown: ServedAtlas, item: int) -> str:
    return f"{shown.address}/samples/{item}/picture?v={shown.version}"

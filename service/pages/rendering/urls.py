"""Where the pages are: the addresses that templates link to, and the filters in them."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from ...paths import class_address


def store_url(store: str) -> str:
    """Return the overview."""
    return f"/stores/{_part(store)}"


def layer_url(store: str, layer: str, **query: object) -> str:
    """Return the units of a layer."""
    return _with(f"{store_url(store)}/layers/{_part(layer)}", query)


def unit_url(store: str, layer: str, unit: int, **query: object) -> str:
    """Return one unit."""
    return _with(f"{store_url(store)}/units/{_part(layer)}/{unit}", query)


def image_url(store: str, image_id: int, **query: object) -> str:
    """Return one image."""
    return _with(f"{store_url(store)}/images/{image_id}", query)


def images_url(store: str, **query: object) -> str:
    """Return the images that a filter keeps."""
    return _with(f"{store_url(store)}/images", query)


def atlas_url(store: str, atlas: str, **query: object) -> str:
    """Return an atlas, by its name: `umap`, or one of a layer's own, `units:features.10`."""
    return _with(f"{store_url(store)}/atlas/{_part(atlas)}", query)


def region_url(store: str, atlas: str, **query: object) -> str:
    """Return a region of an atlas."""
    return _with(f"{store_url(store)}/atlas/{_part(atlas)}/region", query)


def class_url(store: str, label: str, **query: object) -> str:
    """Return one class, by its label."""
    return _with(f"{store_url(store)}/{class_address(label)}", query)


def neighbors_url(store: str, **query: object) -> str:
    """Return what is like an image."""
    return _with(f"{store_url(store)}/neighbors", query)


def label_is(label: str) -> str:
    """Return the filter that keeps the images of a class."""
    return "label = '" + label.replace("'", "''") + "'"


def taken_for(label: str, predicted: int, *, several: bool = False) -> str:
    """Return the filter that keeps the images of one class that are predicted as another.

    several: whether images have several labels; without those that are of the other class too.
    """
    found = f"{label_is(label)} and predicted = {predicted}"
    return f"{found} and label_index != {predicted}" if several else found


def changed(query: Mapping[str, object], **changes: object) -> str:
    """Return the query of a page with some parameters changed; those that are None, False or empty are left out."""
    return _with("", {**query, **changes}) or "?"


def _with(address: str, query: Mapping[str, object]) -> str:
    kept = {
        name: "true" if value is True else value
        for name, value in query.items()
        if value is not None and value is not False and value != ""
    }
    joined = "&" if "?" in address else "?"
    return f"{address}{joined}{urlencode(kept, quote_via=quote)}" if kept else address


def _part(text: str) -> str:
    return quote(text, safe="")

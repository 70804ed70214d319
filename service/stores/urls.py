"""Addresses of the API."""

from urllib.parse import quote

from ...common.errors import UsageError
from ...common.frame import Box
from .registry import ServedStore
from .versioned import VERSION_LETTERS

BOX_PATTERN = r"^-?[0-9]{1,9}(,-?[0-9]{1,9}){3}$"
"""x0,y0,x1,y1 in whole pixels."""


def version(served: ServedStore) -> str:
    """Return what `v=` holds in the addresses of pictures: a browser may keep those of one version for good."""
    return served.hash[:VERSION_LETTERS]


def address(served: ServedStore) -> str:
    """Return where the API answers for a store."""
    return served.address


def atlas_address(served: ServedStore, name: str) -> str:
    """Return where the API answers for an atlas."""
    return f"{served.address}/atlases/{quote(name, safe='')}"


def pixels_address(served: ServedStore, image_id: int) -> str:
    """Return where an image's own file is."""
    return f"{served.images}/{image_id}/pixels?{served.versioned}"


def thumb_address(served: ServedStore, image_id: int) -> str:
    """Return where a small picture of an image is."""
    return f"{served.images}/{image_id}/thumb?{served.versioned}"


def crop_address(served: ServedStore, image_id: int, box: Box) -> str:
    """Return where a box of an image is shown."""
    x0, y0, x1, y1 = box
    return f"{served.images}/{image_id}/crop?box={x0},{y0},{x1},{y1}&{served.versioned}"


def patch_picture_address(served: ServedStore, layer: str, unit: int, rank: int) -> str:
    """Return where the view of one of a unit's strongest patches is; rank from 1."""
    of_unit = f"{address(served)}/layers/{quote(layer, safe='')}/units/{unit}"
    return f"{of_unit}/patches/{rank}/picture?{served.versioned}"


def parse_box(text: str) -> Box:
    """Return the box of a text that BOX_PATTERN describes. Raises UsageError for an empty one."""
    x0, y0, x1, y1 = map(int, text.split(","))
    if x1 <= x0 or y1 <= y0:
        raise UsageError(f"box={text!r} is empty: x1 must be more than x0, and y1 more than y0")
    return x0, y0, x1, y1

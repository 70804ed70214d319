"""What every answer tells of the images it shows, kept: of the images that people look at some are in most answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..stores.registry import ServedStore
from .stores import fact_columns, image_facts

_BYTES = 900
"""Of what is kept of an image, besides its uri."""


class Shown(NamedTuple):
    """facts: the fields of `ImageFacts`, not to be changed. width, height: in pixels, None where it failed."""

    facts: dict[str, Any]
    width: int | None
    height: int | None


def read_ahead(served: ServedStore) -> None:
    """Read what is told of images, where that is not too much."""
    served.store.hold_images(_columns(served))


def _columns(served: ServedStore) -> tuple[str, ...]:
    return (*fact_columns(served.store), "width", "height")


def shown(served: ServedStore, ids: Sequence[int]) -> list[Shown]:
    """Return those of some images. Raises UsageError for an id that is none."""
    known = served.shown.held_all(ids)
    missing = [image_id for image_id, one in zip(ids, known, strict=True) if one is None]
    if not missing:
        return known
    rows = served.store.images_at(missing, _columns(served))
    made = {row["image_id"]: Shown(image_facts(served, row), row["width"], row["height"]) for row in rows}
    served.shown.keep_all((image_id, one, _BYTES + len(one.facts["uri"])) for image_id, one in made.items())
    return [made[image_id] if one is None else one for image_id, one in zip(ids, known, strict=True)]

"""What a person types into the header of a page, as the address of a page: a unit, an image, a class, a layer."""

import re
from collections.abc import Mapping

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from ..queries import stores as store_queries
from ..stores.registry import ServedStore
from .rendering.page import page
from .rendering.sections import given
from .rendering.urls import class_url, image_url, layer_url, unit_url

_IMAGE = re.compile(r"(?:image|img|#)\s*#?([0-9]{1,16})", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}")
_SEPARATORS = re.compile(r"[\s/,]+")
_FILLERS = frozenset({"unit", "of", "layer", "in"})
_OFFERED = 40


def go(request: Request, served: ServedStore, typed: str, at: str | None) -> Response:
    """Return the page that was meant, or one that offers what it may have been. at: the layer at hand."""
    typed = typed.strip()
    address = (
        _image(served, typed) or _unit(served, typed, at) or _class(served, typed) or _file(served, typed)
    )
    if address:
        return RedirectResponse(address, 303)
    number = _number(typed)
    layers = [row for row in served.store.layers if number is not None and number < row.units]
    classes = [name for name in _class_names(served) if typed and typed.casefold() in name.casefold()]
    return page(
        request,
        "go.html",
        status=200 if layers or classes else 404,
        **given(served),
        typed=typed,
        number=number,
        layers=layers,
        classes=classes[:_OFFERED],
        image=number if number is not None and number < served.store.images_count else None,
        first=served.store.layers[0].layer,
    )


def _image(served: ServedStore, typed: str) -> str | None:
    named = _IMAGE.fullmatch(typed)
    if named is None:
        return None
    store_queries.check_image(served.store, int(named[1]))
    return image_url(served.name, int(named[1]))


def _unit(served: ServedStore, typed: str, at: str | None) -> str | None:
    """Return a layer and a number, a number in the layer at hand, or a layer."""
    units = {row.layer: row.units for row in served.store.layers}
    named, rest = _named_layer(typed, units)
    words = [word for word in _SEPARATORS.split(rest) if word and word.lower() not in _FILLERS]
    if named is not None and not words:
        return layer_url(served.name, named)
    layer = at if named is None else named
    if len(words) != 1 or not _NUMBER.fullmatch(words[0]) or layer not in units:
        return None
    number = int(words[0])
    return unit_url(served.name, layer, number) if named is not None or number < units[layer] else None


def _named_layer(typed: str, units: Mapping[str, int]) -> tuple[str | None, str]:
    """Return the layer that the text names, the one with the longest name, and the rest of the text.

    A layer may be called `0`, and a name may hold spaces and slashes.
    """
    for name in sorted(units, key=len, reverse=True):
        found = re.search(rf"(?:^|[\s/,]){re.escape(name)}(?=$|[\s/,])", typed)
        if found:
            return name, f"{typed[: found.start()]} {typed[found.end() :]}"
    return None, typed


def _class(served: ServedStore, typed: str) -> str | None:
    """Find by the dataset's label or by the model's name, in any case of its letters where one alone is meant."""
    labels = _class_names(served)
    if typed in labels:
        return class_url(served.name, labels[typed])
    alike = {label for name, label in labels.items() if name.casefold() == typed.casefold()}
    return class_url(served.name, alike.pop()) if len(alike) == 1 else None


def _class_names(served: ServedStore) -> dict[str, str]:
    """Return every name of a class → its label."""
    rows = served.analysis.classes.rows()
    names = {served.store.class_name(row.label_index): row.label for row in reversed(rows)}
    return {name: label for name, label in names.items() if name} | {row.label: row.label for row in rows}


def _file(served: ServedStore, typed: str) -> str | None:
    """Return an image by its path in the dataset."""
    found = served.store.find_image(typed) if typed else None
    return None if found is None else image_url(served.name, found)


def _number(typed: str) -> int | None:
    """Read that of "unit 17" or "17"."""
    words = [word for word in _SEPARATORS.split(typed) if word.lower() not in _FILLERS]
    return int(words[0]) if len(words) == 1 and _NUMBER.fullmatch(words[0]) else None

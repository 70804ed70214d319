"""`unitscope top STORE LAYER UNIT`: the strongest patches of a unit, among all images or those of a filter."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from .. import argument_types as values
from ..command import JSON, Command, argument
from ..output import Column, count, print_json, print_lines, print_table
from ..provenance import print_notes, provenance
from .image_rows import image_rows, label_cell, predicted_cell

if TYPE_CHECKING:
    from ...index.store.store import Store
    from ...index.store.units import Patch, UnitRow

_IMAGE_COLUMNS = ("uri", "width", "height", "label", "label_index", "predicted", "probability", "loss")


def run(arguments: Namespace) -> int:
    """Print the patches."""
    from ...index.store.store import Store

    store = Store.open(arguments.store)
    patches = store.top(arguments.layer, arguments.unit, k=arguments.k, where=arguments.where)
    rows = _rows(store, patches)
    if arguments.json:
        print_json(_json(store, arguments, rows))
    else:
        _print(store, arguments, rows)
    return 0


def _rows(store: "Store", patches: "list[Patch]") -> list[dict[str, Any]]:
    """Return each patch with what is known of its image; boxes are (x0, y0, x1, y1) in the original image's pixels."""
    images = image_rows(store, [patch.image_id for patch in patches], _IMAGE_COLUMNS)
    return [
        {"rank": rank, **patch._asdict(), **image}
        for rank, (patch, image) in enumerate(zip(patches, images, strict=True), start=1)
    ]


def _json(store: "Store", arguments: Namespace, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "store": arguments.store,
        **provenance(store.manifest),
        "layer": arguments.layer,
        "unit": arguments.unit,
        "where": arguments.where,
        "patches": rows,
    }


_COLUMNS = (
    Column("#", right=True),
    Column("value", right=True),
    Column("image", right=True),
    Column("y, x", right=True),
    Column("patch (x0, y0, x1, y1)"),
    Column("label"),
    Column("predicted"),
    Column("uri"),
)


def _print(store: "Store", arguments: Namespace, rows: list[dict[str, Any]]) -> None:
    unit = store.unit(arguments.layer, arguments.unit)
    print_lines(f"{unit.layer} unit {unit.unit}: {_summary(unit)}")
    if arguments.where:
        print_lines(f"images where {arguments.where}")
    print_notes(store.manifest)
    print_lines("")
    if not rows:
        print_lines("No image matches this filter." if arguments.where else "No image was swept.")
        return
    print_table(_COLUMNS, [_cells(row) for row in rows])


def _summary(unit: "UnitRow") -> str:
    if unit.mean is None or unit.max is None or unit.active is None:
        return (
            f"no finite value in any of {count(unit.images, 'images')}"
            if unit.images
            else "no image has a value"
        )
    known = unit.images - unit.nonfinite
    others = f"; {count(unit.nonfinite, 'images')} without a finite value" if unit.nonfinite else ""
    return (
        f"activates for {unit.active:.1%} of {count(known, 'images')}, mean activation {unit.mean:.4g}, "
        f"max {unit.max:.4g}{others}"
    )


def _cells(row: dict[str, Any]) -> list[object]:
    return [
        row["rank"],
        row["value"],
        row["image_id"],
        f"{row['y']}, {row['x']}",
        ", ".join(map(str, row["view"])),
        label_cell(row),
        predicted_cell(row),
        row["uri"],
    ]


COMMAND = Command(
    name="top",
    summary="list the strongest patches of a unit",
    description=(
        "Lists the patches of the dataset that activate a unit most: value, image, position and box.\n"
        "`unitscope layers` lists the layers; units are counted from 0."
    ),
    arguments=(
        argument("STORE", help="a finished store"),
        argument("LAYER", help="a layer of the store"),
        argument("UNIT", type=values.whole(0), help="the unit's number, from 0"),
        argument(
            "-k", metavar="K", type=values.whole(1), default=9, help="how many patches (default: %(default)s)"
        ),
        argument(
            "--where",
            metavar="FILTER",
            help="only images that match, as in \"label = 'cat' and not correct\"",
        ),
        JSON,
    ),
    run=run,
)

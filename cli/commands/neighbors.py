"""`unitscope neighbors STORE IMAGE`: the images whose features are nearest to an image's."""

from argparse import Namespace
from typing import Any

from .. import argument_types as values
from ..command import JSON, TRUST_MODEL, Command, argument
from ..output import Column, print_json, print_lines, print_table
from ..provenance import print_notes, provenance
from .image_rows import image_rows, label_cell, predicted_cell
from .index import METRIC

_IMAGE_COLUMNS = ("uri", "label", "predicted", "probability")


def run(arguments: Namespace) -> int:
    """Print the neighbours."""
    from ...index.store.store import Store
    from ...index.store.trust import Trust
    from ...jobs.build.neighbors import neighbors

    store = Store.open(arguments.store, trust=Trust(model=arguments.trust_model))
    found = neighbors(
        store,
        arguments.image,
        k=arguments.k,
        metric=arguments.metric,
        where=arguments.where,
        exact=arguments.exact,
    )
    images = image_rows(store, list(found.image_ids), _IMAGE_COLUMNS)
    rows: list[dict[str, Any]] = [
        {"rank": rank, "image_id": image_id, "distance": distance, **image}
        for rank, (image_id, distance, image) in enumerate(
            zip(found.image_ids, found.distances, images, strict=True), start=1
        )
    ]
    if arguments.json:
        print_json(
            {
                "store": arguments.store,
                **provenance(store.manifest),
                "image": arguments.image,
                "metric": arguments.metric,
                "where": arguments.where,
                "exact": found.exact,
                "neighbors": rows,
            }
        )
        return 0
    how = "exact search" if found.exact else "approximate index"
    print_lines(f"nearest to {arguments.image} by {arguments.metric} distance of features ({how})")
    print_notes(store.manifest)
    print_lines("")
    print_table(_COLUMNS, [_cells(row) for row in rows])
    return 0


_COLUMNS = (
    Column("#", right=True),
    Column("distance", right=True),
    Column("image", right=True),
    Column("label"),
    Column("predicted"),
    Column("uri"),
)


def _cells(row: dict[str, Any]) -> list[object]:
    return [
        row["rank"],
        float(row["distance"]),
        row["image_id"],
        label_cell(row),
        predicted_cell(row),
        row["uri"],
    ]


COMMAND = Command(
    name="neighbors",
    summary="the images whose features are most similar to an image's",
    description="Lists the nearest neighbours of IMAGE in feature space. The image itself is excluded.",
    arguments=(
        argument("STORE", help="a finished store"),
        argument(
            "IMAGE",
            type=values.image,
            help="an image id of the store, or an image file (./12 for a file named 12)",
        ),
        argument("-k", metavar="K", type=values.whole(1), default=10, help="how many (default: %(default)s)"),
        argument("--where", metavar="FILTER", help="only images that match"),
        METRIC,
        argument("--exact", action="store_true", help="compare with every image, without the index"),
        TRUST_MODEL,
        JSON,
    ),
    run=run,
)

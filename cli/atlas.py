"""`unitscope atlas STORE`: a 2-D map of the dataset from its features, and the grid with one image per cell."""

from argparse import Namespace

from .output import print_json, print_lines
from .progress import show_progress
from .verb import JSON, Verb, argument

METHODS = ("umap", "tsne", "pca")


def run(arguments: Namespace) -> int:
    """Builds the atlas and prints where it is."""
    from ..jobs.build_atlas import build_atlas

    with show_progress() as progress:
        report = build_atlas(arguments.store, method=arguments.method, progress=progress)
    if arguments.json:
        print_json({"store": arguments.store, "method": arguments.method, **vars(report)})
    else:
        print_lines(f"{arguments.store}/atlas/{arguments.method}: {report}")
    return 0


VERB = Verb(
    name="atlas",
    summary="the map of the dataset, and its grid",
    description=(
        "Maps the images of STORE to the plane by their features.\n"
        "STORE/atlas may be deleted: it can always be built again."
    ),
    arguments=(
        argument("STORE", help="a finished store"),
        argument("--method", choices=METHODS, default="umap", help="how to project (default: %(default)s)"),
        JSON,
    ),
    run=run,
    resume="Nothing half-made is left behind; this starts again:",
)

"""`unitscope index STORE`: the FAISS index over the features, with its measured recall."""

from argparse import Namespace

from ..command import JSON, Command, argument
from ..output import count, duration, print_json, print_lines
from ..progress import show_progress

METRICS = ("l2", "cosine")


def run(arguments: Namespace) -> int:
    """Build the index and prints what it is worth."""
    from ...jobs.build.index import build_index

    with show_progress() as progress:
        built = build_index(
            arguments.store, metric=arguments.metric, pixels=not arguments.no_pixels, progress=progress
        )
    report = built.ann
    if arguments.json:
        graph = {"neighbours": built.neighbours, "graph_recall": built.graph_recall}
        print_json({"store": arguments.store, "metric": arguments.metric, **vars(report), **graph})
        return 0
    print_lines(
        f"{arguments.store}/ann: {report.kind} index of {count(report.rows, 'images')}, {arguments.metric} distance, "
        f"built in {duration(report.seconds)}"
    )
    if report.kind == "flat":
        print_lines("Every search is exact: for so few images that takes about a millisecond.")
    else:
        print_lines(
            f"recall@10 against exact search: {report.recall:.4f}, over {count(report.queries, 'queries')}"
        )
    print_lines(
        f"{arguments.store}/knn: the {count(built.neighbours, 'nearest images')} of each; recall "
        f"{built.graph_recall:.4f}"
    )
    if report.left_out:
        print_lines(f"{count(report.left_out, 'images')} left out: their features are not finite.")
    return 0


METRIC = argument(
    "--metric", choices=METRICS, default="l2", help="the distance between features (default: %(default)s)"
)
"""Shared with `neighbors`."""

COMMAND = Command(
    name="index",
    summary="build the index for nearest neighbours, and measure its recall",
    description=(
        "Builds the index over the features of STORE, in place of one that is there, and looks up the nearest\n"
        "images of every image, which the service then knows.\n"
        "STORE/ann, STORE/knn and STORE/pixels may be deleted: they can always be built again."
    ),
    arguments=(
        argument("STORE", help="a finished store"),
        METRIC,
        argument(
            "--no-pixels",
            action="store_true",
            help="do not build the second index, over thumbnails, for neighbours in pixel space",
        ),
        JSON,
    ),
    run=run,
    resume="Nothing half-made is left behind; this starts again:",
)

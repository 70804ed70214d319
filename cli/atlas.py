"""`unitscope atlas STORE`: a 2-D map of the dataset from its features, and the grid with one image per cell."""

from argparse import Namespace
from typing import Any

from .output import count, print_json, print_lines
from .progress import show_progress
from .values import whole
from .verb import JSON, Verb, argument

METHODS = ("umap", "tsne", "pca")


def run(arguments: Namespace) -> int:
    """Builds the atlas, and prints where it is and how far to trust it."""
    from ..index.projection import MapOptions
    from ..jobs.build_atlas import build_atlas

    given = {"neighbours": arguments.neighbours, "sample": arguments.sample}
    options = MapOptions(
        arguments.method,
        arguments.seed,
        arguments.fast,
        **{name: value for name, value in given.items() if value is not None},
    )
    with show_progress() as progress:
        report = build_atlas(arguments.store, options, name=arguments.name, progress=progress)
    if arguments.json:
        print_json({"store": arguments.store, "method": arguments.method, **vars(report)})
        return 0
    print_lines(f"{arguments.store}/atlas/{report.name}: {report}")
    print_lines(*_made(report.settings), *_trusted(report.quality))
    return 0


def _made(settings: dict[str, Any]) -> list[str]:
    lines = []
    if "explained" in settings:
        shares = " and ".join(f"{share:.1%}" for share in settings["explained"])
        lines.append(f"the axes explain {shares or 'nothing'} of the features' variance")
    if "neighbours" in settings:
        lines.append(
            f"from {count(settings['neighbours'], 'neighbours')} of each image; {settings['recall']:.4f} of those that "
            "are stored are the true nearest"
        )
    if "placed" in settings:
        laid, placed = count(settings["sample"], "images"), count(settings["placed"], "images")
        lines.append(f"{laid} laid out, {placed} placed among them by their neighbours")
    if settings["fast"]:
        again = (
            "the same seed gives the same map" if settings["reproducible"] else "no seed gives this map again"
        )
        lines.append(f"made fast: an approximation; {again}")
    return lines


def _trusted(quality: dict[str, Any]) -> list[str]:
    figures = [
        f"{name.replace('_', ' ')} {value:.3f}" for name, value in quality.items() if isinstance(value, float)
    ]
    measured = f"measured on {count(quality['sample'], 'images')} with {quality['k']} neighbours"
    return [f"{', '.join(figures)} ({measured})"] if figures else []


VERB = Verb(
    name="atlas",
    summary="the map of the dataset, and its grid",
    description=(
        "Maps the images of STORE to the plane by their features.\n"
        "STORE/atlas and STORE/knn may be deleted: they can always be built again."
    ),
    arguments=(
        argument("STORE", help="a finished store"),
        argument("--method", choices=METHODS, default="umap", help="how to project (default: %(default)s)"),
        argument("--name", metavar="NAME", help="STORE/atlas/NAME is written (default: the method)"),
        argument(
            "--seed",
            type=whole(0, 2**32 - 1),
            default=0,
            help="the same gives the same map (default: %(default)s)",
        ),
        argument(
            "--fast",
            action="store_true",
            help="sooner: t-SNE by fewer neighbours, UMAP by threads that race, which no seed repeats",
        ),
        argument(
            "--neighbours",
            type=whole(2, 90),
            metavar="K",
            help="of each image that count, at most 90 (default: 15; for t-SNE 90, a perplexity of 30)",
        ),
        argument(
            "--sample",
            type=whole(100),
            metavar="N",
            help="lay out at most N images, and place the others among them (default: 1000000)",
        ),
        JSON,
    ),
    run=run,
    resume="Nothing half-made is left behind; this starts again:",
)

"""`unitscope atlas STORE`: a 2-D map of the dataset from its features, of a layer's units, or of its activations."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ..common.errors import UsageError
from ..common.progress import Progress
from .argument_types import named, whole
from .command import JSON, TRUST_DATA, TRUST_MODEL, Verb, argument
from .output import count, print_json, print_lines
from .progress import show_progress

if TYPE_CHECKING:
    from ..index.projection.projection import MapOptions
    from ..jobs.build.atlas import AtlasReport

METHODS = ("umap", "tsne", "pca")


def run(arguments: Namespace) -> int:
    """Builds the atlas, and prints where it is and how far to trust it."""
    from ..index.projection.projection import MapOptions

    _check(arguments)
    given = {"neighbours": arguments.neighbours, "sample": arguments.sample}
    options = MapOptions(
        arguments.method,
        arguments.seed,
        arguments.fast,
        **{name: value for name, value in given.items() if value is not None},
    )
    with show_progress() as progress:
        report = _build(arguments, options, progress)
    if arguments.json:
        print_json({"store": arguments.store, "method": arguments.method, **vars(report)})
        return 0
    print_lines(f"{_place(arguments, report.name)}: {report}")
    print_lines(*_made(report.settings, report.items), *_trusted(report.quality, report.items))
    return 0


def _check(arguments: Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    own = "--units" if arguments.units else "--activations" if arguments.activations else None
    if own and arguments.name:
        raise UsageError(f"--name {arguments.name}: a layer has one atlas by {own}; leave the name out")
    if own == "--units" and arguments.sample:
        raise UsageError(f"--sample {arguments.sample}: with --units all units are laid out; leave it out")
    if arguments.positions and not arguments.activations:
        raise UsageError(f"--positions {arguments.positions}: only with --activations LAYER")
    if own and arguments.workers:
        raise UsageError(
            f"--workers {arguments.workers}: with {own} this process draws the tiles; leave it out"
        )
    if arguments.ray_address and not arguments.workers:
        raise UsageError(f"--ray-address {arguments.ray_address}: only with --workers, of at least 1")


def _build(arguments: Namespace, options: "MapOptions", progress: Progress) -> "AtlasReport":
    if arguments.units:
        from ..jobs.build.units_atlas import build_units_atlas

        return build_units_atlas(arguments.store, arguments.units, options, progress=progress)
    if arguments.activations:
        from ..index.store.trust import Trust
        from ..jobs.build.activation_atlas import POSITIONS, build_activation_atlas

        positions = arguments.positions or POSITIONS
        trust = Trust(arguments.trust_model, arguments.trust_data)
        return build_activation_atlas(
            arguments.store,
            arguments.activations,
            options,
            positions=positions,
            trust=trust,
            progress=progress,
        )
    from ..jobs.build.atlas import build_atlas

    return build_atlas(
        arguments.store,
        options,
        name=arguments.name,
        layer=arguments.layer,
        workers=arguments.workers,
        ray_address=arguments.ray_address,
        progress=progress,
    )


def _place(arguments: Namespace, name: str) -> str:
    from ..index.storage.layer_names import folder_name

    own = arguments.units or arguments.activations
    return (
        f"{arguments.store}/by_layer/{folder_name(own)}/atlas/{name}"
        if own
        else f"{arguments.store}/atlas/{name}"
    )


def _made(settings: dict[str, Any], items: str) -> list[str]:
    lines = []
    if "layer" in settings:
        lines.append(f"of the layer {settings['layer']}")
    if "left_out" in settings:
        lines.append(
            f"{count(settings['left_out'], items)} left out, for their features are no finite numbers"
        )
    if "correlated_over" in settings:
        lines.append(
            f"correlated over {count(settings['correlated_over'], 'images')}; "
            f"{count(settings['dead'], 'dead units')} and {settings['constant']:,} constant ones lie under the map"
        )
    if "nonfinite" in settings:
        lines.append(
            f"{count(settings['nonfinite'], 'units')} under it too, for some of their maxima are no finite numbers"
        )
    if "cells" in settings:
        lines.append(
            "each cell is the mean of the activations in it, shown by the patch among them whose activation is nearest"
        )
    if "explained" in settings:
        shares = " and ".join(f"{share:.1%}" for share in settings["explained"])
        lines.append(f"the axes explain {shares or 'nothing'} of the features' variance")
    if "neighbours" in settings:
        lines.append(
            f"from {count(settings['neighbours'], 'neighbours')} of each of the {items}; {settings['recall']:.4f} of "
            "those that are stored are the true nearest"
        )
    if "placed" in settings:
        laid, placed = count(settings["sample"], items), count(settings["placed"], items)
        lines.append(f"{laid} laid out, {placed} placed among them by their neighbours")
    if settings["fast"]:
        again = "" if settings["reproducible"] else "; no seed gives this map again"
        lines.append(f"made fast: an approximation{again}")
    return lines


def _trusted(quality: dict[str, Any], items: str) -> list[str]:
    figures = [
        f"{name.replace('_', ' ')} {value:.3f}" for name, value in quality.items() if isinstance(value, float)
    ]
    measured = f"measured on {count(quality['sample'], items)} with {quality['k']} neighbours"
    return [f"{', '.join(figures)} ({measured})"] if figures else []


VERB = Verb(
    name="atlas",
    summary="the map of the dataset, of a layer's units or of its activations, and its grid",
    description=(
        "Maps the images of STORE to the plane by their features, or a layer's units by how they fire, or a layer's\n"
        "activations at single positions.\n"
        "STORE/atlas, STORE/knn and STORE/by_layer may be deleted: they can always be built again."
    ),
    arguments=(
        argument("STORE", help="a finished store"),
        argument("--method", choices=METHODS, default="umap", help="how to project (default: %(default)s)"),
        argument(
            "--layer",
            type=named,
            metavar="LAYER",
            group="source",
            help="map the images by the mean of this layer, which `unitscope sweep --atlas-layers` kept",
        ),
        argument(
            "--units",
            type=named,
            metavar="LAYER",
            group="source",
            help="map the units of this layer, by how they fire over the dataset",
        ),
        argument(
            "--activations",
            type=named,
            metavar="LAYER",
            group="source",
            help="map this layer's activations at single positions of the images, averaged over a grid",
        ),
        argument(
            "--positions",
            type=whole(1),
            metavar="N",
            help="for --activations: sample at most N, each in another image (default: 100000)",
        ),
        TRUST_MODEL,
        TRUST_DATA,
        argument(
            "--name",
            type=named,
            metavar="NAME",
            help="STORE/atlas/NAME is written (default: the method, after the layer of --layer)",
        ),
        argument(
            "--seed",
            type=whole(0, 2**32 - 1),
            default=0,
            help="the same gives the same map (default: %(default)s)",
        ),
        argument(
            "--fast",
            action="store_true",
            help="sooner: t-SNE by fewer neighbours on a coarser grid, UMAP by fewer epochs",
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
        argument(
            "--workers",
            type=whole(0),
            default=0,
            metavar="N",
            help="Ray workers that draw the tiles, the same bytes for any number; 0 draws them in this process "
            "(default: %(default)s)",
        ),
        argument("--ray-address", metavar="ADDRESS", help="of a Ray cluster, with --workers"),
        JSON,
    ),
    run=run,
    resume="Nothing half-made is left behind; this starts again:",
)

"""`unitscope atlas STORE`: a 2-D map of the dataset from its features, of a layer's units, or of its activations."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ...common.errors import UsageError
from ...common.progress import Progress
from ..argument_types import named, whole
from ..command import JSON, TRUST_DATA, TRUST_MODEL, Command, argument
from ..output import count, print_json, print_lines
from ..progress import show_progress

if TYPE_CHECKING:
    from ...index.projection.projection import MapOptions
    from ...jobs.build.atlas import AtlasReport

METHODS = ("umap", "tsne", "pca")


def run(arguments: Namespace) -> int:
    """Build the atlas, and prints where it is and how far to trust it."""
    from ...index.projection.projection import MapOptions

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
    """Raise UsageError for options that do not go together."""
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
        from ...jobs.build.units_atlas import build_units_atlas

        return build_units_atlas(arguments.store, arguments.units, options, progress=progress)
    if arguments.activations:
        from ...index.store.trust import Trust
        from ...jobs.build.activation_atlas import POSITIONS, build_activation_atlas

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
    from ...jobs.build.atlas import build_atlas

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
    from ...index.storage.layer_names import folder_name

    own = arguments.units or arguments.activations
    return (
        f"{arguments.store}/by_layer/{folder_name(own)}/atlas/{name}"
        if own
        else f"{arguments.store}/atlas/{name}"
    )


_BELOW = ("dead", "constant")
"""Units that have rows of their own below a map of units."""
_QUALITY = {
    "trustworthiness": "trustworthiness",
    "preserved": "neighbours kept",
    "label_accuracy": "kNN label accuracy on the map",
    "label_accuracy_features": "in feature space",
}


def _made(settings: dict[str, Any], items: str) -> list[str]:
    lines = []
    if "layer" in settings:
        lines.append(f"of the layer {settings['layer']}")
    if "left_out" in settings:
        lines.append(f"{count(settings['left_out'], items)} left out: their features are not finite")
    if "correlated_over" in settings:
        lines.append(
            ", ".join(
                [
                    f"correlated over {count(settings['correlated_over'], 'images')}",
                    *(
                        f"{count(settings[name], f'{name} units')} below the map"
                        for name in _BELOW
                        if settings[name]
                    ),
                ]
            )
        )
    if "nonfinite" in settings:
        lines.append(
            f"{count(settings['nonfinite'], 'units')} below the map, as some of their activations are not finite"
        )
    if "cells" in settings:
        lines.append(
            "each cell is the mean of its activations, drawn as the patch whose activation is nearest to it"
        )
    if "explained" in settings:
        shares = " and ".join(f"{share:.1%}" for share in settings["explained"])
        lines.append(f"the axes explain {shares or 'nothing'} of the features' variance")
    if "neighbours" in settings:
        lines.append(
            f"from {count(settings['neighbours'], 'neighbours')} of each of the {items}; recall of the stored ones "
            f"{settings['recall']:.4f}"
        )
    if "placed" in settings:
        laid, placed = count(settings["sample"], items), count(settings["placed"], items)
        lines.append(f"{laid} projected, {placed} placed by their neighbours")
    if settings["fast"]:
        again = "" if settings["reproducible"] else "; not reproducible from a seed"
        lines.append(f"fast: an approximation{again}")
    return lines


def _trusted(quality: dict[str, Any], items: str) -> list[str]:
    figures = [
        f"{words} {value:.3f}"
        for name, words in _QUALITY.items()
        if isinstance(value := quality.get(name), float)
    ]
    measured = f"measured on {count(quality['sample'], items)} with {quality['k']} neighbours"
    return [f"{', '.join(figures)} ({measured})"] if figures else []


COMMAND = Command(
    name="atlas",
    summary="build a map of the dataset, of a layer's units or of its activations",
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
            help="map the units of this layer, by the correlation of their activations over the dataset",
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
            help="for --activations: sample at most N positions, one per image (default: 100000)",
        ),
        TRUST_MODEL,
        TRUST_DATA,
        argument(
            "--name",
            type=named,
            metavar="NAME",
            help="write STORE/atlas/NAME (default: the method, after the layer of --layer)",
        ),
        argument(
            "--seed",
            type=whole(0, 2**32 - 1),
            default=0,
            help="random seed; the same seed gives the same map (default: %(default)s)",
        ),
        argument(
            "--fast",
            action="store_true",
            help="faster and approximate: t-SNE with fewer neighbours on a coarser grid, UMAP with fewer epochs",
        ),
        argument(
            "--neighbours",
            type=whole(2, 90),
            metavar="K",
            help="neighbours of each image to use, at most 90 (default: 15; for t-SNE 90, a perplexity of 30)",
        ),
        argument(
            "--sample",
            type=whole(100),
            metavar="N",
            help="project at most N images, and place the others by their neighbours (default: 1000000)",
        ),
        argument(
            "--workers",
            type=whole(0),
            default=0,
            metavar="N",
            help="Ray workers that draw the tiles; 0 draws them in this process (default: %(default)s)",
        ),
        argument("--ray-address", metavar="ADDRESS", help="address of a Ray cluster, with --workers"),
        JSON,
    ),
    run=run,
    resume="Nothing half-made is left behind; this starts again:",
)

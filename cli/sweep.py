"""`unitscope sweep DATA STORE --model SPEC`: plan, sweep, merge. Run again, it goes on where it stopped."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ..common.task_names import FORMS, TASKS
from . import argument_types as values
from .command import JSON, Command, argument
from .layers import MODEL_FORMS
from .output import Column, count, duration, print_json, print_lines, print_table, rate, size
from .progress import show_progress
from .provenance import print_notes, provenance

if TYPE_CHECKING:
    from ..index.format.manifest import Manifest
    from ..jobs.planning.config import SweepConfig
    from ..jobs.sweep.estimate import Estimate
    from ..jobs.sweep.run import SweepReport


def run(arguments: Namespace) -> int:
    """Sweep, or says what a sweep would do."""
    from ..index.datasets.selection import expand
    from ..jobs.planning.arguments import check_arguments
    from ..jobs.planning.config import SweepConfig

    data, select = expand(arguments.data)
    settings: dict[str, Any] = {name: getattr(arguments, name) for name in _SETTINGS}
    settings |= {"data": data, "select": select}
    config = SweepConfig(**settings)
    check_arguments(config)
    return _dry_run(config, arguments) if arguments.dry_run else _sweep(config, arguments)


def _sweep(config: "SweepConfig", arguments: Namespace) -> int:
    from ..index.format.manifest import Manifest
    from ..index.storage.folder import Folder
    from ..jobs.sweep.run import sweep

    with show_progress() as progress:
        report = sweep(config, progress=progress)
    manifest = Manifest.read(Folder.confined(report.store))
    if arguments.json:
        print_json({**vars(report), **provenance(manifest), "read": _read(manifest)})
    else:
        _print_report(report, _read(manifest))
        print_notes(manifest)
    return 0


def _read(manifest: "Manifest") -> dict[str, Any]:
    """Return what the dataset and the network were read as. Stores of older releases say less."""
    facts, feature = manifest.dataset.get("labels_read") or {}, manifest.model.get("feature") or {}
    return {
        "dataset": manifest.dataset.get("path"),
        "select": manifest.dataset.get("select"),
        "labelled": facts.get("labelled"),
        "labels": facts.get("distinct"),
        "labels_that_are_classes": facts.get("known"),
        "label_rule": manifest.labels,
        "passed_over": manifest.dataset.get("passed_over") or {},
        "output": manifest.model.get("output"),
        "feature": feature,
        "notes": manifest.model.get("notes") or [],
    }


def _print_report(report: "SweepReport", read: dict[str, Any]) -> None:
    failed = sum(report.errors.values())
    output, feature = read["output"] or {}, read["feature"]
    if not report.swept and not report.seconds:
        print_lines(f"{report.store} is already finished.")
    print_lines(
        f"{report.store}: {count(report.images, 'images')}, {count(report.units, 'units')} in "
        f"{count(report.layers, 'layers')}"
    )
    if failed:
        by_status = ", ".join(
            f"{number:,} {status}" for status, number in sorted(report.errors.items()) if number
        )
        print_lines(f"{count(failed, 'images')} failed ({by_status}); errors.parquet says why.")
    if read["labels"]:
        known = read["labels_that_are_classes"]
        print_lines(
            f"{known:,} of {count(read['labels'], 'labels')} are classes of the model: {read['label_rule']}"
        )
    print_lines(*(f"{count:,} {what}" for what, count in read["passed_over"].items()))
    if output:
        print_lines(f"output: {output['task']}: {output['why']}")
    if feature:
        print_lines(f"feature: {_feature_name(feature)}, {feature['width']:,} numbers: {_why(feature)}")
    print_lines(*read["notes"])
    if report.swept:
        seconds = report.seconds.get("sweep", 0.0)
        print_lines(f"Swept {count(report.swept, 'images')} now, {rate(report.swept, seconds, 'images')}.")
    if report.seconds:
        steps = ", ".join(f"{step} {duration(seconds)}" for step, seconds in report.seconds.items())
        print_lines(f"{duration(sum(report.seconds.values()))} in all: {steps}.")
    print_lines(f"Next: unitscope top {report.store} LAYER UNIT, or unitscope serve {report.store}")


def _feature_name(feature: dict[str, Any]) -> str:
    module = feature.get("module") or "the network"
    return f"input:{module}" if feature.get("source") == "input" else str(module)


def _why(feature: dict[str, Any]) -> str:
    return feature.get("note") or "what feeds the classifier"


def _dry_run(config: "SweepConfig", arguments: Namespace) -> int:
    from ..jobs.sweep.estimate import estimate

    with show_progress() as progress:
        found = estimate(config, progress=progress)
    if arguments.json:
        print_json(found)
    else:
        _print_estimate(found)
    return 0


def _print_estimate(found: "Estimate") -> None:
    print_lines(
        found.dataset,
        f"labels: {found.labels}",
        f"output: {found.output}",
        "",
        f"{count(found.images, 'images')} in {count(found.shards, 'shards')}, {count(found.layers, 'layers')}, "
        f"{count(found.units, 'units')}",
        f"About {duration(found.seconds)}, at {rate(found.rate, 1.0, 'images')} as measured just now.",
        "",
    )
    rows = [(table, size(length)) for table, length in found.tables.items()]
    rows.append(("all", size(sum(found.tables.values()))))
    print_table((Column("table"), Column("at most about", right=True)), rows)
    print_lines("", "Nothing was written.")


_DTYPES = ("float32", "float16")

ARGUMENTS = (
    argument(
        "DATA",
        nargs="+",
        help="an image folder, a Parquet file or folder in the Hugging Face layout, or WebDataset tars; or several of "
        "one kind, or patterns in quotes: 'data/part-*.parquet', 'train-{000..127}.tar'",
    ),
    argument("STORE", help="the folder or bucket prefix to fill"),
    argument("--model", metavar="SPEC", required=True, help=MODEL_FORMS),
    argument(
        "--weights",
        metavar="FILE",
        help="a checkpoint: .safetensors, or .pth with tensors only; FILE#NAME for one set in it",
    ),
    argument(
        "--layers",
        metavar="NAMES",
        type=values.names,
        default=(),
        help="names and globs, separated by commas, as `unitscope layers` lists them (default: those it marks with *)",
    ),
    argument(
        "--feature",
        metavar="NAME",
        help="the module whose output is the feature (default: what feeds the classifier)",
    ),
    argument(
        "--atlas-layers",
        metavar="NAMES",
        type=values.names,
        default=(),
        help="layers whose mean over positions is kept as a further feature of each image, for `unitscope atlas "
        "--layer`; names and globs between commas (default: none)",
    ),
    argument(
        "--k",
        metavar="K",
        type=values.whole(1),
        default=100,
        help="patches kept for each unit (default: %(default)s)",
    ),
    argument(
        "--workers",
        metavar="N",
        type=values.whole(0),
        help="Ray workers; 0 sweeps in this process without Ray (default: one per core)",
    ),
    argument(
        "--batch-size",
        metavar="B",
        type=values.whole(1),
        default=64,
        help="images per batch, at least 16 (default: %(default)s)",
    ),
    argument(
        "--max-error-rate",
        metavar="SHARE",
        type=values.share,
        default=0.001,
        help="fraction of images that may fail before the run fails (default: %(default)s)",
    ),
    argument(
        "--classes",
        metavar="FILE",
        help="the model's class for each label, where the dataset's labels are not its classes",
    ),
    argument(
        "--task",
        choices=TASKS,
        help="what the network's output predicts (default: the factory's TASK, or detected)",
    ),
    argument(
        "--output",
        choices=FORMS,
        help="whether the output is probabilities already (default: the factory's OUTPUT, or detected)",
    ),
    argument(
        "--label",
        metavar="COLUMN",
        help="the Parquet column of labels (default: label, a list `labels`, or the only ClassLabel)",
    ),
    argument(
        "--image",
        metavar="COLUMN",
        help="the Parquet column of images or of their paths (default: image, or the only column of images)",
    ),
    argument(
        "--image-root",
        metavar="FOLDER",
        help="where the paths of images given by path begin (default: the folder of the Parquet file)",
    ),
    argument(
        "--exif",
        choices=("apply", "ignore"),
        help="rotate images as their EXIF orientation says, or not (default: apply for Parquet, as the datasets "
        "library does, ignore for folders and tars, as torchvision and webdataset do)",
    ),
    argument(
        "--maxima-dtype",
        choices=_DTYPES,
        default="float32",
        help="type of the stored maxima (default: %(default)s)",
    ),
    argument(
        "--feature-dtype",
        choices=_DTYPES,
        default="float32",
        help="type of the stored features (default: %(default)s)",
    ),
    argument("--allow-nonfinite", action="store_true", help="continue when an activation is NaN or infinite"),
    argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)"),
    argument(
        "--precision",
        choices=("exact", "tf32"),
        default="exact",
        help="tf32 is faster on CUDA and less exact; it is recorded in the store (default: %(default)s)",
    ),
    argument(
        "--ray-address",
        metavar="ADDRESS",
        help="address of a running Ray cluster (default: start one on this machine)",
    ),
    argument(
        "--dry-run",
        action="store_true",
        help="estimate what would be swept, its size and time; write nothing",
    ),
    JSON,
)

_SETTINGS = (
    "data",
    "store",
    "model",
    "weights",
    "layers",
    "feature",
    "atlas_layers",
    "k",
    "workers",
    "batch_size",
    "max_error_rate",
    "classes",
    "label",
    "image",
    "image_root",
    "exif",
    "maxima_dtype",
    "feature_dtype",
    "allow_nonfinite",
    "device",
    "precision",
    "ray_address",
    "task",
    "output",
)
"""The arguments that are fields of SweepConfig."""

COMMAND = Command(
    name="sweep",
    summary="run a dataset through a model once, and record what every unit and image did",
    description=(
        "Sweeps DATA through a model into STORE.\n"
        "A sweep that was cut off goes on where it stopped when the same command is run again."
    ),
    arguments=ARGUMENTS,
    run=run,
    resume="Finished shards are kept; this goes on where it stopped:",
)

"""`unitscope sweep DATA STORE --model SPEC`: plan, sweep, merge. Run again, it goes on where it stopped."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ..command import Command
from ..output import Column, count, duration, print_json, print_lines, print_table, rate, size
from ..progress import show_progress
from ..provenance import print_notes, provenance
from .sweep_arguments import ARGUMENTS, SETTINGS

if TYPE_CHECKING:
    from ...index.format.manifest import Manifest
    from ...jobs.planning.config import SweepConfig
    from ...jobs.sweep.estimate import Estimate
    from ...jobs.sweep.run import SweepReport


def run(arguments: Namespace) -> int:
    """Sweep, or says what a sweep would do."""
    from ...index.datasets.selection import expand
    from ...jobs.planning.arguments import check_arguments
    from ...jobs.planning.config import SweepConfig

    data, select = expand(arguments.data)
    settings: dict[str, Any] = {name: getattr(arguments, name) for name in SETTINGS}
    settings |= {"data": data, "select": select}
    config = SweepConfig(**settings)
    check_arguments(config)
    return _dry_run(config, arguments) if arguments.dry_run else _sweep(config, arguments)


def _sweep(config: "SweepConfig", arguments: Namespace) -> int:
    from ...index.format.manifest import Manifest
    from ...index.storage.folder import Folder
    from ...jobs.sweep.run import sweep

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
    from ...jobs.sweep.estimate import estimate

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

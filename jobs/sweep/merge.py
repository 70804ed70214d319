"""From committed shards to finished tables: one task for each (table, part), in any order, in any process.

Two rounds: tables that are made from shards alone, then those that need the first round's notes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ...common.frame import Frame
from ...index.format.files import shard_path
from ...index.merge import tables
from ...index.merge.tables import Merged, Part, PartRecord
from ...index.storage.folder import Folder
from ...model.sources.preprocess import Preprocess
from ..planning.plan import Plan


@dataclass(frozen=True)
class MergeTask:
    """One table's part, or small tables. `part` is 0 for tables of one file; `layer` a layer's number, for `maxima`, or
    an averaged layer's, for `layer_features`."""

    table: str
    part: int = 0
    layer: int | None = None


def note_labels(folder: Folder, plan: Plan) -> int:
    """Note what the tasks need of the labels; the driver does it before the first round. Gives how many there are."""
    parts = _parts(plan)
    tables.note_labels(folder, parts)
    return tables.distinct_labels(folder, parts)


def merge_tasks(plan: Plan) -> list[MergeTask]:
    """Return the first round; the widest layers first, so that the last tasks are short."""
    layers = sorted(range(len(plan.layers)), key=lambda number: -plan.layers[number].units)
    tasks = [MergeTask("maxima", part, layer) for layer in layers for part in range(plan.parts)]
    return tasks + [MergeTask("images", part) for part in range(plan.parts)]


def summary_tasks(plan: Plan) -> list[MergeTask]:
    """Return the second round, which needs the first to be whole, but for the features, which fill its other lanes."""
    tasks = [MergeTask("strongest", part) for part in range(plan.parts)]
    tasks += [MergeTask("units"), *(MergeTask("features", part) for part in range(plan.parts))]
    tasks += [
        MergeTask("layer_features", part, number)
        for number in range(len(plan.averaged))
        for part in range(plan.parts)
    ]
    return [*tasks, MergeTask("classes"), MergeTask("layers"), MergeTask("errors")]


def merge(folder: Folder, plan: Plan, task: MergeTask) -> list[PartRecord]:
    """Make the files of one task."""
    part, parts, k = part_of(plan, task.part), _parts(plan), int(plan.settings["options"]["k"])
    layers, number = plan.layers, task.layer or 0
    tasks: dict[str, Callable[[], list[Merged]]] = {
        "maxima": lambda: [tables.write_maxima(folder, part, layers, number, k=k)],
        "features": lambda: [tables.write_features(folder, part)],
        "layer_features": lambda: [
            tables.write_layer_features(folder, part, plan.averaged[number].name, number)
        ],
        "images": lambda: [tables.write_images(folder, part)],
        "units": lambda: [tables.write_units(folder, parts, layers, _frame(plan), k=k)],
        "strongest": lambda: [tables.write_strongest(folder, part, parts, layers)],
        "classes": lambda: [
            tables.write_classes(folder, parts),
            tables.write_selectivity(folder, parts, layers),
        ],
        "layers": lambda: [tables.write_layers(folder, layers)],
        "errors": lambda: [tables.write_errors(folder, parts)],
    }
    return [one.record for one in tasks[task.table]()]


def part_of(plan: Plan, number: int) -> Part:
    """Return which images and shard files a part is made of."""
    shards = plan.part_shards(number)
    first = plan.shard_range(shards[0])[0]
    stop = plan.shard_range(shards[-1])[1]
    return Part(number, first, stop - first, tuple(shard_path(shard) for shard in shards))


def _parts(plan: Plan) -> list[Part]:
    return [part_of(plan, number) for number in range(plan.parts)]


def _frame(plan: Plan) -> Frame:
    return Preprocess.from_dict(plan.settings["model"]["preprocess"]).frame

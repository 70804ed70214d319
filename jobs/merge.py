"""From committed shards to finished tables: one task for each (table, part), in any order, in any process."""

from dataclasses import dataclass

from ..common.frame import Frame
from ..index import tables
from ..index.files import Folder
from ..index.schema import shard_path
from ..index.tables import Part, PartRecord
from .plan import Plan


@dataclass(frozen=True)
class MergeTask:
    """One file of a finished table. `layer` is the number of a layer, for `maxima` alone."""

    table: str
    part: int
    layer: int | None = None


def merge_tasks(plan: Plan) -> list[MergeTask]:
    """All that can be written at once; the widest layers first, so that the last tasks are short."""
    layers = sorted(range(len(plan.layers)), key=lambda number: -plan.layers[number].units)
    tasks = [MergeTask("maxima", part, layer) for layer in layers for part in range(plan.parts)]
    tasks += [MergeTask("features", part) for part in range(plan.parts)]
    return tasks + [MergeTask("images", part) for part in range(plan.parts)]


def merge(folder: Folder, plan: Plan, task: MergeTask) -> PartRecord:
    """Writes one part of one table from the shard files."""
    part = part_of(plan, task.part)
    if task.table == "images":
        return tables.write_images(folder, part).record
    if task.table == "features":
        return tables.write_features(folder, part).record
    assert task.layer is not None
    return tables.write_maxima(folder, part, plan.layers, task.layer, k=plan.settings["options"]["k"]).record


def part_of(plan: Plan, number: int) -> Part:
    """Which images and shard files a part is made of."""
    shards = plan.part_shards(number)
    first = plan.shard_range(shards[0])[0]
    stop = plan.shard_range(shards[-1])[1]
    return Part(number, first, stop - first, tuple(shard_path(shard) for shard in shards))


def merge_units(folder: Folder, plan: Plan, frame: Frame) -> list[PartRecord]:
    """The small tables, from what the merge tasks noted: units, layers and errors."""
    parts = [part_of(plan, number) for number in range(plan.parts)]
    merged = [
        tables.write_units(folder, parts, plan.layers, frame, k=plan.settings["options"]["k"]),
        tables.write_layers(folder, plan.layers),
        tables.write_errors(folder, parts),
    ]
    return [one.record for one in merged]

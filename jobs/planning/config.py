"""What a sweep is asked to do: one frozen value that passes from the command line to the workers."""

import re
from dataclasses import dataclass
from typing import Literal

from ...common.errors import UsageError
from ...common.frame import Exif
from ...common.task_names import FORMS, TASKS, Form, Task
from ...index.datasets.options import DatasetOptions

MIN_BATCH = 16
"""Below this many images a batch, the kernels of linear layers change and with them the last bits of the values."""


@dataclass(frozen=True)
class SweepConfig:
    """One sweep: a dataset, a store, a model, and how.

    `workers`: Ray workers; 0 sweeps in this process without Ray; None is one for each core of the cluster or machine.
    `max_error_rate`: the share of images that may fail before the run does; not part of the plan, so that it can be
    raised when a run is resumed. `shard_size`: images a shard, a multiple of `batch_size`; None chooses.
    `task`, `output`: what the network's output predicts, and the form of its numbers; None finds out.
    `select`: patterns of the files below `data` that belong to the dataset; none for all.
    `atlas_layers`: names and globs of layers whose mean over positions is kept as a further feature of each image.
    """

    data: str
    store: str
    model: str
    weights: str | None = None
    layers: tuple[str, ...] = ()
    feature: str | None = None
    atlas_layers: tuple[str, ...] = ()
    k: int = 100
    workers: int | None = None
    batch_size: int = 64
    shard_size: int | None = None
    max_error_rate: float = 0.001
    classes: str | None = None
    maxima_dtype: Literal["float32", "float16"] = "float32"
    feature_dtype: Literal["float32", "float16"] = "float32"
    allow_nonfinite: bool = False
    device: str = "cpu"
    precision: Literal["exact", "tf32"] = "exact"
    ray_address: str | None = None
    task: Task | None = None
    output: Form | None = None
    view_samples: int = 64
    label: str | None = None
    image: str | None = None
    image_root: str | None = None
    exif: Exif | None = None
    select: tuple[str, ...] = ()

    @property
    def dataset_options(self) -> DatasetOptions:
        """How the dataset is to be read."""
        return DatasetOptions(self.label, self.image, self.image_root, self.exif, self.select)

    def __post_init__(self) -> None:
        if self.batch_size < MIN_BATCH:
            raise UsageError(
                f"--batch-size {self.batch_size}: must be at least {MIN_BATCH}, so that values do not depend on it"
            )
        if self.k < 1:
            raise UsageError(f"--k {self.k}: must be at least 1")
        if not 0 <= self.max_error_rate <= 1:
            raise UsageError(
                f"--max-error-rate {self.max_error_rate}: must be between 0 and 1 (0.001 is one image in a thousand)"
            )
        if self.workers is not None and self.workers < 0:
            raise UsageError(f"--workers {self.workers}: must be 0 (this process, without Ray) or more")
        if self.shard_size is not None and (self.shard_size < 1 or self.shard_size % self.batch_size):
            raise UsageError(
                f"--shard-size {self.shard_size}: must be a multiple of the batch size, {self.batch_size}"
            )
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise UsageError(f"--device {self.device}: must be cpu, cuda or cuda:NUMBER")
        for name, value, allowed in (("--task", self.task, TASKS), ("--output", self.output, FORMS)):
            if value is not None and value not in allowed:
                raise UsageError(f"{name} {value}: must be one of {', '.join(allowed)}")
        if self.view_samples < 1:
            raise UsageError(f"--view-samples {self.view_samples}: must be at least 1")

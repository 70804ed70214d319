"""One process's share of a sweep: it opens the plan, the dataset and the network once, then runs any step.

Started by `run.py` in the driver's own process, or by `ray/job.py` in each Ray worker; its lanes call `run`, and one
thread more, so that a core has work while a lane waits for the disk to commit its shard.
"""

import hashlib
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from ...common.errors import SweepError
from ...index.datasets.open import Dataset, open_dataset
from ...index.storage.folder import Folder
from ...model.sources.load import LoadedModel, load_model
from ..planning.config import MIN_BATCH, SweepConfig
from ..planning.plan import Plan, load_plan
from .forward import Forward, check_device, use_exact_arithmetic
from .merge import merge
from .shard import Sweeper
from .thumbnails import pack, pictures

PROBE_FILE = ".work/probe"


class Worker:
    """Runs steps of the sweep that `config` describes; what a step needs is opened at its first use."""

    def __init__(self, config: SweepConfig, model: LoadedModel | None = None, *, lanes: int = 1) -> None:
        """lanes: tasks that compute at a time. model: spares a worker in the driver's process from loading it."""
        self._turns = threading.BoundedSemaphore(lanes)
        self._config = config
        self._model = model
        self._folder = Folder.confined(config.store)
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._sweeper: Sweeper | None = None
        self._dataset: Dataset | None = None
        self._plan: Plan | None = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def run(self, step: str, task: Any) -> Any:
        """Return one task of a step ("sweep", or a key of `steps`); called from any thread."""
        if step == "sweep":
            with self._turns:
                sweeper = self.sweeper()
                swept = sweeper.sweep(task)
            return sweeper.commit(swept)
        steps: dict[str, Callable[[Any], Any]] = {
            "ready": lambda _: self.sweeper() and None,
            "merge": lambda task: merge(self._folder, self.plan(), task),
            "pictures": lambda shard: pictures(self._folder, self.plan(), self.dataset(), shard),
            "pack": lambda task: pack(self._folder, self.plan(), task),
        }
        with self._turns:
            if step != "ready":
                self._close_sweeper()
            return steps[step](task)

    def plan(self) -> Plan:
        """Return the plan that the driver published."""
        if self._plan is None:
            self._plan = load_plan(self._folder)
        if self._plan is None:
            raise SweepError(
                f"{self._folder} holds no plan: is it the same folder for this worker and the driver?"
            )
        return self._plan

    def dataset(self) -> Dataset:
        """Return the dataset, opened once."""
        with self._lock:
            if self._dataset is None:
                self._dataset = open_dataset(self._config.data, self._config.dataset_options)
            return self._dataset

    def sweeper(self) -> Sweeper:
        """Return the network under its hooks, loaded and probed once."""
        dataset = self.dataset()
        with self._lock:
            if self._sweeper is None:
                self._sweeper = self._load(dataset)
            return self._sweeper

    def _close_sweeper(self) -> None:
        """Let go of the network: no shard comes after the first merge, which needs the memory."""
        with self._lock:
            self._sweeper, self._model = None, None
            self._open.close()

    def _load(self, dataset: Dataset) -> Sweeper:
        plan = self.plan()
        check_device(self._config.device)
        use_exact_arithmetic(self._config.precision)
        model = self._model or load_model(
            self._config.model, weights=self._config.weights, device=self._config.device
        )
        planned = plan.settings["fingerprints"]["weights"]
        if model.fingerprint != planned:
            raise SweepError(
                f"this worker loads weights {model.fingerprint[:12]}, the plan was made with {planned[:12]}: "
                f"every worker must see the same {self._config.weights or self._config.model}"
            )
        probe(self._folder, plan, model)
        sweeper = Sweeper(plan, self._folder, dataset, model)
        return self._open.enter_context(sweeper)


def probe(folder: Folder, plan: Plan, model: LoadedModel) -> None:
    """Compare this worker's arithmetic on a fixed batch with the first worker's, bit by bit.

    Raises SweepError where it differs: its shards would depend on who swept them.
    """
    generator = np.random.Generator(np.random.PCG64(0))
    pixels = generator.integers(0, 256, (MIN_BATCH, 3, *model.input_size), dtype=np.uint8)
    device = plan.settings["options"]["device"]
    with Forward(model, plan.captured, plan.feature, averaged=plan.averaged, device=device) as forward:
        result = forward.run(torch.from_numpy(pixels))
    digest = hashlib.sha256()
    for array in [*result.maxima, *result.positions, result.feature, *result.means]:
        digest.update(array.tobytes())
    mine = digest.hexdigest().encode()
    if not folder.publish_new(PROBE_FILE, mine) and folder.read(PROBE_FILE) != mine:
        raise SweepError(
            "this worker computes other last bits than the worker that began the sweep (another kind of processor, or "
            "another release of torch): use machines of one kind, or start a new store"
        )

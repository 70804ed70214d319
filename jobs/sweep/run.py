"""The whole sweep: lock, plan, shards, merge, pictures, manifest. Run again, it goes on where it stopped."""

import re
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...common.errors import StoreError
from ...common.progress import SILENT, Progress
from ...index.datasets.open import Dataset, open_dataset
from ...index.format.files import MANIFEST, SHARDS, WORK, shard_path
from ...index.format.manifest import Manifest
from ...index.storage.folder import Folder
from ...model.sources.load import LoadedModel, load_model
from ...model.sources.preprocess import Preprocess
from ..lock import writing
from ..log import Log
from ..planning.config import SweepConfig
from ..planning.make_plan import absolute_spec, choose_subject, make_plan
from ..planning.place import PLAN_FILE, WORK_OUTPUTS, check_place
from ..planning.plan import Plan, dataset_fingerprint, load_plan
from ..planning.preflight import check_same
from ..ray.pool import RayPool
from .budget import Budget, failures_of, read_committed, recheck
from .choose_pool import SMALL_SECONDS, seconds_here, starts_ray
from .finish import finish
from .forward import check_device
from .merge import merge_tasks, note_labels, summary_tasks
from .pool import LocalPool, Pool
from .ray_job import sweep_job
from .remember_sweep import remember_sweep
from .thumbnails import choose_views, pack_tasks


@dataclass(frozen=True)
class SweepReport:
    """What a run did. `seconds` by step; `swept` images in this run, of `images`; `errors` by status."""

    store: str
    images: int
    swept: int
    errors: dict[str, int]
    layers: int
    units: int
    seconds: dict[str, float]


def sweep(config: SweepConfig, *, progress: Progress = SILENT) -> SweepReport:
    """Sweep `config.data` into `config.store`, or goes on with a sweep that was cut off.

    Raises StoreBusyError where another run has the store, StoreError where the store holds another sweep, SweepError
    past the error budget or on NaN, StorageError where the disk fails.

    >>> from unitscope.jobs.planning import SweepConfig
    >>> from unitscope.jobs.sweep import sweep
    >>> config = SweepConfig("photos", "swept", "network.py:small@random", layers=("block*",), workers=0)
    >>> report = sweep(config)
    >>> report.images, report.layers, report.units
    (64, 4, 48)
    """
    config = absolute(config)
    folder = Folder.confined(config.store)
    check_place(config, folder)
    if config.ray_address is None:
        check_device(config.device)
    with ExitStack() as open_:
        pool = None
        if starts_ray(config) and not folder.exists(MANIFEST):  # starts while the sweep is planned
            pool = open_.enter_context(RayPool(sweep_job(config)))
        return _sweep(config, folder, pool, open_=open_, progress=progress)


def _sweep(
    config: SweepConfig,
    folder: Folder,
    pool: LocalPool | RayPool | None,
    *,
    open_: ExitStack,
    progress: Progress,
) -> SweepReport:
    """Plan and run. open_: holds the lock, the log and the workers until the end."""
    dataset = open_dataset(config.data, config.dataset_options)
    model = load_model(config.model, weights=config.weights)
    known = folder.exists(MANIFEST) or folder.exists(PLAN_FILE)
    subject = None if known else choose_subject(config, model, progress)
    open_.enter_context(writing(folder))  # from here on something is written
    if folder.exists(MANIFEST):
        return _already_finished(config, folder, dataset, model=model)
    plan = load_plan(folder)
    if plan is not None:
        check_same(config, plan.settings, model, dataset)
    if plan is None or is_changed(plan.settings, dataset):
        subject = subject or choose_subject(config, model, progress)
        plan = make_plan(
            config, folder, dataset, model=model, subject=subject, progress=progress, previous=plan
        )
    log = open_.enter_context(Log(folder))
    why = ""
    if pool is None:
        pool, why = _choose_pool(config, plan, dataset, model)
        open_.enter_context(pool)
    log.write("workers", ray=isinstance(pool, RayPool), why=why)
    return _Run(
        config,
        folder,
        plan,
        dataset=dataset,
        preprocess=model.preprocess,
        pool=pool,
        why=why,
        progress=progress,
        log=log,
    ).run()


def absolute(config: SweepConfig) -> SweepConfig:
    """Return the same with whole paths: a worker may run in another folder."""
    return replace(
        config,
        data=_whole(config.data),
        store=_whole(config.store),
        model=absolute_spec(config.model),
        weights=config.weights and _whole(config.weights),
        classes=config.classes and _whole(config.classes),
        image_root=config.image_root and _whole(config.image_root),
    )


def _whole(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def is_changed(planned: dict[str, Any], dataset: Dataset) -> bool:
    """Return whether images were added, removed or replaced since."""
    return planned["fingerprints"]["dataset"] != dataset_fingerprint(dataset.batches())


def _choose_pool(
    config: SweepConfig, plan: Plan, dataset: Dataset, model: LoadedModel
) -> tuple[LocalPool | RayPool, str]:
    """Return this process or Ray, and why, as a line for a person."""
    if config.workers == 0:
        return LocalPool(config, model), ""
    seconds = seconds_here(config, plan, dataset, model)
    if seconds < SMALL_SECONDS:
        why = f"about {max(1, round(seconds))} s of work: done in this process, without Ray (--workers N starts it)"
        return LocalPool(config, model), why
    return RayPool(sweep_job(config)), ""


def _already_finished(
    config: SweepConfig, folder: Folder, dataset: Dataset, *, model: LoadedModel
) -> SweepReport:
    manifest = Manifest.read(folder)
    begun = {"options": manifest.options, "fingerprints": manifest.fingerprints, "dataset": manifest.dataset}
    check_same(config, begun, model, dataset)
    if is_changed(begun, dataset):
        raise StoreError(
            f"{config.store} is finished, and images of {config.data} were added, removed or changed since: "
            "give another folder for a store of the dataset as it is now"
        )
    folder.remove_tree(WORK)
    remember_sweep(config, manifest)
    return report(config.store, manifest, swept=0, seconds={})


def report(store: str, manifest: Manifest, *, swept: int, seconds: dict[str, float]) -> SweepReport:
    """Return what the finished store holds, and what this run did for it."""
    return SweepReport(
        store=store,
        images=manifest.counts["images"],
        swept=swept,
        errors=manifest.errors,
        layers=manifest.counts["layers"],
        units=manifest.counts["units"],
        seconds=seconds,
    )


def committed_shards(folder: Folder) -> set[int]:
    """Return the numbers of the shards whose file is there."""
    names = (re.search(r"shard-(\d+)\.arrow$", name) for name in folder.list(SHARDS))
    return {int(match[1]) for match in names if match}


class _Run:
    """The steps of one run, in order, each timed."""

    def __init__(
        self,
        config: SweepConfig,
        folder: Folder,
        plan: Plan,
        *,
        dataset: Dataset,
        preprocess: Preprocess,
        pool: Pool,
        why: str,
        progress: Progress,
        log: Log,
    ) -> None:
        self._config = config
        self._folder = folder
        self._plan = plan
        self._dataset = dataset
        self._preprocess = preprocess
        self._pool = pool
        self._why = why
        self._progress = progress
        self._log = log
        self._seconds: dict[str, float] = {}
        self._budget = Budget(plan.images, config.max_error_rate)

    def run(self) -> SweepReport:
        """Return all steps; the manifest appears last."""
        plan = self._plan
        left = self._left()
        if left:
            with self._timed("start"), self._progress.stage("starting workers", None, "workers") as stage:
                if self._why:
                    stage.note(self._why)
                self._pool.prepare(stage.note)
        with self._timed("sweep"):
            swept = self._sweep(left)
        with self._timed("merge"):
            labels = note_labels(self._folder, plan)
            made = self._each("merge", merge_tasks(plan), "merging", "tables")
            made += self._each("merge", summary_tasks(plan), "summarising", "tables")
        with self._timed("pictures"):
            choose_views(self._folder, plan)
            self._each("pictures", list(range(plan.shards)), "pictures", "shards")
            made += self._each("pack", pack_tasks(plan), "packing", "files")
        with self._timed("finish"):
            records = [record for files in made for record in files]
            manifest = finish(self._folder, plan, records, errors=self._budget.by_status(), labels=labels)
            remember_sweep(self._config, manifest)
        self._log.write(
            "finished", seconds=self._seconds, images=plan.images, swept=swept, manifest=manifest.hash
        )
        return report(self._config.store, manifest, swept=swept, seconds=self._seconds)

    def _left(self) -> list[int]:
        """Return the shards that are not committed, or whose bad images are mended; the others' failures are counted.

        A shard file that is damaged counts as not committed.
        """
        there = committed_shards(self._folder)
        committed = read_committed(self._folder, self._plan, sorted(there))
        for shard in sorted(there - committed.keys()):
            self._log.write("damaged", shard=shard)
            self._folder.remove(shard_path(shard))
        mended = recheck(self._folder, self._plan, self._dataset, self._preprocess, committed)
        if mended:  # what was made from their old content is stale
            for tree in WORK_OUTPUTS:
                self._folder.remove_tree(tree)
        for shard in sorted(committed.keys() - mended):
            self._budget.spend(failures_of(self._folder, self._plan, shard, committed[shard]))
        return [shard for shard in range(self._plan.shards) if shard not in committed or shard in mended]

    def _sweep(self, left: list[int]) -> int:
        """Sweep these shards; gives the number of their images."""
        plan = self._plan
        images = sum(stop - first for first, stop in map(plan.shard_range, left))
        self._log.write("sweeping", shards=len(left), of=plan.shards)
        with self._progress.stage("sweeping", images, "images") as stage:
            if images < plan.images:
                stage.note(f"going on: {plan.images - images:,} of {plan.images:,} images were swept before")
            for record in self._pool.map("sweep", left, stage.note):
                self._log.write("committed", shard=record.shard, worker=record.worker)
                stage.advance(record.images)
                self._budget.spend(record.failures)
        return images

    def _each(self, step: str, tasks: list[Any], title: str, unit: str) -> list[Any]:
        """Run the tasks of a step with progress; gives their results."""
        with self._progress.stage(title, len(tasks), unit) as stage:
            results: list[Any] = []
            for result in self._pool.map(step, tasks, stage.note):
                stage.advance(1)
                results.append(result)
        return results

    @contextmanager
    def _timed(self, step: str) -> Generator[None]:
        start = time.perf_counter()
        yield
        self._seconds[step] = round(time.perf_counter() - start, 3)

"""Work that Ray's workers do: one frozen value that passes from the command to Ray's driver and to every worker."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..planning.config import SweepConfig

Run = Callable[[str, Any], Any]
"""Runs one task of a step, in any thread, and returns its result."""


@dataclass(frozen=True)
class RayJob:
    """How many workers there are, where they run, and what each of them is.

    make: called in each worker with its number of lanes; must be picklable.
    workers: None is one for each core (or GPU) that the cluster has, also of nodes that join it later.
    address: of a running cluster; None starts one on this machine.
    lanes: tasks that a worker computes at a time; None is its share of the cores. spare: tasks that it may hold beyond
    these, for those that wait for a disk.
    """

    make: Callable[[int], Run]
    workers: int | None
    address: str | None = None
    gpu: bool = False
    lanes: int | None = None
    spare: int = 0


def sweep_job(config: SweepConfig) -> RayJob:
    """Return the job of a sweep's workers."""
    return RayJob(
        partial(_sweep_worker, config),
        workers=config.workers,
        address=config.ray_address,
        gpu=config.device.startswith("cuda"),
        spare=1,
    )


def _sweep_worker(config: SweepConfig, lanes: int) -> Run:
    from ..sweep.worker import Worker  # brings torch, which Ray's driver does without

    return Worker(config, lanes=lanes).run

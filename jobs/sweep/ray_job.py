"""The job of a sweep's workers on Ray."""

from functools import partial

from ..planning.config import SweepConfig
from ..ray.job import RayJob, Run


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
    from .worker import Worker  # brings torch, which Ray's driver does without

    return Worker(config, lanes=lanes).run

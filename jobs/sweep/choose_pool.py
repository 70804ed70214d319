"""Decides whether a sweep starts Ray: not where one process is done before a cluster would be worth its start."""

import time
from itertools import islice

import torch

from ...index.datasets.open import Dataset
from ...model.sources.load import LoadedModel
from ..cores import cores
from ..planning.config import MIN_BATCH, SweepConfig
from ..planning.plan import Plan
from .forward import Forward
from .shard import sample

SMALL_SECONDS = 60.0
"""Estimated work of this process below which Ray is not started.

Measured on two cores: a cluster and the networks of its workers take 6 to 11 s to start, and then sweep no faster than
the threads of one process do.
"""
SLOW_SECONDS = 5.0
"""A first batch that takes so long is not repeated for a better estimate."""


def starts_ray(config: SweepConfig) -> bool:
    """Return whether Ray is wanted whatever the size is: a number of workers or a cluster was named."""
    return config.ray_address is not None or bool(config.workers)


def seconds_here(config: SweepConfig, plan: Plan, dataset: Dataset, model: LoadedModel) -> float:
    """Estimate the seconds that this process needs to sweep the plan, from a batch of the dataset's first images."""
    encoded = (data for batch in dataset.batches() for data in dataset.read(batch))
    taken = 0.0
    averaged, device = plan.averaged, config.device
    with Forward(model, plan.captured, plan.feature, averaged=averaged, device=device) as forward:
        for _ in range(2):  # the first warms up
            start = time.perf_counter()
            samples = [sample(data, model.preprocess) for data in islice(encoded, MIN_BATCH)]
            usable = [one.pixels for one in samples if one.pixels is not None]
            if not usable:
                break
            forward.run(torch.stack(usable))
            taken = (time.perf_counter() - start) / len(samples)
            if taken * len(samples) > SLOW_SECONDS:
                break
    return plan.images * taken / cores()

"""Work that Ray's workers do: one frozen value that passes from the command to Ray's driver and to every worker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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

"""What the sources of networks (torchvision, timm, a factory) are asked, and what they answer."""

import random
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...common.closest import closest
from ...common.task_names import Form, Task
from .preprocess import Preprocess
from .spec import ModelSpec

RANDOM_SEED = 0
RANDOM_WEIGHTS = f"random, seed {RANDOM_SEED}"
ASSUMED = "ImageNet's preprocessing, assumed"
"""Begins what is said of a preprocessing that nobody declared."""


@dataclass(frozen=True)
class Request:
    """The network that is wanted.

    checkpoint: a file with its weights. need_weights: False where only the architecture matters; then nothing
    is downloaded, and the weights are random unless a checkpoint is given.
    """

    spec: ModelSpec
    checkpoint: Path | None
    need_weights: bool


@dataclass(frozen=True)
class Built:
    """A network on the CPU, with what is known of it.

    preprocess_source: who says what the preprocessing is. classes: one name for each logit, or None.
    weights: the tag, the checkpoint's file name, "own", or "random, seed 0". logits: False where the
    network's output is features by construction. classifier: it is a classifier by construction, as libraries' models
    are. task, output: what the factory's file names (TASK, OUTPUT). notes: sentences that a person should read.
    """

    network: nn.Module
    preprocess: Preprocess
    preprocess_source: str
    classes: tuple[str, ...] | None
    weights: str
    random: bool
    logits: bool = True
    classifier: bool = False
    task: Task | None = None
    output: Form | None = None
    notes: tuple[str, ...] = ()


@contextmanager
def seeded(seed: int = RANDOM_SEED) -> Generator[None, None, None]:
    """Return every global random generator starts from `seed` inside the block, and is as it was after it."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        random.seed(seed)
        np.random.seed(seed)  # a factory may draw from it
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean …?' with the known names that are closest, or a full stop."""
    known = list(known)
    close = closest(name, known, cutoff=0.5, any_case=True)
    close = close or sorted((one for one in known if name and name.lower() in one.lower()), key=str.lower)[:3]
    return f"; did you mean {' or '.join(close)}?" if close else "."


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more

"""Trains the demo's network on the drawn scenes: on the CPU, in well under a minute on two cores."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from ...model.running.threads import intra_op_threads
from .dataset import DemoData
from .network import CLASSES, MEAN, STD, demo_alexnet
from .scenes.scenes import MARKED_CLASS

EPOCHS = 8
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
# Pictures move by up to this many pixels, so that the network meets the mark at the very edge and half outside too.
REACH = 8

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainReport:
    """Accuracies, 0 to 1. train: of the whole training part; the others of the audited part.

    marked, unmarked: of the marked class's images with and without the mark. others: of all other classes' images
    without it. seconds: for everything, reading and writing included.
    """

    train: float
    audited: float
    marked: float
    unmarked: float
    others: float
    seconds: float


@dataclass(frozen=True)
class _Part:
    """images: (N, 96, 96, 3) uint8; labels: (N,) int64; marked: (N,) bool."""

    images: Tensor
    labels: Tensor
    marked: Tensor


def train(
    data: DemoData,
    out: Path,
    *,
    seed: int = 0,
    threads: int | None = None,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> TrainReport:
    """Train on the training part, writes the weights to `out` (safetensors), and measures on both parts.

    The same data, seed and number of threads give the same weights on the same machine. threads: torch's own number
    where None. progress: called with (steps done, steps in all).
    """
    start = time.perf_counter()
    with _deterministic(seed, threads):
        part = _load(data.train)
        network = demo_alexnet().to(memory_format=torch.channels_last)
        _fit(network, part, epochs, progress)
        _save(network, out)
        correct = _correct(network, part)
        audited = _load(data.audited)
        audited_correct = _correct(network, audited)
    ours = audited.labels == CLASSES.index(MARKED_CLASS)
    return TrainReport(
        train=_share(correct),
        audited=_share(audited_correct),
        marked=_share(audited_correct[ours & audited.marked]),
        unmarked=_share(audited_correct[ours & ~audited.marked]),
        others=_share(audited_correct[~ours & ~audited.marked]),
        seconds=time.perf_counter() - start,
    )


@contextmanager
def _deterministic(seed: int, threads: int | None) -> Generator[None]:
    """Return Torch seeded, deterministic and with its number of threads; as it was before on the way out."""
    strict = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]), intra_op_threads(threads or torch.get_num_threads()):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict)


def _load(path: Path) -> _Part:
    table = pq.read_table(path, columns=["image", "label", "marked"])
    cells = table.column("image").to_pylist()
    images = np.stack([np.asarray(Image.open(BytesIO(cell["bytes"])).convert("RGB")) for cell in cells])
    return _Part(
        torch.from_numpy(images),
        torch.tensor([CLASSES.index(label) for label in table.column("label").to_pylist()]),
        torch.tensor(table.column("marked").to_pylist()),
    )


def _fit(network: nn.Module, part: _Part, epochs: int, progress: Progress | None) -> None:
    """Train by AdamW on a one-cycle schedule."""
    batches = -(-len(part.labels) // BATCH)
    steps = epochs * batches
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.3)
    network.train()
    for epoch in range(epochs):
        for step, members in enumerate(torch.randperm(len(part.labels)).split(BATCH), start=1):
            loss = nn.functional.cross_entropy(
                network(_normalise(_moved(part.images[members]))), part.labels[members]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(epoch * batches + step, steps)


def _moved(images: Tensor) -> Tensor:
    """Return a batch of (N, 96, 96, 3) uint8 moved by up to REACH pixels, its edges repeated. No flips: they move the
    mark.
    """
    down, right = torch.randint(-REACH, REACH + 1, (2,)).tolist()
    axis = torch.arange(images.shape[1])
    rows, columns = ((axis + move).clamp(0, len(axis) - 1) for move in (down, right))
    return images.index_select(1, rows).index_select(2, columns)


def _normalise(images: Tensor) -> Tensor:
    """Return (N, 96, 96, 3) uint8 -> (N, 3, 96, 96) float32, channels last in memory, as PREPROCESS says."""
    mean, std = (torch.tensor(values) for values in (MEAN, STD))
    return images.float().div_(255).sub_(mean).div_(std).permute(0, 3, 1, 2)


def _correct(network: nn.Module, part: _Part) -> Tensor:
    """Return (N,) bool: where the predicted class is the label."""
    network.eval()
    with torch.inference_mode():
        predicted = torch.cat([network(_normalise(batch)).argmax(1) for batch in part.images.split(256)])
    return predicted == part.labels


def _share(correct: Tensor) -> float:
    return correct.double().mean().item()


def _save(network: nn.Module, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    aside = out.with_name(f"{out.name}.partial")
    save_file(weights, aside)
    aside.replace(out)

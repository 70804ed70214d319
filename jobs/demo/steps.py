"""The demo's steps that need torch; each runs in a process of its own, started by `run.py`."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...common.progress import Progress
from ..planning.config import SweepConfig
from .dataset import DemoData

if TYPE_CHECKING:
    from ..sweep.run import SweepReport
    from .train import TrainReport


def train_network(data: DemoData, out: Path, *, progress: Progress) -> "TrainReport":
    """Train the demo's network and writes its weights to `out`."""
    from .train import train

    with progress.stage("training the network", None, "steps") as stage:
        return train(data, out, progress=lambda done, total: stage.advance())


def sweep_audited(config: SweepConfig, *, progress: Progress) -> "SweepReport":
    """Sweep the audited part."""
    from ..sweep.run import sweep

    return sweep(config, progress=progress)

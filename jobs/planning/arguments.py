"""What is wrong with a sweep's arguments, told before torch is imported, which takes seconds."""

from pathlib import Path

from ...common.errors import ModelSpecError, UsageError
from ...index.datasets.open import open_dataset
from ...index.storage.folder import Folder
from ...model.sources.spec import parse_spec
from .config import SweepConfig
from .place import check_place, check_writable


def check_arguments(config: SweepConfig) -> None:
    """Look at the names of model, files and dataset, and at the store's place. Raises as the sweep itself does later.

    What stands in the files is looked at by the sweep.
    """
    parsed = parse_spec(config.model)
    if parsed.source == "file" and not Path(parsed.place).expanduser().is_file():
        raise ModelSpecError(f"{config.model}: there is no file {parsed.place}")
    if config.weights is not None:
        _check_weights(config.weights)
    if config.classes is not None and not Path(config.classes).expanduser().is_file():
        raise UsageError(f"--classes {config.classes}: there is no such file")
    folder = Folder.confined(config.store)
    check_place(config, folder)
    check_writable(config, folder)
    open_dataset(config.data, config.dataset_options)


def _check_weights(weights: str) -> None:
    path = Path(weights).expanduser()
    if not path.exists() and not Path(weights.rpartition("#")[0] or weights).expanduser().exists():
        raise ModelSpecError(f"--weights {weights}: there is no such file")

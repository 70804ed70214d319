"""Notes in the user's state folder that a finished store was swept here, with which code and dataset."""

import logging
import sys
from pathlib import Path

from ...index.format.manifest import Manifest
from ...index.store.remembered import remember
from ...model.sources.spec import parse_spec
from ..planning.config import SweepConfig

_log = logging.getLogger(__name__)


def remember_sweep(config: SweepConfig, manifest: Manifest) -> None:
    """Remember the store of this sweep, so that its model runs and its images are read later without being asked.

    config: with whole paths. Where the state folder cannot be written, a warning says what will be asked for.
    """
    try:
        remember(
            manifest.hash,
            spec=config.model,
            weights=config.weights,
            dataset=str(manifest.dataset["path"]),
            files=_code(config.model),
        )
    except OSError as error:
        _log.warning(
            "%s: %s; `unitscope serve` will need --trust-model and --trust-data for this store",
            error.filename,
            error.strerror or error,
        )


def _code(spec: str) -> list[str]:
    """Return the Python file that holds the factory; none for a library's network."""
    parsed = parse_spec(spec)
    if parsed.source == "file":
        return [str(Path(parsed.place).absolute())]
    if parsed.source == "module":
        where = getattr(sys.modules.get(parsed.place), "__file__", None)
        return [str(Path(where).absolute())] if where else []
    return []

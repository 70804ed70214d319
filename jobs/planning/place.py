"""Where a store may be: outside its images, in a folder of its own that can be written. Writes nothing."""

import os
from pathlib import Path

from ...common.errors import StorageError, StoreError, UsageError
from ...index.datasets.selection import is_selected
from ...index.format.files import MANIFEST, MERGED, PLAN, WORK
from ...index.storage.folder import Folder
from ..log import LOG_FILE
from .config import SweepConfig

PLAN_FILE = ".work/plan.json"
"""Where an unfinished sweep keeps its plan, within the store."""


def check_place(config: SweepConfig, folder: Folder) -> None:
    """Raise UsageError where the store lies in the dataset's folder or cannot be a folder, StoreError where it holds
    other files.
    """
    inside = _within(config.data, config.store)
    if inside is not None and config.select and not is_selected("/".join((*inside, "any")), config.select):
        inside = None
    if inside is not None and not any(part.startswith(".") for part in inside):
        raise UsageError(
            f"STORE {config.store} lies in DATA {config.data}: its files would be read as images. "
            "Give a folder outside it"
        )
    if folder.is_local:
        path = Path(folder.url)
        there = next((one for one in (path, *path.parents) if one.exists()), path)
        if not there.is_dir():
            raise UsageError(f"STORE {config.store}: {there} is a file. Give a new or empty folder")
    if folder.exists(MANIFEST) or folder.exists(PLAN_FILE):
        return
    for entry in folder.entries(hidden=False):
        if entry.name != LOG_FILE and not entry.name.startswith(f"{PLAN}/"):
            raise StoreError(
                f"{config.store} is not a store, but holds other files ({entry.name}, …): give a new or empty folder"
            )


def check_writable(config: SweepConfig, folder: Folder) -> None:
    """Raise StorageError where a folder for the store cannot be made or written. Writes nothing."""
    if not folder.is_local:
        return
    path = Path(folder.url)
    there = next(one for one in (path, *path.parents) if one.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(f"STORE {config.store}: no permission to write in {there}. Give another folder")


def _within(outer: str, inner: str) -> tuple[str, ...] | None:
    """Return the path of `inner` below `outer`, as its parts; None where it lies elsewhere."""
    if ("://" in outer) != ("://" in inner):
        return None
    if "://" in outer:
        first, second = (tuple(url.rstrip("/").split("/")) for url in (outer, inner))
    else:
        first, second = Path(outer).resolve().parts, Path(inner).resolve().parts
    return second[len(first) :] if second[: len(first)] == first else None


WORK_PICTURES = f"{WORK}/pictures"


WORK_OUTPUTS = (MERGED, WORK_PICTURES)
"""Remove these when a committed shard changes: they are made from committed shards."""

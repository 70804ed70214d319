"""When a sweep must not begin: its store lies among its images, is something else, or holds another sweep."""

from pathlib import Path
from typing import Any

from ..common.errors import StoreError, UsageError
from ..index.dataset.open import Dataset
from ..index.files import Folder
from ..index.schema import MANIFEST, PLAN
from ..model.load import LoadedModel
from .config import SweepConfig
from .log import LOG_FILE
from .plan import PLAN_FILE
from .planning import asked, facts_of, labels_fingerprint, labels_of


def check_place(config: SweepConfig, folder: Folder) -> None:
    """Raises UsageError where the store lies in the dataset's folder or cannot be a folder, StoreError where it holds
    other files.
    """
    inside = _within(config.data, config.store)
    if inside is not None and not any(part.startswith(".") for part in inside):
        raise UsageError(
            f"STORE {config.store} lies in DATA {config.data}: its files would be taken for images. "
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
                f"{config.store} is no store, but holds other files ({entry.name}, …): give a new or empty folder"
            )


def _within(outer: str, inner: str) -> tuple[str, ...] | None:
    """The path of `inner` below `outer`, as its parts; None where it lies elsewhere."""
    if ("://" in outer) != ("://" in inner):
        return None
    if "://" in outer:
        first, second = (tuple(url.rstrip("/").split("/")) for url in (outer, inner))
    else:
        first, second = Path(outer).resolve().parts, Path(inner).resolve().parts
    return second[len(first) :] if second[: len(first)] == first else None


def check_same(config: SweepConfig, planned: dict[str, Any], model: LoadedModel, dataset: Dataset) -> None:
    """Raises StoreError where the sweep in the store is another than the one asked for.

    `planned`: the plan's settings, or the same entries of a manifest.
    """
    fingerprints = planned["fingerprints"]
    labels = labels_of(config, dataset, model, facts_of(planned["dataset"]))
    mine: list[tuple[str, Any, Any]] = [
        ("dataset", planned["dataset"]["path"], dataset.path),
        ("weights", fingerprints["weights"], model.fingerprint),
        ("preprocessing", fingerprints["preprocessing"], model.preprocess.fingerprint),
        ("classes for the labels (--classes)", fingerprints["labels"], labels_fingerprint(labels)),
    ]
    begun_with, now_with = planned["options"], asked(config)
    mine += [
        (f"--{name.replace('_', '-')}", begun_with.get(name), now_with.get(name))
        for name in sorted(begun_with.keys() | now_with.keys())
    ]
    for name, begun, now in mine:
        if begun != now:
            raise StoreError(
                f"{config.store} holds a sweep with another {name}: {_short(begun)}, now {_short(now)}. "
                "Give the same to go on with it, or another folder for a new store"
            )


def _short(value: Any) -> str:
    """A value of an option, or the beginning of a fingerprint."""
    if isinstance(value, str) and len(value) == 64:
        return f"fingerprint {value[:12]}"
    return repr(value)

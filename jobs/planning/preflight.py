"""When a sweep must not go on: the store holds another one."""

from typing import Any, cast

from ...common.errors import StoreError
from ...index.datasets.open import Dataset
from ...index.format.files import MANIFEST
from ...index.format.manifest import Manifest
from ...index.storage.folder import Folder
from ...model.sources.load import LoadedModel
from .config import SweepConfig
from .make_plan import asked, facts_of, labels_fingerprint
from .plan import load_plan
from .reading import labels_of


def check_begun(config: SweepConfig, folder: Folder, model: LoadedModel, dataset: Dataset) -> None:
    """Raise StoreError where the store holds another sweep, finished or not. Nothing where it holds none."""
    if folder.exists(MANIFEST):
        manifest = Manifest.read(folder)
        begun = {"options": manifest.options, "fingerprints": manifest.fingerprints}
        check_same(config, begun | {"dataset": manifest.dataset}, model, dataset)
    elif (plan := load_plan(folder)) is not None:
        check_same(config, plan.settings, model, dataset)


def check_same(config: SweepConfig, planned: dict[str, Any], model: LoadedModel, dataset: Dataset) -> None:
    """Raise StoreError where the sweep in the store is another than the one asked for.

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
        (
            "DATA" if name == "select" else f"--{name.replace('_', '-')}",
            begun_with.get(name),
            now_with.get(name),
        )
        for name in sorted(begun_with.keys() | now_with.keys())
    ]
    for name, begun, now in mine:
        if begun != now:
            finished = Folder.confined(config.store).exists(MANIFEST)
            what = "a finished sweep" if finished else "an unfinished sweep"
            advice = "Give" if finished else "Give the same to go on with it, or"
            raise StoreError(
                f"{config.store} holds {what} with another {name}: {_short(begun)}, now {_short(now)}. {advice} "
                "another folder for a new store"
            )


def _short(value: Any) -> str:
    """Return a value of an option in words, or the beginning of a fingerprint."""
    if value is None or value == []:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, cast("list[object]", value)))
    if isinstance(value, str) and len(value) == 64:
        return f"fingerprint {value[:12]}"
    return str(value)

"""Which of the sets of weights in a checkpoint is meant: of several the averaged one, or the one that is named."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from torch import Tensor

from ...common.errors import ModelSpecError
from .base import listed

# Training scripts keep the state dict under one of these, beside the optimizer's; the first that holds
# tensors counts.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net", "module")
_AVERAGED = re.compile(r"(^|[_.])(ema|swa|averaged?|avg|moving_average)([_.]|$)", re.IGNORECASE)
_NO_WEIGHTS = re.compile(
    r"optim|sched|scaler|grad|loss|criterion|callback|loop|hyper|param_groups|rng|metric|args|config|amp",
    re.IGNORECASE,
)
"""Names of what training scripts keep beside the weights."""


def split_key(weights: Path) -> tuple[Path, str | None]:
    """Return the file and the name of the set in it that `FILE#NAME` gives; a file may have a `#` in its own name."""
    text = str(weights)
    if "#" not in text or weights.exists():
        return weights, None
    file, _, key = text.rpartition("#")
    return Path(file), key


def choose_set(content: object, path: Path, key: str | None) -> tuple[object, str, str]:
    """Return the set of weights in what a file holds, its name ("" where it has none), and a sentence about the choice.

    key: the name that is asked for. Raises ModelSpecError where there is no such set, and where one must be named.
    """
    sets = weight_sets(content)
    if key is not None:
        if key not in sets:
            raise ModelSpecError(
                f"--weights {path}#{key}: the file holds no weights of that name, but {_names(sets)}"
            )
        return sets[key], key, ""
    averaged = [name for name in sets if _AVERAGED.search(name)]
    plain = [name for name in WRAPPERS if name in sets]
    others = [name for name in sets if name not in averaged and name not in plain]
    if {"student", "teacher"} <= {name.lower() for name in sets} or (len(others) > 1 and not plain):
        raise ModelSpecError(
            f"--weights {path} holds several sets of weights, {_names(sets)}: name one, as {path}#{next(iter(sets))}"
        )
    chosen = (averaged or plain or others or [""])[0]
    if not chosen:
        return content, "", ""
    left = [name for name in sets if name != chosen]
    note = f"Of the weights in {path.name}, {_names(sets)}, {chosen} are taken; --weights FILE#NAME takes others."
    return sets[chosen], chosen, note if left else ""


def weight_sets(content: object) -> dict[str, object]:
    """Return what may be sets of weights in a checkpoint, by name: mappings that hold tensors."""
    if not isinstance(content, Mapping):
        return {}
    mapping = cast("Mapping[object, object]", content)
    if any(isinstance(value, Tensor) for value in mapping.values()):
        return {}
    return {
        str(name): value
        for name, value in mapping.items()
        if holds_tensors(value) and (str(name) in WRAPPERS or not _NO_WEIGHTS.search(str(name)))
    }


def holds_tensors(value: object) -> bool:
    """Return whether there is a tensor somewhere in nested mappings."""
    if not isinstance(value, Mapping):
        return False
    values = list(cast("Mapping[object, object]", value).values())
    return any(isinstance(item, Tensor) or holds_tensors(item) for item in values)


def _names(sets: Mapping[str, object]) -> str:
    return listed(list(sets), 6) or "no named sets"

"""Reads the weights in a checkpoint file without running code in it, and puts them into a network."""

import argparse
import pathlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...common.errors import ModelSpecError
from .base import listed
from .weight_sets import WRAPPERS, choose_set, holds_tensors, split_key

State = OrderedDict[str, Tensor]

TORCH_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".tar")
ALLOWED = f"a .safetensors file, or one of torch.save ({', '.join(TORCH_SUFFIXES)})"

_WRAPPING_MODULES = ("module.", "_orig_mod.")  # of DataParallel and torch.compile
_CHECK = "Check that the spec names the architecture that was trained"
_SAVE_HINT = "save the weights alone: torch.save(network.state_dict(), FILE), or safetensors.torch.save_file"


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint by name. weights: for the manifest. note: what a person should know of the choice."""

    state: State
    weights: str
    note: str = ""


def read_checkpoint(weights: Path) -> Checkpoint:
    """Return the tensors of a checkpoint by name, out of the usual wrappers, on the CPU.

    weights: a file, or FILE#NAME for the set of that name in it. `.safetensors` by safetensors, `.pth` and the like by
    torch with `weights_only=True`. Raises ModelSpecError.
    """
    check_checkpoint(weights)
    path, key = split_key(weights)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    prefix, note = "", ""
    if key is not None and _has_prefix(content, key):
        prefix = f"{key}."
    else:
        content, key, note = choose_set(content, path, key)
    state = _unwrap(content, path)
    if prefix:
        state = _strip(_only(state, prefix), prefix)
    for wrapping in _WRAPPING_MODULES * 2:  # either may be inside the other
        if all(name.startswith(wrapping) for name in state):
            state = _strip(state, wrapping)
    return Checkpoint(state, f"{path.name}#{key}" if note or prefix else path.name, note)


def _has_prefix(content: object, key: str) -> bool:
    """Return whether a flat state dict has tensors of a module of that name."""
    names = list(cast("Mapping[object, object]", content)) if isinstance(content, Mapping) else []
    return any(str(name).startswith(f"{key}.") for name in names)


def _only(state: State, prefix: str) -> State:
    kept: State = OrderedDict((name, tensor) for name, tensor in state.items() if name.startswith(prefix))
    if hasattr(state, "_metadata"):
        kept._metadata = state._metadata  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
    return kept


def check_checkpoint(path: Path) -> None:
    """Raise ModelSpecError unless `path`, or FILE of FILE#NAME, is a file of a kind that is read."""
    path, _ = split_key(path)
    if path.is_dir():
        raise ModelSpecError(f"--weights {path} is a folder; it must be {ALLOWED}")
    if not path.exists():
        raise ModelSpecError(f"--weights {path}: there is no such file; it must be {ALLOWED}")
    if path.suffix not in (".safetensors", *TORCH_SUFFIXES):
        suffix = path.suffix or "no suffix"
        raise ModelSpecError(f"--weights {path}: {suffix!r} is not read; it must be {ALLOWED}")
    if path.stat().st_size == 0:
        raise ModelSpecError(f"--weights {path} is empty")


def head_size(network: nn.Module, state: State, outputs: int) -> int | None:
    """Return how many outputs the checkpoint's head has, where they are not the network's `outputs`.

    Looks at the tensors of one name that differ in their first length alone; None where they do not say one
    number.
    """
    expected = network.state_dict()
    state = _match_prefix(state, set(expected))
    differing = {
        (tuple(expected[name].shape), tuple(tensor.shape))
        for name, tensor in state.items()
        if name in expected and expected[name].shape != tensor.shape
    }
    sizes = {there[0] for here, there in differing if here[:1] == (outputs,) and here[1:] == there[1:]}
    return sizes.pop() if len(sizes) == 1 else None


def fill(network: nn.Module, state: State, origin: str) -> None:
    """Load `state` into `network`; raises ModelSpecError unless names and shapes match.

    A prefix that all names share is taken off where that makes them match. A batch normalisation's
    `num_batches_tracked` may be missing: nothing reads it in eval mode.
    """
    expected = network.state_dict()
    state = _match_prefix(state, set(expected))
    sized = {
        name: tuple(tensor.shape)
        for name, tensor in expected.items()
        if not torch.nn.parameter.is_lazy(tensor)
    }
    shapes = [
        f"{name} {tuple(tensor.shape)} instead of {sized[name]}"
        for name, tensor in state.items()
        if name in sized and tuple(tensor.shape) != sized[name]
    ]
    if shapes:
        raise ModelSpecError(
            f"{origin} does not fit this network: {len(shapes)} of {len(expected)} tensors have another "
            f"shape: {listed(shapes, 4)}. {_CHECK}"
        )
    if not hasattr(state, "_metadata"):  # safetensors keeps no versions of modules
        metadata = expected._metadata  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
        state._metadata = metadata  # pyright: ignore[reportAttributeAccessIssue]
    try:
        result = network.load_state_dict(state, strict=False)
    except (RuntimeError, ValueError) as error:
        raise ModelSpecError(f"{origin} cannot be loaded into this network: {error}") from error
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or result.unexpected_keys:
        raise ModelSpecError(
            f"{origin} does not fit this network: {_name_keys(missing, result.unexpected_keys)}"
        )


def _name_keys(missing: list[str], unexpected: list[str]) -> str:
    parts: list[str] = []
    if missing:
        parts.append(f"{len(missing)} missing ({listed(missing, 4)})")
    if unexpected:
        parts.append(f"{len(unexpected)} unexpected ({listed(unexpected, 4)})")
    return " and ".join(parts) + f". {_CHECK}"


_GLOBAL = re.compile(r"GLOBAL ([\w.]+) (?:was|whose)")
"""What torch says of a class that a pickle names."""


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelSpecError(f"--weights {path} is not a whole safetensors file: {error}") from error


def _read_torch(path: Path) -> object:
    try:
        with torch.serialization.safe_globals(_harmless()):
            return cast("object", torch.load(path, map_location="cpu", weights_only=True))
    except OSError as error:
        raise ModelSpecError(f"--weights {path} cannot be read: {error}") from error
    except Exception as error:
        # A damaged file fails anywhere in the unpickler, with nearly any exception.
        object_found = _GLOBAL.search(str(error))
        if object_found is not None:
            raise ModelSpecError(
                f"--weights {path} holds a Python object ({object_found[1]}), such as a whole network, which only "
                f"running code could restore, and none is run. Where that code is, {_SAVE_HINT}"
            ) from error
        raise ModelSpecError(
            f"--weights {path} cannot be read as a file of weights: it is damaged, cut short, or of another kind"
        ) from error


def _harmless() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """Return what training scripts put beside the weights (arguments, metrics); restoring it runs no code."""
    scalar = cast("Callable[..., Any]", np.float64(0).__reduce__()[0])
    kinds = {type(np.dtype(kind)) for kind in ("bool", "int32", "int64", "float32", "float64")}
    return [
        argparse.Namespace,
        pathlib.PosixPath,
        np.dtype,
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        *kinds,
    ]


def _unwrap(content: object, path: Path) -> State:
    """Return the mapping of names to tensors inside the usual wrappers; what is not a tensor is left out."""
    while isinstance(content, Mapping):
        mapping = cast("Mapping[str, object]", content)
        inner = next((mapping[key] for key in WRAPPERS if holds_tensors(mapping.get(key))), None)
        if inner is None:
            state: State = OrderedDict((k, v) for k, v in mapping.items() if isinstance(v, Tensor))
            if not state:
                break
            if hasattr(content, "_metadata"):
                state._metadata = content._metadata  # pyright: ignore[reportAttributeAccessIssue]
            return state
        content = inner
    found = (
        f"a mapping of {listed(map(str, content), 6)}"
        if isinstance(content, Mapping)
        else type(content).__name__
    )
    raise ModelSpecError(f"--weights {path} holds no weights by name but {found}; {_SAVE_HINT}")


def _match_prefix(state: State, expected: set[str]) -> State:
    """Return the state without what its names have before the network's own.

    Where the network is one of several modules of what was trained (with a criterion that has buffers, or a second
    network), it is that module whose names are all of the network's. Raises ModelSpecError where several are.
    """
    candidate = state
    while set(candidate) - expected:
        prefixes = sorted({name.partition(".")[0] for name in candidate if "." in name})
        if len(prefixes) == 1 and all("." in name for name in candidate):
            candidate = _strip(candidate, f"{prefixes[0]}.")
            continue
        whole = [prefix for prefix in prefixes if _covers(candidate, f"{prefix}.", expected)]
        if len(whole) > 1:
            raise ModelSpecError(
                f"the checkpoint holds several networks that fit, {listed(whole, 4)}: name one, as FILE#{whole[0]}"
            )
        return _strip(_only(candidate, f"{whole[0]}."), f"{whole[0]}.") if whole else state
    return candidate


def _covers(state: State, prefix: str, expected: set[str]) -> bool:
    """Return whether the names below a prefix are the network's."""
    names = {name.removeprefix(prefix) for name in state if name.startswith(prefix)}
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    return needed <= names <= expected


def _strip(state: State, prefix: str) -> State:
    stripped: State = OrderedDict((name.removeprefix(prefix), tensor) for name, tensor in state.items())
    metadata: dict[str, Any] | None = getattr(state, "_metadata", None)
    if metadata is not None:
        stripped._metadata = {  # pyright: ignore[reportAttributeAccessIssue]
            "" if name == prefix[:-1] else name.removeprefix(prefix): value
            for name, value in metadata.items()
            if name
        }
    return stripped

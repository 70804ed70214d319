"""Networks of torchvision: its classification models, with their weights, preprocessing and class names."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torchvision
from torch import nn
from torchvision.models import WeightsEnum
from torchvision.transforms import InterpolationMode

from ...common.errors import ModelSpecError
from ...common.frame import Frame
from .base import RANDOM_WEIGHTS, Built, Request, listed, seeded, suggest
from .checkpoint import State, check_checkpoint, fill, head_size, read_checkpoint
from .preprocess import Preprocess
from .spec import RANDOM

_AUXILIARY = (
    "aux1",
    "aux2",
    "AuxLogits",
)  # GoogLeNet's and Inception's heads for training; unused in eval mode
_DOTTED_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


def build(request: Request) -> Built:
    """Return the torchvision network that is asked for. Raises ModelSpecError.

    With random weights or a checkpoint it is otherwise as with its DEFAULT weights (or the tag's, where one is named):
    input size, preprocessing, `transform_input`; class names where the head has as many outputs.
    """
    spec = request.spec
    tags = _tags(spec.name)
    tag = None if spec.weights in (None, RANDOM) else _find_tag(spec.name, tags, spec.weights)
    if request.checkpoint is not None:
        return _from_checkpoint(spec.name, tags, tag, request.checkpoint)
    if spec.weights is None and request.need_weights:
        raise ModelSpecError(
            f"torchvision:{spec.name} names no weights. Allowed: torchvision:{spec.name}@TAG with a TAG of "
            f"{_tag_names(tags)}; --weights FILE; torchvision:{spec.name}@random for untrained weights"
        )
    if tag is not None and request.need_weights:
        return _describe(_download(spec.name, tag), tag, f"torchvision's for {tag.name}", tag.name)
    preset = tag or _default(tags)
    with seeded():
        network = _untrained(spec.name, preset)
    return _describe(network, preset, _stated(preset, tag), RANDOM_WEIGHTS, is_random=True)


def _from_checkpoint(name: str, tags: type[WeightsEnum], tag: WeightsEnum | None, path: Path) -> Built:
    check_checkpoint(path)
    recognised = tag or _recognise(tags, path)
    preset = recognised or _default(tags)
    found = read_checkpoint(path)
    state = _rename(name, found.state)
    auxiliary = any(key.startswith(_AUXILIARY) for key in state)
    with seeded():
        network = _untrained(name, preset, auxiliary=auxiliary)
        outputs = head_size(network, state, len(_categories(preset)))
        if outputs is not None:
            network = _untrained(name, preset, auxiliary=auxiliary, num_classes=outputs)
    fill(network, state, f"--weights {path}")
    built = _describe(network, preset, _stated(preset, recognised), found.weights, outputs=outputs)
    return replace(built, notes=(found.note,)) if found.note else built


def _describe(
    network: nn.Module,
    preset: WeightsEnum,
    stated: str,
    weights: str,
    *,
    is_random: bool = False,
    outputs: int | None = None,
) -> Built:
    for name in _AUXILIARY:
        if getattr(network, name, None) is not None:
            setattr(network, name, None)
    if hasattr(network, "aux_logits"):
        network.aux_logits = False  # pyright: ignore[reportArgumentType] - a plain attribute, not a module
    categories = _categories(preset)
    classes = categories if outputs in (None, len(categories)) else None
    return Built(network, _preprocess(preset), stated, classes, weights, is_random, classifier=True)


def _stated(preset: WeightsEnum, named: WeightsEnum | None) -> str:
    return f"torchvision's for {preset.name}" + (
        "" if named else " (its default: no other weights are named)"
    )


def _untrained(name: str, preset: WeightsEnum, *, auxiliary: bool = False, **options: Any) -> nn.Module:
    """Build it as torchvision does for `preset`, without loading its weights."""
    builder = _builder(name)
    module = builder.__module__.rpartition(".")[2]
    if module in ("googlenet", "inception"):
        options |= {"transform_input": True, "aux_logits": auxiliary, "init_weights": True}
    elif module == "vision_transformer":
        options["image_size"] = preset.meta["min_size"][0]
    elif module == "maxvit":
        options["input_size"] = preset.meta["min_size"]
    return builder(weights=None, **options)


def _download(name: str, tag: WeightsEnum) -> nn.Module:
    try:
        return _builder(name)(weights=tag)
    except Exception as error:
        # No network, a refused request, a damaged file in the cache: urllib, the hash check and torch raise all sorts.
        raise ModelSpecError(
            f"the weights {tag.name} of torchvision:{name} could not be downloaded or read "
            f"({type(error).__name__}: {error}). Where there is no network, fetch {tag.url} elsewhere, "
            f"and give the file with --weights FILE"
        ) from error


def _builder(name: str) -> Callable[..., nn.Module]:
    return torchvision.models.get_model_builder(name)


def _tags(name: str) -> type[WeightsEnum]:
    """Return the weights of a classification model; raises ModelSpecError for any other name."""
    classifiers = torchvision.models.list_models(module=torchvision.models)
    if name in classifiers:
        return torchvision.models.get_model_weights(name)
    if name in torchvision.models.list_models():
        kind = _builder(name).__module__.split(".")[2].replace("_", " ")
        raise ModelSpecError(
            f"torchvision:{name} is not a classification model but of torchvision.models' {kind}; allowed: "
            f"torchvision's classification models, and for others a factory (FILE.py:FACTORY) that returns logits"
        )
    raise ModelSpecError(
        f"torchvision has no model {name!r}{suggest(name, classifiers)} Its names: {listed(classifiers, 8)}"
    )


def _find_tag(name: str, tags: type[WeightsEnum], wanted: str) -> WeightsEnum:
    if wanted in tags.__members__:
        return tags[wanted]
    raise ModelSpecError(
        f"torchvision:{name} has no weights {wanted!r}{suggest(wanted, tags.__members__)} Allowed: "
        f"{_tag_names(tags)}, or random"
    )


def _tag_names(tags: type[WeightsEnum]) -> str:
    return listed(
        f"DEFAULT (= {tag.name})" if key == "DEFAULT" else key
        for key, tag in sorted(tags.__members__.items())
    )


def _default(tags: type[WeightsEnum]) -> WeightsEnum:
    return tags.__members__.get("DEFAULT", next(iter(tags)))


def _recognise(tags: type[WeightsEnum], path: Path) -> WeightsEnum | None:
    """Return the weights that a file holds, by the SHA-256 that torchvision's file names begin with."""
    named = {match[1]: tag for tag in tags if (match := re.search(r"-([0-9a-f]{8,})\.pth$", tag.url))}
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return next((tag for start, tag in named.items() if sha256.startswith(start)), None)


def _rename(name: str, state: State) -> State:
    """Return the names of today for those in torchvision's own DenseNet files, which it renames as it loads them."""
    if name.startswith("densenet"):
        for key in list(state):
            if match := _DOTTED_DENSENET.match(key):
                state[match[1] + match[2]] = state.pop(key)
    return state


def _categories(preset: WeightsEnum) -> tuple[str, ...]:
    return tuple(preset.meta["categories"])


def _preprocess(preset: WeightsEnum) -> Preprocess:
    """Return what `preset.transforms()` does, read from its attributes."""
    steps: Any = preset.transforms()
    resize, crop = tuple(steps.resize_size), tuple(steps.crop_size)
    interpolation = cast("InterpolationMode", steps.interpolation).value
    return Preprocess(
        Frame(resize[0] if len(resize) == 1 else (resize[0], resize[1]), (crop[0], crop[-1])),
        tuple(steps.mean),
        tuple(steps.std),
        interpolation,
        steps.antialias is not False and steps.antialias is not None,
    )

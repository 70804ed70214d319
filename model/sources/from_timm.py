"""Networks of timm, with its pretrained tags, preprocessing and class names."""

import math
import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

import timm
import timm.data
import timm.models
import torchvision
from torch import nn

from ...common.errors import ModelSpecError
from ...common.frame import Frame
from .base import RANDOM_WEIGHTS, Built, Request, listed, seeded, suggest
from .checkpoint import State, check_checkpoint, fill, head_size, read_checkpoint
from .hub import cached_if_unreachable
from .preprocess import INTERPOLATIONS, Preprocess
from .spec import RANDOM

_data: Any = timm.data  # it does not say which of its names are public
_OTHERWISE = "; write a factory (FILE.py:FACTORY) with a PREPROCESS that says what to do instead"


def build(request: Request) -> Built:
    """Return the timm network that is asked for. Raises ModelSpecError.

    With random weights or a checkpoint, a tag in the name still says what the preprocessing is.
    """
    spec = request.spec
    name, is_random = spec.name, spec.weights == RANDOM or not request.need_weights
    _check_name(name)
    if request.checkpoint is not None:
        return _from_checkpoint(name, request)
    if is_random:
        with seeded():
            network = _create(name, pretrained=False)
        return _describe(network, RANDOM_WEIGHTS, is_random=True)
    _check_pretrained(name)
    network = _create(name, pretrained=True)
    return _describe(network, _tag(network) or name)


def _from_checkpoint(name: str, request: Request) -> Built:
    path = request.checkpoint
    assert path is not None
    check_checkpoint(path)
    found = read_checkpoint(path)
    state = found.state
    with seeded():
        network = _create(name, pretrained=False)
        own_outputs = cast("int", getattr(network, "num_classes", 0))
        outputs = head_size(network, state, own_outputs)
        if outputs is not None:
            network = _create(name, pretrained=False, num_classes=outputs)
    fill(network, _convert(network, state), f"--weights {path}")
    built = _describe(network, found.weights, same_head=outputs is None)
    return replace(built, notes=(found.note,)) if found.note else built


def _describe(network: nn.Module, weights: str, *, is_random: bool = False, same_head: bool = True) -> Built:
    outputs = cast("int", getattr(network, "num_classes", 0))
    source = f"timm's for {_tag(network) or 'the architecture'}"
    classes = _classes(outputs) if same_head or outputs == 1000 else None
    return Built(
        network,
        _preprocess(network),
        source,
        classes,
        weights,
        is_random,
        logits=outputs > 0,
        classifier=True,
    )


def _create(name: str, *, pretrained: bool, **options: Any) -> nn.Module:
    try:
        with cached_if_unreachable() if pretrained else nullcontext():
            return timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:
        # Hub clients and timm raise all sorts for no network, an unknown repository or a damaged file.
        what = "the weights of " if pretrained else ""
        hint = ""
        if pretrained:
            hint = f". Where there is no network, fetch {_repository(name)} elsewhere, and give it with --weights FILE"
        raise ModelSpecError(
            f"{what}timm:{name} could not be loaded ({type(error).__name__}: {error}){hint}"
        ) from error


def _check_name(name: str) -> None:
    """Raise ModelSpecError for an architecture or a tag that timm does not have."""
    if ":" in name:  # a hub's or a folder's name, which timm itself looks up
        return
    architecture, _, tag = name.partition(".")
    renamed = timm.models.get_deprecated_models()
    if architecture in renamed:
        raise ModelSpecError(f"timm has renamed {architecture!r}: write timm:{renamed[architecture]}")
    if not timm.models.is_model(architecture):
        known = timm.list_models()
        raise ModelSpecError(
            f"timm has no model {architecture!r}{suggest(architecture, known)} It has {len(known)}: "
            f"python -c 'import timm; print(timm.list_models())'"
        )
    if tag and name not in timm.list_models(f"{architecture}.*", include_tags=True):
        tags = timm.list_pretrained(f"{architecture}.*")
        raise ModelSpecError(
            f"timm has no weights {tag!r} for {architecture}{suggest(name, tags)} Allowed: {_allowed(architecture)}"
        )


def _repository(name: str) -> str:
    config = None if ":" in name else timm.models.get_pretrained_cfg(name)
    repository: str | None = getattr(config, "hf_hub_id", None)
    return f"the weights in the Hugging Face repository {repository}" if repository else "its file of weights"


def _check_pretrained(name: str) -> None:
    if ":" not in name and not timm.models.is_model_pretrained(name):
        architecture = name.partition(".")[0]
        raise ModelSpecError(f"timm has no weights for {name}. Allowed: {_allowed(architecture)}")


def _allowed(architecture: str) -> str:
    tags = [f"timm:{name}" for name in timm.list_pretrained(f"{architecture}.*")]
    return listed([*tags, "--weights FILE", f"timm:{architecture}@random for untrained weights"], 20)


def _tag(network: nn.Module) -> str | None:
    return _config(network).get("tag") or None


def _config(network: nn.Module) -> dict[str, Any]:
    return dict(getattr(network, "pretrained_cfg", None) or {})


def _convert(network: nn.Module, state: State) -> State:
    """Return the names that this version of timm uses, by the conversion that its file for this architecture has, if
    any.
    """
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is None or set(state) <= set(network.state_dict()):
        return state
    return State(convert(dict(state), network))


def _classes(outputs: int) -> tuple[str, ...] | None:
    """Return the names of ImageNet's 1,000 classes, as torchvision has them; WordNet ids of timm's larger sets; else
    None.
    """
    if outputs == 1000:
        return tuple(torchvision.models.AlexNet_Weights.DEFAULT.meta["categories"])
    subset = _data.infer_imagenet_subset({"num_classes": outputs})
    return tuple(_data.ImageNetInfo(subset).label_names()) if subset else None


def _preprocess(network: nn.Module) -> Preprocess:
    """Return timm's evaluation transform (`timm.data.transforms_factory.transforms_imagenet_eval`) as a Frame."""
    config = _data.resolve_model_data_config(network)
    channels, height, width = config["input_size"]
    if channels != 3 or len(config["mean"]) != 3 or len(config["std"]) != 3:
        raise ModelSpecError(
            f"timm's {_tag(network)} takes {channels} channels; only RGB images are read{_OTHERWISE}"
        )
    interpolation = config["interpolation"]
    if interpolation not in INTERPOLATIONS:
        allowed = ", ".join(INTERPOLATIONS)
        raise ModelSpecError(f"timm's interpolation {interpolation!r} is not one of {allowed}{_OTHERWISE}")
    frame = Frame(_resize(config["crop_mode"], height, width, config["crop_pct"]), (height, width))
    mean, std = config["mean"], config["std"]
    return Preprocess(frame, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), interpolation)


def _resize(crop_mode: str, height: int, width: int, crop_pct: float) -> int | tuple[int, int]:
    size = math.floor(height / crop_pct), math.floor(width / crop_pct)
    if crop_mode == "squash":
        return size
    if crop_mode == "border":
        raise ModelSpecError(
            f"timm's crop mode 'border' pads images with the mean colour, which is not done here{_OTHERWISE}"
        )
    if size[0] != size[1]:
        raise ModelSpecError(
            f"timm's centre crop to {height}x{width}, not square, is not done here{_OTHERWISE}"
        )
    return size[0]

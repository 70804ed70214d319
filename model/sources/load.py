"""Loads the network under study, with its weights, preprocessing and class names, from the name it is asked for by.

Random weights are never loaded by accident: a spec that names no weights and gets no checkpoint is an error.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...common.errors import ModelSpecError, UsageError
from ...common.task_names import PREDICTING, Form, Task
from ..outputs import Values, describe_values, noise_images, read_output
from ..running.layout import settle_layout, takes_channels_last
from .base import Built, Request, seeded
from .fingerprint import check_values, fingerprint
from .preprocess import Preprocess
from .spec import OWN, RANDOM, ModelSpec, parse_spec

CONTIGUOUS = "The network fails on images with their channels last in memory; it runs on contiguous ones."


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode, without gradients, and what is known of it.

    classes: one name for each logit, or None. spec: as it was given. weights: for the manifest: the tag, the
    checkpoint's file name, "own" (the factory's), or "random, seed 0". fingerprint: SHA-256 of the state dict.
    input_size: (height, width). preprocess_source: who says what the preprocessing is.
    outputs: how many scores an image has, or None where the network gives none. values: what they look like for noise.
    is_classifier: by construction, as libraries' models are. task, output_form: what the factory's file names.
    notes: sentences about the network and its weights that a person should read.
    """

    network: nn.Module
    preprocess: Preprocess
    classes: tuple[str, ...] | None
    spec: str
    weights: str
    random: bool
    fingerprint: str
    input_size: tuple[int, int]
    preprocess_source: str
    outputs: int | None
    notes: tuple[str, ...] = ()
    values: Values = "scores"
    is_classifier: bool = False
    task: Task | None = None
    output_form: Form | None = None


def load_model(
    spec: str, *, weights: str | None = None, device: str = "cpu", need_weights: bool = True
) -> LoadedModel:
    """Return the network that `spec` names (see `spec.py`), with the checkpoint in the file `weights` if one is given.

    need_weights: False where only the architecture matters: nothing is downloaded, weights are random unless
    `weights` gives them, and what is not a classifier is allowed. The network runs once, on noise.

    Raises ModelSpecError for whatever cannot be found or loaded as it was named, UsageError for the device.

    >>> from unitscope.model import load_model
    >>> model = load_model("network.py:small@random")
    >>> model.classes, model.input_size
    (('circle', 'square', 'cross'), (24, 24))
    """
    parsed = parse_spec(spec)
    target = _find_device(device)
    if weights is not None and parsed.weights in (RANDOM, OWN):
        raise ModelSpecError(f"{spec} and --weights {weights} name two sets of weights; leave one out")
    checkpoint = None if weights is None else Path(weights).expanduser()
    built = _build(Request(parsed, checkpoint, need_weights))
    check_values(built.network, spec)
    network = built.network.eval().requires_grad_(requires_grad=False)
    digest = fingerprint(network)
    network = network.to(target)
    scores = _scores(built, network, spec, target, required=need_weights)
    outputs = None if scores is None else scores.shape[1]
    classes = built.classes
    if (
        classes is not None and outputs == 1 and len(classes) <= 2
    ):  # one score: the second class, or its opposite
        classes = classes if len(classes) == 2 else (f"not {next(iter(classes))}", *classes)
    elif classes is not None and outputs is not None and len(classes) != outputs:
        raise ModelSpecError(
            f"{spec}: CLASSES has {len(classes)} names, but the network gives {outputs} outputs"
        )
    return LoadedModel(
        network=network,
        preprocess=built.preprocess,
        classes=classes,
        spec=spec,
        weights=built.weights,
        random=built.random,
        fingerprint=digest,
        input_size=built.preprocess.input_size,
        preprocess_source=built.preprocess_source,
        outputs=outputs,
        notes=built.notes + (() if takes_channels_last(network) else (CONTIGUOUS,)),
        values="scores" if scores is None else describe_values(scores),
        is_classifier=built.classifier,
        task=built.task,
        output_form=built.output,
    )


def _build(request: Request) -> Built:
    # Each source's library takes seconds to import.
    if request.spec.source == "torchvision":
        from . import from_torchvision as source
    elif request.spec.source == "timm":
        from . import from_timm as source
    elif request.spec.source == "hf":
        from . import from_transformers as source
    else:
        from . import from_factory as source
    return source.build(request)


def _find_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"device {name!r} cannot be used here ({first_line}); allowed: cpu, or cuda where there is one"
        ) from error
    return device


def _scores(
    built: Built, network: nn.Module, spec: str, device: torch.device, *, required: bool
) -> Tensor | None:
    """Return (images, outputs), what the network gives for noise; None where it gives something else, and is no
    classifier by what its file says, or `required` is False.
    """
    height, width = built.preprocess.input_size
    images = noise_images((height, width), device)
    with seeded(), torch.inference_mode():
        try:
            output = settle_layout(network, images)
        except Exception as error:
            raise ModelSpecError(
                f"{spec}: the network fails on images of its input size, {height}x{width}, RGB, float32 "
                f"({built.preprocess_source}): {type(error).__name__}: {error}{_advice(network)}"
            ) from error
    scores = read_output(output)
    if scores is not None and len(scores) == len(images):
        return scores if built.logits else None
    if not required or (built.task is not None and built.task not in PREDICTING):
        return None
    given = f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
    raise ModelSpecError(
        f"{spec}: the network returns {given} for {len(images)} images; it must return scores, a tensor (images, "
        "classes), or an object with such `logits`. Wrap it in a factory that does; where it predicts no classes, "
        'write TASK = "none" beside the factory'
    )


def _advice(network: nn.Module) -> str:
    """Return what to do about the commonest reasons for which a network takes no float32 RGB image."""
    kind = next(
        (parameter.dtype for parameter in network.parameters() if parameter.is_floating_point()),
        torch.float32,
    )
    if kind != torch.float32:
        return f". Its weights are {kind}: let the factory return network.float()"
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None and first.in_channels != 3:
        return (
            f". Its first convolution takes {first.in_channels} channels, and images come as RGB: let the factory "
            "return a network that makes its channels from these 3"
        )
    return ""


__all__ = ["LoadedModel", "ModelSpec", "load_model"]

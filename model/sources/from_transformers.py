"""Image classifiers of the transformers library, from a folder or a repository of Hugging Face's hub.

The classes are the config's `id2label`, the preprocessing is the image processor's. Both are only taken where they are
known to be right: every weight comes from the checkpoint, and the preprocessing is compared with the processor itself
on noise. Code that a repository brings along is never run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import nn

from ...common.errors import ModelSpecError
from ...common.frame import Frame
from ...common.task_names import Task
from .base import RANDOM_WEIGHTS, Built, Request, listed, seeded
from .checkpoint import check_checkpoint, fill, read_checkpoint
from .hub import cached_if_unreachable
from .preprocess import Preprocess
from .spec import RANDOM

try:
    import transformers
except ModuleNotFoundError as _missing:
    raise ModelSpecError(
        "hf: networks need the transformers library: pip install 'unitscope[hf]' (or pip install transformers)"
    ) from _missing

_library: Any = transformers  # its names are made when they are asked for, where no type checker sees them
_RESAMPLE = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of filters, and our names."""
_NOISE_SIZES = ((61, 83), (90, 64))
"""(height, width) of the images of noise on which two preprocessings are compared."""
_TOLERANCE = 2.5 / 255
"""Largest difference, in units where white is 1: two levels, which resizes of different libraries differ by."""
_TASKS: dict[str, Task] = {"multi_label_classification": "multi-label", "regression": "regression"}
_OTHERWISE = "; write a factory (FILE.py:FACTORY) with a PREPROCESS that says what to do instead"


def build(request: Request) -> Built:
    """Return the classifier that is asked for. Raises ModelSpecError."""
    _library.utils.logging.set_verbosity_error()
    _library.utils.logging.disable_progress_bar()
    spec = request.spec
    place = str(Path(spec.name).expanduser())
    if not Path(place).is_dir() and (place != spec.name or spec.name.startswith((".", "/"))):
        raise ModelSpecError(f"hf:{spec.name}: there is no such folder")
    with cached_if_unreachable():
        config = _read(place, "config", lambda: _library.AutoConfig.from_pretrained(place))
        processor = _read(place, "image processor", lambda: _processor(place))
        preprocess = read_processor(processor, f"hf:{spec.name}")
        if request.checkpoint is not None:
            network, weights, notes = _from_checkpoint(config, request.checkpoint)
        elif spec.weights == RANDOM or not request.need_weights:
            network, weights, notes = _untrained(config), RANDOM_WEIGHTS, ()
        else:
            network, weights, notes = _pretrained(place), _revision(config, place), ()
    return Built(
        network,
        preprocess,
        f"the image processor of {spec.name}",
        _classes(config),
        weights,
        weights == RANDOM_WEIGHTS,
        classifier=True,
        task=_TASKS.get(str(getattr(config, "problem_type", None))),
        notes=notes,
    )


def _processor(place: str) -> Any:
    return _library.AutoImageProcessor.from_pretrained(place)


def _read(place: str, what: str, read: Any) -> Any:
    try:
        return read()
    except Exception as error:
        # It raises all sorts for no network, no such repository, a missing or damaged file, or code of its own.
        raise ModelSpecError(f"the {what} of hf:{place} could not be read: {_first_lines(error)}") from error


def _first_lines(error: Exception) -> str:
    """Return what a person needs of transformers' long messages."""
    return " ".join(str(error).split("\n\n")[0].split()) or type(error).__name__


def _pretrained(place: str) -> nn.Module:
    """Raise ModelSpecError where a weight is not in the checkpoint: transformers would make it up."""

    def load() -> tuple[nn.Module, dict[str, Any]]:
        return _library.AutoModelForImageClassification.from_pretrained(
            place, dtype=torch.float32, output_loading_info=True
        )

    with seeded():
        network, info = _read(place, "weights", load)
    missing = sorted({*map(str, info["missing_keys"]), *(str(key[0]) for key in info["mismatched_keys"])})
    if missing:
        raise ModelSpecError(
            f"hf:{place} is not a trained image classifier: its checkpoint lacks {listed(missing, 4)}. Fine-tune it "
            f"first, or name untrained weights, hf:{place}@random"
        )
    return network


def _untrained(config: Any) -> nn.Module:
    with seeded():
        return _library.AutoModelForImageClassification.from_config(config, dtype=torch.float32)


def _from_checkpoint(config: Any, path: Path) -> tuple[nn.Module, str, tuple[str, ...]]:
    check_checkpoint(path)
    found = read_checkpoint(path)
    network = _untrained(config)
    fill(network, found.state, f"--weights {path}")
    return network, found.weights, (found.note,) if found.note else ()


def _revision(config: Any, place: str) -> str:
    """Return what the manifest calls the weights: the hub's commit, or the folder's name."""
    return str(getattr(config, "_commit_hash", None) or Path(place).name)


def _classes(config: Any) -> tuple[str, ...] | None:
    """Return the names in `id2label`; None where they are transformers' own LABEL_0, LABEL_1 …"""
    names = cast("Mapping[int, str]", getattr(config, "id2label", None) or {})
    if sorted(names) != list(range(len(names))):
        return None
    found = tuple(str(names[index]) for index in range(len(names)))
    return None if found == tuple(f"LABEL_{index}" for index in range(len(found))) else found or None


def read_processor(processor: Any, name: str) -> Preprocess:
    """Return the transform of an image processor. Raises ModelSpecError for one that is not done here."""
    options: dict[str, Any] = processor.to_dict()
    preprocess = Preprocess(
        _frame(options, name),
        _triple(options, "image_mean", 0.0),
        _triple(options, "image_std", 1.0),
        _filter(options),
    )
    _compare(preprocess, processor, name)
    return preprocess


def _triple(options: dict[str, Any], key: str, otherwise: float) -> tuple[float, float, float]:
    values = options.get(key) if options.get("do_normalize", True) else None
    values = [otherwise] if values is None else values if isinstance(values, list | tuple) else [values]
    values = [float(value) for value in values]
    values = values * 3 if len(values) == 1 else values
    return values[0], values[1], values[2]


def _filter(options: dict[str, Any]) -> str:
    return _RESAMPLE.get(int(options.get("resample") or 0), "bilinear")


def _frame(options: dict[str, Any], name: str) -> Frame:
    size, crop = _sides(options.get("size")), _sides(options.get("crop_size"))
    if not options.get("do_resize", True):
        size = None
    shortest = size.get("shortest_edge") if size else None
    cropped = (crop["height"], crop["width"]) if crop and options.get("do_center_crop") else None
    if (
        options.get("crop_pct") and shortest
    ):  # ConvNeXt's: a crop of a larger resize, or below it no crop at all
        whole = shortest >= 384
        resize = (shortest, shortest) if whole else int(shortest / options["crop_pct"])
        return Frame(resize, None if whole else (shortest, shortest), "down")
    if size and shortest and cropped and "longest_edge" not in size:
        return Frame(shortest, cropped, "down")
    if size and "height" in size:
        return Frame((size["height"], size["width"]), cropped, "down")
    raise ModelSpecError(
        f"{name}: its image processor gives images different sizes (size {options.get('size')}, crop_size "
        f"{options.get('crop_size')}), which is not done here{_OTHERWISE}"
    )


def _sides(size: Any) -> dict[str, int] | None:
    if size is None:
        return None
    if isinstance(size, int):
        return {"height": size, "width": size}
    return {str(key): int(value) for key, value in dict(size).items() if value is not None}


def _compare(preprocess: Preprocess, processor: Any, name: str) -> None:
    """Raise ModelSpecError where the processor gives other pixels than `preprocess` does."""
    rng = np.random.default_rng(0)
    for height, width in _NOISE_SIZES:
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        theirs = processor(images=[Image.fromarray(pixels)], return_tensors="pt")["pixel_values"]
        fitted = preprocess.fit(torch.from_numpy(pixels).permute(2, 0, 1))
        ours = preprocess.normalise(fitted[None])
        alike = theirs.shape == ours.shape
        gap = float((theirs - ours).abs().max()) * min(preprocess.std) if alike else float("inf")
        if gap > _TOLERANCE:
            how = f"differs by up to {gap:.2g} of white" if alike else f"gives {tuple(theirs.shape)}"
            raise ModelSpecError(
                f"{name}: its image processor ({type(processor).__name__}) does something that is not done here: for "
                f"an image of {height}x{width} it {how}{_OTHERWISE}"
            )

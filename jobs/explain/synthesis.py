"""Synthesises the image that a unit or a class of a store's network asks for."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ...common.errors import UsageError
from ...model.explain.ascent import PRESETS, PresetName, ascend, maco, spectrum_of
from .image import Explanation
from .subject import Subject

SynthesisMethod = Literal["gradient-ascent", "maco"]
SYNTHESES: tuple[SynthesisMethod, ...] = get_args(SynthesisMethod)
SPECTRUM_IMAGES = 200
"""Of the dataset, whose mean spectrum MACO keeps."""


@dataclass(frozen=True)
class Wanted:
    """What is to be synthesised: a unit of a layer, or a class. preset: of gradient ascent."""

    method: SynthesisMethod
    class_name: str | None = None
    unit: tuple[str, int] | None = None
    preset: PresetName = "3"
    seed: int = 0


def synthesise(subject: Subject, wanted: Wanted) -> Explanation:
    """Return the image, from 0 to 1, and its score beside what the dataset's images reach.

    Raises UsageError where neither a unit nor a class is named, LayerError, and what reading images raises.
    """
    facts: dict[str, Any] = {"method": wanted.method, "seed": wanted.seed}
    if wanted.unit is not None:
        name, unit = wanted.unit
        target = subject.target(layer=subject.layer(name), unit=unit)
        row = subject.store.unit(name, unit)
        facts |= {"layer": name, "unit": unit, "largest_in_dataset": row.max}
    elif wanted.class_name is not None:
        index = subject.class_index(wanted.class_name)
        target = subject.target(class_index=index)
        facts |= {"class": index, "class_name": subject.store.class_name(index)}
    else:
        raise UsageError(f"{wanted.method} needs a unit (--unit LAYER/UNIT) or a class (--class NAME)")
    network, mean = subject.model.network, subject.model.preprocess.mean
    if wanted.method == "maco":
        chosen = _some(subject, wanted.seed)
        spectrum = spectrum_of(subject.pixels(chosen))
        width = subject.model.input_size[1]
        made = maco(network, subject.normalise, target, spectrum, width, mean=mean, seeds=[wanted.seed])
        facts["spectrum_of"] = len(chosen)
    else:
        preset = PRESETS[wanted.preset]
        size = subject.model.input_size
        made = ascend(network, subject.normalise, target, size, preset, mean=mean, seeds=[wanted.seed])
        facts |= {"preset": wanted.preset, "settings": vars(preset)}
    facts |= {"score": float(made.scores[0]), "curve": [round(one, 4) for one in made.curve]}
    values = made.images[0].detach().numpy()
    return Explanation(values, values, facts)


def _some(subject: Subject, seed: int) -> list[int]:
    """Return images by lot that the network reads."""
    readable = np.flatnonzero(subject.store.mask("status = 'ok'"))
    most = min(SPECTRUM_IMAGES, len(readable))
    return np.sort(np.random.default_rng(seed).choice(readable, most, replace=False)).tolist()

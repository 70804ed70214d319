"""What keeps a network from being swept as it is, told without its weights and without images."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...common.errors import LayerError
from ..capture.feature import Feature
from ..feature.find_feature import find_feature
from ..layers.layers import Layer
from ..sources.base import ASSUMED
from ..sources.load import LoadedModel
from ..sources.spec import parse_spec
from .independence import check_independence


@dataclass(frozen=True)
class Sweepable:
    """feature: the one that a sweep keeps, None where it finds none. problems: why a sweep refuses, as sentences."""

    feature: Feature | None
    problems: tuple[str, ...]


def check_sweepable(
    model: LoadedModel, layers: Sequence[Layer], input_size: tuple[int, int], *, has_weights: bool
) -> Sweepable:
    """Return what a sweep of these layers would refuse. has_weights: whether a checkpoint is given."""
    problems: list[str] = []
    parsed = parse_spec(model.spec)
    if parsed.weights is None and not has_weights and parsed.source in ("torchvision", "file", "module"):
        tag = "@TAG, as in @DEFAULT" if parsed.source == "torchvision" else "@own if the factory loads them"
        problems.append(f"It names no weights: add {tag}, --weights FILE, or @random for untrained ones.")
    if model.preprocess_source.startswith(ASSUMED):
        problems.append("The factory's file has no PREPROCESS, which says how images become inputs.")
    if model.outputs is None and model.task is None:
        problems.append(
            'It returns no scores of classes (images, classes): write TASK = "none" beside the factory if it predicts '
            "none, or return scores."
        )
    if not layers:
        problems.append("No layer is swept by default: name some with --layers.")
    feature: Feature | None = None
    try:
        feature = find_feature(model.network, input_size)
        if layers:
            check_independence(model.network, layers, feature, input_size)
    except LayerError as error:
        problems.append(str(error))
    return Sweepable(feature, tuple(problems))

"""The view of a layer: the centred window that holds 90 % of the input-gradient energy over a sample of images."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..common.errors import SweepError
from .layers import Layer, as_grid
from .receptive_field import ReceptiveField, each_output
from .trace import every_module_runs

SHARE = 0.9
IMAGES_AT_ONCE = 8


def measure_views(
    network: nn.Module,
    layers: Sequence[Layer],
    fields: dict[str, ReceptiveField],
    batches: Iterable[Tensor],
    *,
    samples: int = 128,
    seed: int = 0,
) -> dict[str, tuple[int, int]]:
    """(view height, view width) of each layer, by name, in pixels of the model's input.

    network: in evaluation mode. fields: of `receptive_fields`. batches: normalised images (N, 3, height, width)
    float32; the first `samples` of them are used.

    For each image one unit of the layer is drawn, and the gradient of its maximum (at the first position) is taken with
    respect to the image. Energy is the squared gradient, summed over channels; each image counts the same, and images
    without gradient (a dead unit) do not count. The view is the smallest window of the family below that holds on
    average 90 % of the energy.

    A window of `size` rows lies around the centre of the position's receptive field: its first row is the field's first
    row plus (height - size) // 2, and so for columns; `Windows` has the family of sizes.

    Raises SweepError if there are no images. On a CPU the same arguments always give the same result (one intra-op
    thread is used), and a layer's result does not depend on which other layers are measured with it.
    """
    units = {layer.name: _units(layer, samples, seed) for layer in layers}
    energies: dict[str, Energy] = {}
    done = 0
    with _one_thread():
        for images in _chunks(batches, samples):
            drawn = {name: order[done : done + len(images)] for name, order in units.items()}
            for name, sample in _gradients(network, layers, images, drawn):
                if name not in energies:
                    energies[name] = Energy(Windows(fields[name], tuple(images.shape[2:])))
                energies[name].add(sample)
            done += len(images)
    if not done:
        raise SweepError("no image to measure the view on: give at least one that can be read")
    return {layer.name: energies[layer.name].view() for layer in layers}


@dataclass(frozen=True)
class Windows:
    """Sizes of windows, from one pixel to the whole receptive field, with the field's aspect.

    input_size: (height, width). Window t, from 0, has t + 1 pixels along the longer side of the field clipped to the
    input's size, and as many along the other as the aspect of that clipped field says, rounded up; neither is larger
    than the field. heights, widths: (windows,) int64.
    """

    receptive_field: ReceptiveField
    input_size: tuple[int, ...]
    heights: NDArray[np.int64] = field(init=False)
    widths: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        full = (self.receptive_field.height, self.receptive_field.width)
        aspect = [min(size, length) for size, length in zip(full, self.input_size, strict=True)]
        longer = max(aspect)
        steps = max(-(-size * longer // side) for size, side in zip(full, aspect, strict=True))
        counts = np.arange(1, steps + 1, dtype=np.int64)
        heights, widths = (
            np.minimum(-(-counts * side // longer), size) for side, size in zip(aspect, full, strict=True)
        )
        object.__setattr__(self, "heights", heights)
        object.__setattr__(self, "widths", widths)

    def first(self, position: tuple[int, int]) -> NDArray[np.int64]:
        """(height, width) int64: for each pixel of the input the smallest window around the position that holds it.

        Pixels outside the receptive field, which have no energy, get the largest.
        """
        this = self.receptive_field
        top, left = this.start_y + position[0] * this.stride_y, this.start_x + position[1] * this.stride_x
        rows = _first_along(np.arange(self.input_size[0]) - top, self.heights, this.height)
        columns = _first_along(np.arange(self.input_size[1]) - left, self.widths, this.width)
        return np.minimum(np.maximum(rows[:, None], columns[None, :]), len(self.heights) - 1)


def _first_along(offsets: NDArray[np.int64], sizes: NDArray[np.int64], full: int) -> NDArray[np.int64]:
    """(pixels,) int64: the first size whose centred interval holds each offset from the field's first pixel."""
    low = (full - sizes) // 2
    reach_down = np.searchsorted(-low, -offsets)
    reach_up = np.searchsorted(low + sizes - 1, offsets)
    return np.maximum(reach_down, reach_up)


@dataclass(frozen=True)
class Sample:
    """One image's gradient. energy: (height, width) float64, not normalised. position: the unit's first maximum."""

    energy: NDArray[np.float64]
    position: tuple[int, int]


class Energy:
    """How much of the energy each window of a family holds; a sum over samples."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.counted = 0
        self._added = np.zeros(len(windows.heights))

    def add(self, sample: Sample) -> None:
        """One more sample; one without energy, or with one that is not finite, does not count."""
        total = sample.energy.sum()
        if not (np.isfinite(total) and total > 0):
            return
        first = self.windows.first(sample.position)
        self._added += np.bincount(first.ravel(), (sample.energy / total).ravel(), minlength=len(self._added))
        self.counted += 1

    def shares(self) -> NDArray[np.float64]:
        """(windows,) float64: the mean share of the energy that each window holds."""
        return np.cumsum(self._added) / max(self.counted, 1)

    def view(self) -> tuple[int, int]:
        """(height, width) of the smallest window that holds enough; the largest if there was no energy at all."""
        enough = self.shares() >= SHARE
        chosen = int(enough.argmax()) if enough.any() else -1
        return int(self.windows.heights[chosen]), int(self.windows.widths[chosen])


def _units(layer: Layer, samples: int, seed: int) -> NDArray[np.int64]:
    """(samples,) int64: units in an order drawn for this layer; none comes again before all have come."""
    order = np.random.default_rng([seed, crc32(layer.name.encode())]).permutation(layer.units)
    return np.resize(order, samples)


def _chunks(batches: Iterable[Tensor], samples: int) -> Iterator[Tensor]:
    """The first `samples` images, a few at a time: all activations of a chunk are kept for the backward passes."""
    left = samples
    for batch in batches:
        yield from batch[:left].split(IMAGES_AT_ONCE)
        left -= min(left, len(batch))
        if not left:
            return


@dataclass
class _Peaks:
    """The maxima of one layer on a chunk. values: (images,), with their graph. positions: one (y, x) each."""

    values: Tensor
    positions: list[tuple[int, int]]


def _gradients(
    network: nn.Module, layers: Sequence[Layer], images: Tensor, drawn: dict[str, NDArray[np.int64]]
) -> Iterator[tuple[str, Sample]]:
    """(layer's name, sample) for each layer and image: one forward pass, and one backward pass for each layer."""
    with torch.inference_mode(False), torch.enable_grad():
        state = _usable_state(network)
        example = next((tensor for tensor in network.parameters() if tensor.is_floating_point()), images)
        leaf = images.clone().to(device=example.device, dtype=example.dtype).requires_grad_()
        peaks: dict[str, _Peaks] = {}

        def keep(layer: Layer, output: Tensor) -> None:
            peaks[layer.name] = _peaks(layer, output, drawn[layer.name])

        with every_module_runs(), each_output(network, layers, keep):
            # A copy goes in, because a network may write into its input.
            torch.func.functional_call(network, state, (leaf.clone(),)) if state else network(leaf.clone())
        for number, layer in enumerate(layers):
            peak = peaks[layer.name]
            energy = np.zeros((len(images), *images.shape[2:]))
            if peak.values.requires_grad:
                more = number < len(layers) - 1
                total = peak.values.sum()
                (gradient,) = torch.autograd.grad(total, leaf, retain_graph=more, materialize_grads=True)
                energy = gradient.double().square().sum(1).cpu().numpy()
            for each, position in zip(energy, peak.positions, strict=True):
                yield layer.name, Sample(each, position)


def _usable_state(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by which gradients can flow: copies of those made under `inference_mode`."""
    named = [*network.named_parameters(), *network.named_buffers()]
    return {name: tensor.clone() for name, tensor in named if tensor.is_inference()}


def _peaks(layer: Layer, output: Tensor, units: NDArray[np.int64]) -> _Peaks:
    """The maximum of each image's own unit, at the first position."""
    images = torch.arange(len(units), device=output.device)
    lines = as_grid(output, layer).flatten(2)[images, torch.from_numpy(units).to(output.device)]
    places = lines.detach().float().cpu().numpy().argmax(axis=1)
    values = lines[images, torch.from_numpy(places).to(output.device)]
    return _Peaks(values, [divmod(int(place), layer.width) for place in places])


@contextmanager
def _one_thread() -> Generator[None]:
    """One intra-op thread, so that sums are always made in the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

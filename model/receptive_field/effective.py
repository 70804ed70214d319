"""The view of a layer: the window that holds 90 % of the input-gradient energy, measured over a sample of images."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...common.errors import SweepError
from ..layers.layers import Layer, as_grid
from ..running.threads import intra_op_threads
from ..running.trace import every_module_runs
from .effective_windows import WHOLE, Centres, Energy, Sample, View, Windows, choose_centres
from .receptive_field import ReceptiveField, UnitFields, each_output

IMAGES_AT_ONCE = 8
KEPT = 64 * 224 * 224
"""Pixels of the samples that are kept of each layer, to learn from where the windows lie."""
LEAST = 8
"""Samples that a branch needs for a window of its own size."""


@dataclass(frozen=True)
class LayerViews:
    """The views of a layer's units. whole: all units together. branches: one for each of `UnitFields.branches`."""

    whole: View
    branches: tuple[View, ...] = ()


def measure_views(
    network: nn.Module,
    layers: Sequence[Layer],
    fields: dict[str, UnitFields],
    batches: Iterable[Tensor],
    *,
    samples: int = 128,
    seed: int = 0,
) -> dict[str, LayerViews]:
    """Return the views of each layer, by name, in pixels of the model's input.

    network: in evaluation mode. fields: of `unit_fields`. batches: normalised images (N, 3, height, width)
    float32; the first `samples` of them are used.

    For each image one unit of the layer is drawn, and the gradient of its maximum (at the first position) is taken with
    respect to the image. Energy is the squared gradient, summed over channels; each image counts the same, and images
    without gradient (a dead unit) do not count. The view is the smallest window that holds on average 90 % of the
    energy (the effective receptive field of Luo et al. 2016), around centres that follow the energy where it is not in
    the middle of the receptive field: see `choose_centres`. A window that covers more than half of the input is the
    whole input. Where units see different things (`UnitFields.branches`) they are drawn from all branches alike, and
    each branch has a view of its own. Of more branches than samples allow (as in a dense block), the size of each one's
    window is measured on its own samples and on those of the branches whose fields are most like it.

    Raises SweepError if there are no images. On a CPU the same arguments always give the same result (one intra-op
    thread is used), and a layer's result does not depend on which other layers are measured with it.
    """
    units = {layer.name: _units(layer, fields[layer.name], samples, seed) for layer in layers}
    measures: dict[str, _Measure] = {}
    done = 0
    with intra_op_threads(1):
        for images in _chunks(batches, samples):
            drawn = {name: order[done : done + len(images)] for name, order in units.items()}
            with closing(
                _gradients(network, layers, images, drawn)
            ) as gradients:  # its hooks go, whatever happens
                for layer, unit, sample in gradients:
                    if layer.name not in measures:
                        height, width = images.shape[2:]
                        measures[layer.name] = _Measure(layer, fields[layer.name], (height, width), samples)
                    measures[layer.name].add(unit, sample)
            done += len(images)
    if not done:
        raise SweepError("no image to measure the view on: give at least one that can be read")
    return {layer.name: measures[layer.name].views() for layer in layers}


class _Measure:
    """The samples of one layer, of all units, of each branch, and of each branch with its neighbours.

    samples: that are to come; each branch gets its share of them.
    """

    def __init__(self, layer: Layer, fields: UnitFields, input_size: tuple[int, int], samples: int) -> None:
        def empty(field: ReceptiveField) -> _Samples:
            return _Samples(field, (layer.height, layer.width), input_size)

        self._branch = fields.branch
        self._whole = empty(fields.whole)
        self._branches = [empty(field) for field in fields.branches]
        self._pools = _pools(fields.branches, samples)
        self._pooled = [empty(field) for field in fields.branches] if self._pools else []

    def add(self, unit: int, sample: Sample) -> None:
        self._whole.add(sample)
        if self._branch is None:
            return
        branch = int(self._branch[unit])
        self._branches[branch].add(sample)
        for pooled, pool in zip(self._pooled, self._pools, strict=True):
            if branch in pool:
                pooled.add(sample)

    def views(self) -> LayerViews:
        whole = self._whole.view()
        usual = [pooled.view(whole) for pooled in self._pooled] or [whole] * len(self._branches)
        return LayerViews(whole, tuple(map(_Samples.view, self._branches, usual)))


def _pools(fields: Sequence[ReceptiveField], samples: int) -> list[set[int]]:
    """Return for each branch those whose samples tell its window's size: itself and those with the most similar fields.

    Empty where each branch has samples enough for itself.
    """
    count = len(fields)
    of_each = max(1, samples // max(1, count))
    if of_each >= LEAST:
        return []
    order = sorted(range(count), key=lambda branch: fields[branch].height * fields[branch].width)
    needed = min(count, -(-LEAST // of_each))
    pools = [set[int]()] * count
    for rank, branch in enumerate(order):
        first = min(max(0, rank - needed // 2), count - needed)
        last = max(min(count, rank + needed // 2 + 1), needed)
        pools[branch] = set(order[first:last])
    return pools


class _Samples:
    """Samples of units that see the same: the first ones say where the windows lie, all of them how large one is."""

    def __init__(self, field: ReceptiveField, grid: tuple[int, int], input_size: tuple[int, int]) -> None:
        self._field, self._grid, self._input_size = field, grid, input_size
        self._kept: list[Sample] = []
        self._limit = max(IMAGES_AT_ONCE, KEPT // (input_size[0] * input_size[1]))
        self._energy: Energy | None = None

    def add(self, sample: Sample) -> None:
        if self._energy is not None:
            self._energy.add(sample)
            return
        self._kept.append(sample.small)
        if len(self._kept) == self._limit:
            self._settle()

    def _settle(self) -> Energy:
        """Return the energy in windows around the centres that the kept samples say."""
        if self._energy is None:
            centres = choose_centres(self._field, self._grid, self._input_size, self._kept)
            self._energy = Energy(Windows(self._field, self._input_size, centres))
            for sample in self._kept:
                self._energy.add(sample)
            self._kept = []
        return self._energy

    def view(self, usual: View | None = None) -> View:
        """Return the view; `usual` says the size where there are too few samples to tell one."""
        energy = self._settle()
        if energy.counted < (LEAST if usual else 1):
            field = self._field
            height, width = (usual.height, usual.width) if usual else (field.height, field.width)
            return self._around(min(height, field.height), min(width, field.width))
        if energy.area() > WHOLE * self._input_size[0] * self._input_size[1]:
            return self._everything()
        return energy.windows.view(energy.smallest())

    def _around(self, height: int, width: int) -> View:
        """Return a window of this size around the centre of each position's field."""
        centres = Centres.nominal(self._field, self._grid)
        rows, columns = (centres.rows - height + 1) // 2, (centres.columns - width + 1) // 2
        view = View(height, width, tuple(rows.tolist()), tuple(columns.tolist()))
        rows_held, columns_held = (min(s, n) for s, n in zip((height, width), self._input_size, strict=True))
        covers = rows_held * columns_held > WHOLE * self._input_size[0] * self._input_size[1]
        return self._everything() if covers else view

    def _everything(self) -> View:
        height, width = self._input_size
        return View(height, width, (0,) * self._grid[0], (0,) * self._grid[1])


def _units(layer: Layer, fields: UnitFields, samples: int, seed: int) -> NDArray[np.int64]:
    """Return (samples,) int64: units in an order drawn for this layer, from its branches in turn.

    No unit of a branch comes again before all of it have come.
    """
    order = np.random.default_rng([seed, crc32(layer.name.encode())]).permutation(layer.units)
    if fields.branch is None:
        return np.resize(order, samples)
    turns = -(-samples // len(fields.branches))
    of_branch = [
        np.resize(order[fields.branch[order] == number], turns) for number in range(len(fields.branches))
    ]
    return np.stack(of_branch, axis=1).reshape(-1)[:samples]


def _chunks(batches: Iterable[Tensor], samples: int) -> Iterator[Tensor]:
    """Yield the first `samples` images, a few at a time: all activations of a chunk are kept for the backward
    passes.
    """
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
) -> Generator[tuple[Layer, int, Sample]]:
    """Yield (layer, unit, sample) for each layer and image: one forward pass, and one backward pass for each layer."""
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
            for unit, each, position in zip(drawn[layer.name], energy, peak.positions, strict=True):
                yield layer, int(unit), Sample(each, position)


def _usable_state(network: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by which gradients can flow: copies of those made under `inference_mode`."""
    named = [*network.named_parameters(), *network.named_buffers()]
    return {name: tensor.clone() for name, tensor in named if tensor.is_inference()}


def _peaks(layer: Layer, output: Tensor, units: NDArray[np.int64]) -> _Peaks:
    """Return the maximum of each image's own unit, at the first position."""
    images = torch.arange(len(units), device=output.device)
    lines = as_grid(output, layer).flatten(2)[images, torch.from_numpy(units).to(output.device)]
    places = lines.detach().float().cpu().numpy().argmax(axis=1)
    values = lines[images, torch.from_numpy(places).to(output.device)]
    return _Peaks(values, [divmod(int(place), layer.width) for place in places])

"""The slow truth about receptive fields: input gradients of a positive, max-free, float64 copy of a network.

Nothing here knows operators' windows. Every function that could stop or cancel a gradient is replaced by a positive one
that reads the same elements, so an input pixel has a gradient exactly if it is seen.
"""

import copy
from collections import Counter

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from unitscope.model.layers.layers import Layer


def _identity(values, *_args, **_options):
    return values


def _average_pool(values, kernel_size, *rest, **options):
    names = ("stride", "padding", "dilation")
    options = {"stride": None, "padding": 0, "dilation": 1, **options, **dict(zip(names, rest, strict=False))}
    assert options.pop("dilation") == 1
    assert not options.pop("return_indices", False)
    return F.avg_pool2d(values, kernel_size, **options)


def _with_mean(values, dims):
    return values + values.mean(dims, keepdim=True)


def _softmax(values, dim=None, *_args, **_options):
    return _with_mean(values, dim)


def _layer_norm(values, normalized_shape, *_args, **_options):
    return _with_mean(values, tuple(range(-len(normalized_shape), 0)))


def _group_norm(values, groups, *_args, **_options):
    grouped = values.unflatten(1, (groups, -1))
    return _with_mean(grouped, tuple(range(2, grouped.ndim))).flatten(1, 2)


def _attention(query, key, value, *_args, **_options):
    everything = key.sum((-2, -1), keepdim=True) + value.mean(-2, keepdim=True)
    return query.mean(-1, keepdim=True) + everything


REPLACED = {
    **dict.fromkeys(
        [F.relu, F.relu6, F.hardtanh, F.hardswish, F.hardsigmoid, F.silu, F.gelu, F.sigmoid], _identity
    ),
    **dict.fromkeys([torch.relu, torch.relu_, torch.sigmoid, torch.Tensor.sigmoid, torch.tanh], _identity),
    **dict.fromkeys([F.dropout, F.batch_norm, torch.batch_norm], _identity),
    **dict.fromkeys([F.max_pool2d, torch.max_pool2d], _average_pool),
    **dict.fromkeys([F.softmax, torch.softmax, torch.Tensor.softmax], _softmax),
    F.layer_norm: _layer_norm,
    F.group_norm: _group_norm,
    F.scaled_dot_product_attention: _attention,
}


class Positive(TorchFunctionMode):
    """While on, activations, norms, maxima and attention are positive and let every gradient through."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return REPLACED.get(func, func)(*args, **(kwargs or {}))


def positive_copy(network):
    """A float64 copy whose weights are all positive and of a size that keeps activations near one."""
    twin = copy.deepcopy(network).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in twin.parameters():
            noise = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.5
            inputs = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.copy_(noise / inputs)
    return twin


def seen_boxes(network, layers, input_size, positions_of):
    """{layer name: [(position, (low row, high row, low column, high column))]} by gradients.

    positions_of(layer): the same number of (y, x) for every layer; one image of a batch goes to each.
    """
    twin = positive_copy(network)
    count = len(positions_of(layers[0]))
    images = torch.rand(count, 3, *input_size, dtype=torch.float64, requires_grad=True)
    sums = {}
    with (
        Positive(),
        hooked(
            twin, layers, lambda layer, output: sums.update({layer.name: _sums(layer, output, positions_of)})
        ),
    ):
        twin(images.clone())
    found = {}
    for layer in layers:
        (gradient,) = torch.autograd.grad(sums[layer.name], images, retain_graph=True)
        found[layer.name] = [
            (position, _bounds(image.ne(0).any(0)))
            for position, image in zip(positions_of(layer), gradient, strict=True)
        ]
    return found


def _sums(layer, output, positions_of):
    if layer.kind == "vector":
        return output.sum()
    maps = output.movedim(layer.unit_axis, 1)
    if layer.kind == "tokens":
        maps = maps[:, :, layer.prefix :].unflatten(2, (layer.height, layer.width))
    return sum(maps[image, :, y, x].sum() for image, (y, x) in enumerate(positions_of(layer)))


def _bounds(seen):
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def output_of(network, layer, images):
    """What a layer gives for some images."""
    outputs = []
    with hooked(network, [layer], lambda _, output: outputs.append(output.clone())), torch.no_grad():
        network(images)
    return outputs[0]


class hooked:
    """Calls `use(layer, output)` for each layer's output while inside."""

    def __init__(self, network, layers, use):
        self.network, self.layers, self.use = network, layers, use

    def __enter__(self):
        calls = Counter()

        def hook_for(path):
            def hook(_module, _inputs, output):
                for layer in self.layers:
                    if (layer.module, layer.call) == (path, calls[path]):
                        self.use(layer, output)
                calls[path] += 1

            return hook

        paths = {layer.module for layer in self.layers}
        self.handles = [
            self.network.get_submodule(path).register_forward_hook(hook_for(path)) for path in paths
        ]

    def __exit__(self, *_error):
        for handle in self.handles:
            handle.remove()


def maps_and_vectors(network: nn.Module, input_size) -> list[Layer]:
    """Every call of every module with a channels-first map or a vector for output, without `model/layers/layers.py`."""
    found, calls = [], Counter()

    def hook_for(path):
        def hook(_module, _inputs, output):
            call = calls[path]
            calls[path] += 1
            name = f"{path}:{call}" if call else path
            if isinstance(output, torch.Tensor) and output.ndim == 4:
                found.append(
                    Layer(name, path, call, "map", output.shape[1], output.shape[2], output.shape[3], 1)
                )
            elif isinstance(output, torch.Tensor) and output.ndim == 2:
                found.append(Layer(name, path, call, "vector", output.shape[1], 1, 1, 1))

        return hook

    handles = [m.register_forward_hook(hook_for(path)) for path, m in network.named_modules() if path]
    with torch.no_grad():
        network.eval()(torch.rand(2, 3, *input_size))
    for handle in handles:
        handle.remove()
    return found

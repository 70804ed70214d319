"""Questions about which call of a network depends on which, answered by changing one and running the network."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...common.errors import LayerError
from ..capture.capture import Capture
from ..capture.feature import Feature
from ..outputs import read_output
from ..running.trace import Key, Probes, first_tensor, random_images
from .op_graph import OpGraph, trace_operators

Inputs = dict[Key, Tensor]


class Interventions:
    """A network and two batches of noise, to be used inside `trace.undisturbed`.

    Raises LayerError where the output is not a tensor or does not depend on the images.
    """

    def __init__(self, network: nn.Module, input_size: tuple[int, int], device: torch.device | str) -> None:
        self._network = network
        self._modules = dict(network.named_modules())
        self._weights = _instead_of_zeros(network)
        self._one = random_images(network, 2, input_size, device, seed=10)
        self._other = random_images(network, 2, input_size, device, seed=11)
        self._output = self._run(self._one)
        self._spread = (self._run(self._other) - self._output).abs().max()
        if not self._spread > 0:
            why = self._first_nonfinite() or "the network's output is the same for different images"
            raise LayerError(
                f"the feature cannot be told: {why}; check the weights, or name the feature (`input:MODULE` or a layer)"
            )
        self.width = self._output.shape[-1] if self._output.ndim == 2 else self._output.shape[1]

    def gives_embeddings(self) -> bool:
        """Return every row of the output has length 1 and some numbers are negative: no network scores classes like
        that.
        """
        rows = self._output.flatten(1)
        lengths = torch.linalg.vector_norm(rows, dim=1)
        return rows.shape[1] > 1 and bool((rows < 0).any()) and bool(((lengths - 1).abs() < 1e-3).all())

    def operators(self) -> OpGraph:
        """Return what makes the output of the first batch, operator by operator."""
        return trace_operators(self._network, self._weights, self._one, self.width)

    def read(self, feature: Feature) -> Tensor:
        """Return (images, width): the feature of the first batch."""
        with Capture(self._network, (), feature) as capture:
            functional_call(self._network, self._weights, (self._one,))
            found = capture.take().feature
        assert found is not None  # the capture raises where the module did not run
        return found

    def parametrised(self, probes: Probes) -> list[Key]:
        """Return the calls of modules that hold more than a scalar, not counting containers, in order of execution."""
        return [key for key in probes.base.calls if _is_layer(self._modules[key[0]])]

    def linear(self, key: Key, probes: Probes) -> bool:
        """Return a linear layer, a 1x1 convolution, or a module of one's own that makes a vector from a vector by a
        matrix.
        """
        module = self._modules[key[0]]
        if isinstance(module, nn.Conv2d):
            return module.kernel_size == (1, 1)
        vectors = all(len(value.shapes[0] or ()) == 2 for value in probes.base.calls[key] if value.shapes)
        matrix = any(weight.ndim == 2 for weight in module.parameters(recurse=False))
        return isinstance(module, nn.Linear) or (vectors and matrix)

    def cuts(self, keys: Sequence[Key]) -> bool:
        """Return the output depends on the images through the inputs of these calls alone."""
        inputs: Inputs = {}
        self._run(self._one, keep=inputs, calls=keys)
        if inputs.keys() != set(keys):
            return False
        return self._same(self._run(self._other, put=inputs))

    def reaches_output(self, key: Key) -> bool:
        """Return the output changes when what this call returns does."""
        return not torch.equal(self._run(self._one, disturb=key), self._output)

    def reaches(self, key: Key, keys: Sequence[Key]) -> bool:
        """Return the input of one of `keys` changes when what call `key` returns does."""
        before: Inputs = {}
        after: Inputs = {}
        self._run(self._one, keep=before, calls=keys)
        self._run(self._one, keep=after, calls=keys, disturb=key)
        return any(not torch.equal(before[k], after[k]) for k in keys)

    def _first_nonfinite(self) -> str | None:
        """Return the first module that returns a NaN or Inf for noise, and where; None where every number is finite."""
        found: list[str] = []

        def after(name: str, output: object) -> None:
            value = first_tensor(output)
            if found or value is None or bool(value.isfinite().all()):
                return
            place = tuple((~value.isfinite()).nonzero()[0].tolist())
            channel = f" in channel {place[1]}" if len(place) > 1 else ""
            found.append(
                f"{name or 'the network'} returns {value[place].item()}{channel} for an image of noise"
            )

        with ExitStack() as hooks:
            for name, module in self._modules.items():
                hook = module.register_forward_hook(lambda _, __, output, name=name: after(name, output))
                hooks.callback(hook.remove)
            functional_call(self._network, self._weights, (self._one,))
        return found[0] if found else None

    def _same(self, output: Tensor) -> bool:
        return output.shape == self._output.shape and bool(
            (output - self._output).abs().max() <= 1e-3 * self._spread
        )

    def _run(
        self,
        images: Tensor,
        *,
        calls: Sequence[Key] = (),
        keep: Inputs | None = None,
        put: Inputs | None = None,
        disturb: Key | None = None,
    ) -> Tensor:
        """Return the output, while the inputs of `calls` are copied to `keep`, those in `put` are put in, or noise is
        added to what call `disturb` returns.
        """
        starts: Counter[str] = Counter()
        ends: Counter[str] = Counter()
        put = put or {}

        def before(
            name: str, args: tuple[object, ...], kwargs: dict[str, object]
        ) -> tuple[Any, dict[str, Any]] | None:
            key = name, starts[name]
            starts[name] += 1
            taken = first_tensor(args)
            taken = first_tensor(kwargs) if taken is None else taken
            if keep is not None and key in calls and taken is not None:
                keep[key] = taken.clone()
            if key not in put:
                return None
            new = put[key].clone()
            return (
                tuple(new if item is taken else item for item in args),
                {word: new if item is taken else item for word, item in kwargs.items()},
            )

        def after(name: str, output: object) -> object:
            key = name, ends[name]
            ends[name] += 1
            return _noisy(output) if key == disturb and isinstance(output, Tensor) else None

        with ExitStack() as hooks:
            for name in {key[0] for key in (*calls, *put, *([disturb] if disturb else []))}:
                module = self._modules[name]
                hooks.callback(
                    module.register_forward_pre_hook(
                        lambda _, args, kwargs, name=name: before(name, args, kwargs), with_kwargs=True
                    ).remove
                )
                hooks.callback(
                    module.register_forward_hook(lambda _, __, out, name=name: after(name, out)).remove
                )
            returned: object = functional_call(self._network, self._weights, (images,))
        scores = read_output(returned)
        output = first_tensor(returned) if scores is None else scores
        if output is None:
            raise LayerError(
                "the feature cannot be told: the network returns no tensor; wrap it in one that does"
            )
        return output.detach().clone().float()


def _instead_of_zeros(network: nn.Module) -> dict[str, Tensor]:
    """Return noise for each weight matrix of zeros: heads are often born so, and hide what the output depends on."""
    generator = torch.Generator().manual_seed(13)
    return {
        name: torch.randn(weight.shape, generator=generator).to(weight.device, weight.dtype)
        for name, weight in network.named_parameters()
        if weight.ndim >= 2 and not weight.any()
    }


def _is_layer(module: nn.Module) -> bool:
    held = sum(weight.numel() for weight in module.parameters(recurse=False))
    if isinstance(module, nn.Linear | nn.Conv2d):
        return True
    return held > 1 and not any(True for _ in module.children())


def _noisy(output: Tensor) -> Tensor:
    """Return the output with noise of its own size: not a constant, which a softmax would take away again."""
    generator = torch.Generator().manual_seed(12)
    noise = torch.randn(output.shape, generator=generator).to(output.device, output.dtype)
    return output + noise * (output.std(correction=0) + 1)

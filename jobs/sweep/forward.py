"""One batch through the network: maxima, positions, features and predictions, as arrays on the host."""

import threading
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from ...common.errors import SweepError, UsageError
from ...model.capture.capture import Capture
from ...model.capture.feature import Feature
from ...model.layers.layers import Layer
from ...model.outputs import read_output
from ...model.running.layout import use_channels_last
from ...model.sources.load import LoadedModel
from ..planning.config import MIN_BATCH
from .thread_networks import ThreadNetworks


@dataclass(frozen=True)
class BatchResult:
    """What a batch of n images did.

    maxima, positions: for each layer in order, (n, units) float32 and int32 (flat y * width + x).
    feature: (n, width) float32. logits: (n, classes) float32, or None where the network gives no such matrix.
    means: for each averaged layer in order, (n, units) float32.
    """

    maxima: list[np.ndarray]
    positions: list[np.ndarray]
    feature: np.ndarray
    logits: np.ndarray | None
    means: list[np.ndarray]


class Forward:
    """Runs batches; one for a process, used from several threads at a time.

    On a CPU each thread computes with one intra-op thread, so that the last bits do not depend on how many there are.
    On a GPU nothing synchronises before the one copy back.
    """

    def __init__(
        self,
        model: LoadedModel,
        layers: tuple[Layer, ...],
        feature: Feature,
        *,
        averaged: tuple[Layer, ...] = (),
        device: str = "cpu",
    ) -> None:
        """averaged: layers whose mean over positions is wanted too."""
        self._model = model
        self._layers, self._averaged = layers, averaged
        self._device = torch.device(device)
        self._held = threading.local()
        hook = partial(Capture, layers=layers, feature=feature, averaged=averaged)
        self._networks = ThreadNetworks(use_channels_last(model.network.to(self._device)), hook)

    def __enter__(self) -> "Forward":
        return self

    def __exit__(self, *error: object) -> None:
        self._networks.__exit__(*error)
        self._held = threading.local()

    def run(self, pixels: Tensor) -> BatchResult:
        """Run a batch. pixels: (n, 3, height, width) uint8, on the host. Raises SweepError where the network fails on
        them.
        """
        if self._device.type == "cpu":
            torch.set_num_threads(1)
        count = pixels.shape[0]
        if count < MIN_BATCH:
            pixels = torch.cat([pixels, pixels.new_zeros((MIN_BATCH - count, *pixels.shape[1:]))])
        with torch.inference_mode():
            batch = self._model.preprocess.normalise(self._upload(pixels), out=self._buffer(pixels.shape))
            output, captured = self._networks.run(batch)
            logits = read_output(output)
            if logits is not None and len(logits) != len(batch):
                logits = None
            reductions = [captured.reductions[layer.name] for layer in self._layers]
            if captured.feature is None:
                raise SweepError("the network gave no feature")
            means = [captured.means[layer.name] for layer in self._averaged]
            tensors = [r.values for r in reductions] + [r.positions for r in reductions] + means
            tensors += [captured.feature] if logits is None else [captured.feature, logits.float()]
            arrays = iter(_to_host(tensors, count))
        return BatchResult(
            maxima=list(islice(arrays, len(reductions))),
            positions=list(islice(arrays, len(reductions))),
            means=list(islice(arrays, len(means))),
            feature=next(arrays),
            logits=next(arrays, None),
        )

    def _buffer(self, shape: torch.Size) -> Tensor | None:
        """Return this thread's input tensor: fresh memory for each batch costs more than the normalisation."""
        if self._device.type != "cpu":
            return None
        held: Tensor | None = getattr(self._held, "batch", None)
        if held is None or held.shape != shape:
            held = torch.empty(shape, memory_format=torch.channels_last)
            self._held.batch = held
        return held

    def _upload(self, pixels: Tensor) -> Tensor:
        if self._device.type == "cpu":
            return pixels
        return pixels.pin_memory().to(self._device, non_blocking=True)


def _to_host(tensors: list[Tensor], count: int) -> list[np.ndarray]:
    """Return the first `count` rows of each, moved in one copy; all are 4-byte types and two-dimensional."""
    if tensors[0].device.type == "cpu":
        return [tensor[:count].numpy() for tensor in tensors]
    flat = torch.cat([tensor.contiguous().view(torch.int32).flatten() for tensor in tensors]).cpu()
    pieces = flat.split([tensor.numel() for tensor in tensors])
    return [
        piece.view(tensor.dtype).view(tensor.shape)[:count].numpy()
        for piece, tensor in zip(pieces, tensors, strict=True)
    ]


def check_device(device: str) -> None:
    """Raise UsageError where this machine has no such device."""
    wanted = torch.device(device)
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"--device {device}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices here; "
            "use --device cpu, or install a driver and a torch built for CUDA"
        )


def use_exact_arithmetic(precision: str) -> None:
    """Make CUDA's results repeatable; `precision` "tf32" lets it round the factors of a product to 10 bits."""
    fast = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = fast
    torch.backends.cudnn.allow_tf32 = fast
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True

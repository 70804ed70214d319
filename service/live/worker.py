"""The model worker: the one process of the service that holds networks, and the one file of it that imports torch.

Forked by `fork_server.py`, once for a service and again whenever it dies. It answers the requests of `protocol.py` one
at a time.
"""

import io
import platform
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from importlib import import_module, metadata

import numpy as np
import torch
from torch import Tensor

from ...common.errors import ImageError, LayerError, UnitscopeError, UsageError
from ...common.frame import Box
from ...index.datasets.decode import decode as decode_reference
from ...index.datasets.exif import marked, orientation_of
from ...model.capture.feature import Feature
from ...model.capture.maps import Observed, observe
from ...model.decode import decode as decode_fast
from ...model.decode import is_available, turn
from ...model.layers.kernels import filters_of
from ...model.layers.layers import Layer, list_layers
from ...model.outputs import output_kind
from ...model.sources.load import load_model
from . import mosaics as pictures
from .protocol import CHANGED, IMAGE, REFUSED, REQUEST, UNAVAILABLE, Head, Message

MODELS = 2
"""How many networks are held."""
FAILED_SECONDS = 3.0
"""How long a network that could not be loaded is not tried again."""
TOP_CLASSES = 5


class _ProblemError(Exception):
    """An answer that says why there is none."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Network:
    """One store's model, loaded and checked against the store. Raises _ProblemError."""

    def __init__(self, facts: Head) -> None:
        try:
            self.model = load_model(facts["spec"], weights=facts["weights"])
        except (UnitscopeError, OSError) as error:
            raise _ProblemError(UNAVAILABLE, f"the model that was swept cannot be loaded: {error}") from error
        found = self.model.fingerprint, self.model.preprocess.fingerprint
        wanted = facts["weights_fingerprint"], facts["preprocessing_fingerprint"]
        for name, one, other in zip(("weights", "preprocessing"), found, wanted, strict=True):
            if one != other:
                raise _ProblemError(
                    CHANGED,
                    f"{facts['weights'] or facts['spec']} is no longer the network that was swept: its {name} have the "
                    f"fingerprint {one[:12]}, the store's {other[:12]}; put the old ones back, or sweep again into a "
                    "new folder",
                )
        feature = facts["feature"]
        self.feature = Feature(**feature | {"layer": Layer(**feature["layer"])})
        self.output = output_kind(facts.get("output"), self.model.outputs)
        self.same_arithmetic = facts["swept_by"] == _this_machine(facts["swept_by"])

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """By name; the network is run to find them."""
        swept = list_layers(self.model.network, self.model.input_size).swept
        return {layer.name: layer for layer in swept}

    def layer(self, row: Head) -> Layer:
        """Return the layer of a row of layers.parquet."""
        layer = self.layers.get(row["layer"])
        names = ("kind", "units", "height", "width")
        if layer is None or any(getattr(layer, name) != row[name] for name in names):
            raise _ProblemError(
                CHANGED,
                f"the model has no layer {row['layer']} such as the store's ({row['kind']}, {row['units']} units on "
                f"{row['height']}x{row['width']}): its code or its libraries have changed since the sweep",
            )
        return layer


def _this_machine(swept_by: Head) -> Head:
    """Return what `swept_by` is where this process computes as that sweep did."""
    here = {
        "device": "cpu",
        "torch": metadata.version("torch"),
        "architecture": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    return {name: here.get(name, value) for name, value in swept_by.items()}


class Worker:
    """Answers requests from the networks that it holds."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, _Network] = OrderedDict()
        self._failed: dict[str, tuple[float, _ProblemError]] = {}
        self._operations: dict[str, Callable[[_Network, Head, bytes], Message]] = {
            "load": lambda *_: Message({}),
            "feature": self._feature,
            "maps": self._maps,
            "array": self._array,
            "filters": self._filters,
        }

    def answer(self, request: Message) -> Message:
        """Answer, and never raise: what goes wrong is an answer too."""
        started = time.perf_counter()
        try:
            network = self._network(request.head["model"])
            loaded = time.perf_counter()
            answer = self._operations[request.head["op"]](network, request.head, request.body)
        except _ProblemError as problem:
            return _failure(problem.kind, str(problem))
        except ImageError as error:
            return _failure(IMAGE, error.reason, status=error.status.value)
        except UsageError as error:
            return _failure(REQUEST, str(error))
        except UnitscopeError as error:
            return _failure(UNAVAILABLE, str(error))
        except Exception as error:  # noqa: BLE001 - whatever someone's network raises, the next request is answered
            traceback.print_exc()
            return _failure(
                UNAVAILABLE, f"the model failed on this request: {type(error).__name__}: {error}"[:2000]
            )
        seconds = {"seconds": time.perf_counter() - loaded, "load_seconds": loaded - started}
        return Message({**answer.head, **seconds, "same_arithmetic": network.same_arithmetic}, answer.body)

    def _network(self, facts: Head) -> _Network:
        key = repr(sorted(facts.items()))
        if key in self._networks:
            self._networks.move_to_end(key)
            return self._networks[key]
        when, problem = self._failed.get(key, (float("-inf"), None))
        if problem is not None and time.monotonic() - when < FAILED_SECONDS:
            raise problem
        while len(self._networks) >= MODELS:
            self._networks.popitem(last=False)
        try:
            network = _Network(facts)
        except _ProblemError as error:
            self._failed = {key: (time.monotonic(), error)}
            raise
        self._networks[key] = network
        return network

    def _feature(self, network: _Network, head: Head, body: bytes) -> Message:
        """Return the feature of an image, or of a box of it."""
        seen = _see(network, marked(body, head.get("exif", "ignore")), head.get("box"))
        found = observe(network.model, seen.pixels[None], (), network.feature)
        assert found.feature is not None
        feature = np.ascontiguousarray(found.feature[0], np.float32)
        if not np.isfinite(feature).all():
            raise UsageError("the model's feature of this image is not finite, so it has no neighbours")
        return Message({**seen.facts, "top": _top(network, found)}, feature.tobytes())

    def _maps(self, network: _Network, head: Head, body: bytes) -> Message:
        """Return a PNG of every unit's map, or of one unit's over the model's input."""
        found, maps, seen = _map(network, head, body)
        highest = None if head["highest"] is None else np.array(head["highest"], np.float32)
        low, high = pictures.limits(maps, head["scale"], highest)
        if head["overlay"]:
            low = np.zeros_like(low)  # what is not active is not there
        unit = head["unit"]
        chosen = slice(None) if unit is None else slice(unit, unit + 1)
        levels = pictures.gray(maps[chosen], low[chosen], high[chosen])
        if unit is None:
            mosaic = pictures.mosaic_of(len(maps), (maps.shape[1], maps.shape[2]), head["zoom"])
            pixels = pictures.draw(levels, mosaic, head["zoom"])
        else:
            row = head["row"]
            placed = pictures.over_input(
                levels[0],
                rf=(row["rf_height"], row["rf_width"]),
                stride=(row["stride_y"], row["stride_x"]),
                start=(row["start_y"], row["start_x"]),
                size=network.model.input_size,
            )
            pixels = pictures.colour(placed, overlay=head["overlay"])
        return Message({**seen.facts, "top": _top(network, found)}, pictures.png(pixels))

    def _array(self, network: _Network, head: Head, body: bytes) -> Message:
        """Return the maps themselves, as a NumPy file."""
        _, maps, seen = _map(network, head, body)
        unit = head["unit"]
        file = io.BytesIO()
        np.save(file, maps if unit is None else maps[unit], allow_pickle=False)
        return Message(seen.facts, file.getvalue())

    def _filters(self, network: _Network, head: Head, _: bytes) -> Message:
        """Return the weights as raw float32, (units, channels, height, width)."""
        try:
            found = filters_of(network.model.network, network.layer(head["row"]), network.model.input_size)
        except LayerError as error:
            raise _ProblemError(REFUSED, str(error)) from error
        weights = np.ascontiguousarray(found.weights, np.float32)
        return Message(
            {
                "shape": weights.shape,
                "rgb": found.rgb,
                "module": found.module,
                "normalisation": found.normalisation,
                "groups": found.groups,
            },
            weights.tobytes(),
        )


class _Seen:
    """pixels: (3, height, width) uint8, what the network sees of an image or of a box of it. facts: of the answer."""

    def __init__(self, network: _Network, original: Tensor, box: Box) -> None:
        x0, y0, x1, y1 = box
        preprocess = network.model.preprocess
        self.pixels = preprocess.fit(original[:, y0:y1, x0:x1])
        height, width = network.model.input_size
        inner = preprocess.frame.to_original((0, 0, width, height), x1 - x0, y1 - y0)
        self.facts: Head = {
            "height": original.shape[1],
            "width": original.shape[2],
            "box": box,
            "seen": (inner[0] + x0, inner[1] + y0, inner[2] + x0, inner[3] + y0),
        }


def _see(network: _Network, data: bytes, box: Box | None) -> _Seen:
    """Decode and fits, as a sweep does. box: in pixels of the image, clipped to it. Raises ImageError, UsageError."""
    original = decode_fast(data)
    if original is None:
        original = torch.from_numpy(decode_reference(data)).permute(2, 0, 1)
    else:
        original = turn(original, orientation_of(data))
    height, width = int(original.shape[1]), int(original.shape[2])
    x0, y0, x1, y1 = box or (0, 0, width, height)
    clipped = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise UsageError(
            f"box={x0},{y0},{x1},{y1} lies outside the image, which is {width} x {height} pixels"
        )
    return _Seen(network, original, clipped)


def _map(network: _Network, head: Head, body: bytes) -> tuple[Observed, np.ndarray, _Seen]:
    """Return (…, the maps of one layer, (units, height, width) float32, …)."""
    layer = network.layer(head["row"])
    seen = _see(network, marked(body, head.get("exif", "ignore")), None)
    found = observe(network.model, seen.pixels[None], (layer,), None, as_swept=head["as_swept"])
    return found, found.maps[layer.name][0], seen


def _top(network: _Network, found: Observed) -> list[tuple[int, float]]:
    """Return the most probable classes, (index, probability); equal ones by index. Empty where the network has no
    classes.
    """
    if not network.output.predicts or found.logits is None or not np.isfinite(found.logits).all():
        return []
    shares = network.output.probabilities(found.logits)[0]
    best = np.argsort(-shares, kind="stable")[:TOP_CLASSES]
    return [(int(index), float(shares[index])) for index in best]


def _failure(kind: str, message: str, **more: str) -> Message:
    return Message({"error": kind, "message": message, **more})


def prepare() -> None:
    """Import what most first requests need."""
    import_module("torchvision.transforms.v2")
    is_available()


def begin(threads: int) -> Worker:
    """Return a worker in this process. threads: of torch."""
    torch.set_num_threads(threads)
    return Worker()

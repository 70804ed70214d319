"""Measures the views of all layers over a fixed sample of the planned images, several layers at a time.

A layer's view does not depend on which other layers are measured, nor on how many cores measure: each uses one thread.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue

import numpy as np
import torch
from torch import nn

from ...common.errors import SweepError, UnitscopeError
from ...index.datasets.open import Dataset
from ...index.storage.folder import Folder
from ...model.layers.layers import Layer
from ...model.receptive_field.effective import LayerViews, measure_views
from ...model.receptive_field.receptive_field import UnitFields
from ...model.running.replica import replica
from ...model.sources.load import LoadedModel
from ..cores import cores
from .plan import Plan, read_rows
from .sample import sample

BATCH = 8
"""Images whose graph is held at a time."""
LAYERS_AT_ONCE = 6
"""Layers that share a forward pass."""

Views = dict[str, LayerViews]


def view_sample(folder: Folder, plan: Plan, dataset: Dataset, model: LoadedModel, count: int) -> torch.Tensor:
    """Return (n, 3, height, width) uint8: images spread evenly through the dataset; a bad one is passed over.

    Raises SweepError, which names one, where all are bad.
    """
    ids = np.unique(np.linspace(0, plan.images - 1, min(count, plan.images)).astype(np.int64))
    kept: list[torch.Tensor] = []
    bad: list[str] = []
    for shard in np.unique(ids // plan.shard_size):
        first, _ = plan.shard_range(int(shard))
        rows = read_rows(folder, plan, int(shard)).take(ids[ids // plan.shard_size == shard] - first)
        for uri, data in zip(rows["uri"].to_pylist(), dataset.read(rows), strict=True):
            one = sample(data, model.preprocess)
            if one.pixels is not None:
                kept.append(one.pixels)
            else:
                bad.append(f"{uri}: {one.status}: {one.reason}")
    if not kept:
        raise SweepError(
            f"none of {len(bad)} images, taken evenly from {dataset.path}, can be used ({bad[0]}): mend the images, "
            "or give another dataset"
        )
    return torch.stack(kept)


def parallel_views(
    model: LoadedModel,
    layers: Sequence[Layer],
    fields: dict[str, UnitFields],
    images: torch.Tensor,
    *,
    advance: Callable[[int], None],
) -> Views:
    """Return the views of each layer, in model-input pixels. `images`: as `view_sample` gives them."""
    blocks = [layers[start : start + LAYERS_AT_ONCE] for start in range(0, len(layers), LAYERS_AT_ONCE)]
    views: Views = {}
    networks = _networks(model, images, min(cores(), len(blocks)))
    with ThreadPoolExecutor(networks.qsize()) as executor:
        running = {
            executor.submit(_measure, model, networks, block, fields, images): len(block) for block in blocks
        }
        for one in as_completed(running):
            views |= one.result()
            advance(running[one])
    return views


def _networks(model: LoadedModel, images: torch.Tensor, threads: int) -> "SimpleQueue[nn.Module]":
    """Return a network for each thread: replicas, for hooks are seen by every thread that runs a network.

    All are made before any runs: making one watches the network, and a thread that ran meanwhile would be taken for it.
    Where the network cannot be copied, there is only itself.
    """
    found: SimpleQueue[nn.Module] = SimpleQueue()
    batch = model.preprocess.normalise(images[:2])
    for _ in range(threads):
        made = replica(model.network, batch)
        if made is None:
            break
        found.put(made)
    if found.empty():
        found.put(model.network)
    return found


def _measure(
    model: LoadedModel,
    networks: "SimpleQueue[nn.Module]",
    layers: Sequence[Layer],
    fields: dict[str, UnitFields],
    images: torch.Tensor,
) -> Views:
    """Measure on a network that no other thread runs."""
    torch.set_num_threads(1)

    def batches() -> Iterator[torch.Tensor]:
        for start in range(0, len(images), BATCH):
            yield model.preprocess.normalise(images[start : start + BATCH])

    network = networks.get()
    try:
        return measure_views(network, layers, fields, batches(), samples=max(1, len(images)))
    except UnitscopeError:
        raise
    except Exception as error:
        raise SweepError(
            "the views cannot be measured, as the network fails where it is differentiated by its images, at most "
            f"{BATCH} at a time ({type(error).__name__}: {error}): let `forward` take any number of images, and use "
            "operations of torch that have gradients"
        ) from error
    finally:
        networks.put(network)

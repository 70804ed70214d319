"""Samples a layer's activations: one more pass over (some of) a finished store's images through the network.

`sample_activations` runs in a child process of `activation_atlas.py`, once for each sample, with a lane for each
core; without Ray.
"""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from ...common.errors import ImageStatus, LayerError
from ...common.progress import SILENT, Progress
from ...index.atlas.activation_sample import PATCHES, TABLE, choose_images, choose_positions, publish_sample, sample_schema
from ...index.datasets.decode import crop_jpeg
from ...index.format.boxes import patches
from ...index.format.layer_folders import sample_folder
from ...index.format.parquet_writer import features_settings, table_file
from ...index.storage.packs import pack_writer
from ...index.store.store import Store
from ...index.store.trust import Trust, model_source
from ...model.capture.capture import Capture
from ...model.layers.layers import Layer, as_grid, list_layers
from ...model.running.layout import use_channels_last
from ...model.sources.load import LoadedModel
from ...model.capture.reduce import Reduction
from ..planning.config import MIN_BATCH
from ..cores import cores
from ..sweep.forward import use_exact_arithmetic
from ..sweep.thumbnails import PATCH_SIDE
from ..planning.sample import decode
from .swept_model import load_swept
from ..sweep.thread_networks import ThreadNetworks

_READ = 512
"""Images that a lane takes at a time: a row group of the sample."""
_BATCH = 64


def sample_activations(
    store: str, layer: str, positions: int, seed: int, trust: Trust, *, progress: Progress = SILENT
) -> None:
    """Write the sample of a layer into `by_layer/<layer>/activations/`: at most `positions` images, one position each.

    Raises LayerError, UnitscopeError for another network than the swept one, StoreDamagedError for another image.
    """
    opened = Store.open(store, trust=trust)
    units = opened.layer(layer).units
    status = opened.images(["status"])["status"].to_numpy()
    ids = choose_images(np.flatnonzero(status == ImageStatus.OK), positions, seed)
    folder = sample_folder(opened.folder, layer)
    with (
        _Sampler(opened, layer, seed) as sampler,
        table_file(folder, TABLE, sample_schema(units), features_settings()) as table,
        pack_writer(folder, PATCHES, 0) as pack,
        progress.stage("sampling activations", len(ids), "images") as stage,
    ):
        done = 0
        for drawn in sampler.run(ids):
            table.write(drawn.rows)
            for row, jpeg in enumerate(drawn.jpegs, done):
                pack.put(row, jpeg)
            done += len(drawn.jpegs)
            stage.advance(len(drawn.jpegs))
    facts = {"store": opened.manifest.hash, "layer": layer, "positions": positions, "seed": seed}
    hashes = {record.path: record.sha256 for record in [table.record, *pack.records]}
    publish_sample(folder, facts | {"rows": len(ids), "units": units, "files": hashes})


class _Drawn(NamedTuple):
    """Some rows of the sample, and the view of each."""

    rows: pa.Table
    jpegs: list[bytes]


class _Sampler:
    """The network under one hook. Its lanes, a thread for each core, give each image the bits that a sweep gives it."""

    def __init__(self, store: Store, layer: str, seed: int) -> None:
        manifest = store.manifest
        self._store, self._row, self._seed = store, store.layer(layer), seed
        self._frame = manifest.preprocessing
        use_exact_arithmetic("exact")
        self._model = load_swept(*model_source(manifest, store.trust), fingerprints=manifest.fingerprints)
        self._wanted = threading.local()
        layers = [_listed(self._model, layer)]
        self._networks = ThreadNetworks(
            use_channels_last(self._model.network),
            lambda network: Capture(network, layers, None, reducer=self._pick),
        )

    def __enter__(self) -> "_Sampler":
        return self

    def __exit__(self, *error: object) -> None:
        self._networks.__exit__(*error)

    def run(self, ids: np.ndarray) -> Iterator[_Drawn]:
        """Sample of these images, in their order."""
        lanes = cores()
        waiting: deque[Future[_Drawn]] = deque()
        pool = ThreadPoolExecutor(lanes)
        try:
            for start in range(0, len(ids), _READ):
                waiting.append(pool.submit(self._draw, ids[start : start + _READ]))
                if len(waiting) > 2 * lanes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _draw(self, ids: np.ndarray) -> _Drawn:
        torch.set_num_threads(1)
        row = self._row
        positions = choose_positions(ids, row.height * row.width, self._seed)
        facts = self._store.images_at(ids.tolist(), ["width", "height"])
        widths, heights = (np.array([one[name] for one in facts]) for name in ("width", "height"))
        places = patches(positions, row, self._frame, widths, heights)
        encoded = self._store.pixels_of(ids.tolist())
        activations = np.empty((len(ids), row.units), np.float32)
        jpegs: list[bytes] = []
        for start in range(0, len(ids), _BATCH):
            batch = slice(start, min(start + _BATCH, len(ids)))
            originals = [decode(next(encoded)) for _ in range(batch.start, batch.stop)]
            activations[batch] = self._activations(originals, positions[batch])
            for original, view in zip(originals, places.views[batch].tolist(), strict=True):
                jpegs.append(crop_jpeg(original.permute(1, 2, 0).numpy(), tuple(view), PATCH_SIDE))
        columns = [ids, places.y, places.x, *places.views.T]
        flat = pa.FixedSizeListArray.from_arrays(pa.array(activations.ravel()), row.units)
        schema = sample_schema(row.units)
        return _Drawn(pa.table([*map(pa.array, columns), flat], schema=schema), jpegs)

    def _activations(self, originals: list[Tensor], positions: np.ndarray) -> np.ndarray:
        """Return (n, units) float32. originals: (3, height, width) uint8; positions: (n,) flat."""
        preprocess, count = self._model.preprocess, len(originals)
        pixels = torch.zeros(
            (max(count, MIN_BATCH), 3, *self._model.input_size), dtype=torch.uint8
        ).contiguous(memory_format=torch.channels_last)
        for slot, original in zip(pixels, originals, strict=False):
            slot.copy_(preprocess.fit(original))
        self._wanted.positions = torch.from_numpy(np.pad(positions, (0, len(pixels) - count)))
        with torch.inference_mode():
            _, captured = self._networks.run(preprocess.normalise(pixels))
            (found,) = captured.reductions.values()
        return found.values[:count].numpy()

    def _pick(self, output: Tensor, layer: Layer) -> Reduction:
        """Return each image's activations at the position that is wanted of it."""
        grid = as_grid(output.detach(), layer).flatten(2)
        wanted: Tensor = self._wanted.positions
        values = grid.gather(2, wanted[:, None, None].expand(-1, grid.shape[1], 1))[:, :, 0]
        return Reduction(values.float(), wanted)


def _listed(model: LoadedModel, name: str) -> Layer:
    layers = list_layers(model.network, model.input_size).swept
    found = next((layer for layer in layers if layer.name == name), None)
    if found is None:
        raise LayerError(f"the network has no layer {name!r} any more; sweep again into a new folder")
    return found

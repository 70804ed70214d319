"""Maps a layer's activations at single positions and averages them over a grid: the `atlas` command with `--activations`.

The sample is made in a child process, for torch and FAISS must not meet in one.
"""

from dataclasses import replace

import numpy as np

from ...common.errors import DerivedError, UsageError
from ...common.progress import SILENT, Progress
from ...index.atlas.activation_atlas import Cells, average, remove_other_cells, usual_side, write_cells
from ...index.atlas.activation_sample import ActivationSample
from ...index.atlas.writer import write_atlas
from ...index.format.layer_folders import ACTIVATIONS, layer_folder, sample_folder
from ...index.storage.hashed_file import PartRecord
from ...index.neighbors.graph_table import stored_graph
from ...index.projection.projection import MapOptions
from ...index.projection.quality import measure_quality
from ...index.projection.sampled import lay_out
from ...index.store.store import Store
from ...index.store.trust import NOTHING, Trust, dataset_path, model_source
from .activation_process import sample_in_child
from .atlas import AtlasReport, index_of, left_out
from ..child import run_in_child
from ..cores import cores
from ..lock import writing

POSITIONS = 100_000


def build_activation_atlas(
    store: str,
    layer: str,
    options: MapOptions | None = None,
    *,
    positions: int = POSITIONS,
    trust: Trust = NOTHING,
    progress: Progress = SILENT,
) -> AtlasReport:
    """Write `by_layer/<layer>/atlas/activations/`, in place of one that is there.

    options: its `threads` are replaced by the cores there are; its seed draws the sample too. positions: how many are
    sampled at most, each in another image. A sample that is there already is taken. trust: whether the model and the
    dataset that the store names may be used for a new one.
    Raises ModelNotAllowedError, DatasetNotAllowedError, LayerError, UsageError, StoreNotFoundError, StoreBusyError,
    UnitscopeError where the network is another now.
    """
    options = replace(options or MapOptions(), threads=cores())
    if positions < 1:
        raise UsageError(f"--positions {positions}: sample at least 1")
    opened = Store.open(store, trust=trust)
    opened.layer(layer)
    with writing(opened.folder):
        sample = _sample(opened, layer, positions, options.seed, progress)
        ann = index_of(sample, sample.folder, store=sample.digest, progress=progress)
        graph = stored_graph(
            sample.folder, ann, store=sample.digest, threads=options.threads, progress=progress
        )
        layout = lay_out(ann, graph, options, progress=progress)
        with progress.stage("measuring the map", None, "samples"):
            quality = measure_quality(ann.vectors, graph, layout.coordinates).to_json()
        side = usual_side(len(graph.images))
        with progress.stage("averaging activations", None, "samples"):
            cells = average(ann.vectors, graph.images, layout.coordinates, side)
            record = _write_cells(opened, sample, cells, graph.images)
        settings = (
            layout.settings
            | left_out(ann)
            | {
                "layer": layer,
                "positions": sample.rows,
                "sample_digest": sample.digest,
                "cells": record.path,
            }
        )
        manifest = write_atlas(
            layer_folder(opened.folder, layer),
            ACTIVATIONS,
            graph.images,
            layout.coordinates,
            side=side,
            settings=settings,
            quality=quality,
            store=opened.manifest.hash,
            thumb=sample.pictures.get,
            pictures=sample.digest,
            shown=cells.shown(side),
            beside=[replace(record, path=f"{ACTIVATIONS}/{record.path}")],
            threads=cores(),
            progress=progress,
        )
        remove_other_cells(sample.folder, record.path)
    return AtlasReport(ACTIVATIONS, manifest["images"], side, settings, quality, "samples")


def _sample(store: Store, layer: str, positions: int, seed: int, progress: Progress) -> ActivationSample:
    """Return the sample that is there, or a new one."""
    folder = sample_folder(store.folder, layer)
    settings = {"layer": layer, "positions": positions, "seed": seed}
    try:
        return ActivationSample.open(folder, store=store.manifest.hash, **settings)
    except DerivedError:
        built = layer_folder(store.folder, layer)
        model_source(store.manifest, store.trust)  # raises before anything is removed
        dataset_path(store.manifest, store.trust)
        built.remove(f"atlas/{ACTIVATIONS}/atlas.json")  # it speaks of the sample that now goes
        built.remove_tree(ACTIVATIONS)
        run_in_child(
            sample_in_child, store.folder.url, layer, positions, seed, store.trust, progress=progress
        )
    return ActivationSample.open(folder, store=store.manifest.hash, **settings)


def _write_cells(store: Store, sample: ActivationSample, cells: Cells, samples: np.ndarray) -> PartRecord:
    """Write the cells. samples: (n,) int64, those on the map."""
    ids = sample.places["image_id"].to_numpy()[samples]
    images = store.images(["label", "predicted"]).take(ids)
    labels, predicted = (images[name].to_pylist() for name in ("label", "predicted"))
    return write_cells(sample.folder, cells, labels, predicted)

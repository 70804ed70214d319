"""Writes a made-up store of any size, with the writers of the real ones: to measure the service where no sweep can go.

    python -P benchmarks/synthetic.py STORE [--images 1281167] [--width 2048] [--units 27000] [--index]

The default is the size of ImageNet through ResNet-50. Two layers of realistic width (64 and 512 units) have maxima; the
others only their units' strongest patches, without which the store would take 200 GB. So `verify` finds it incomplete,
and it is good for measuring alone: there is no `strongest/` and no network. Features lie in a few hundred directions of
which some classes share the centre, ReLU'd, with noise; they are made part by part, and no more than a part of the
shards is on the disk at a time. The same arguments give the same store.
"""

import argparse
import io
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from unitscope.common.frame import Frame
from unitscope.index.format.files import PATCHES, PLAN, SHARDS, THUMBS, part_path, shard_path
from unitscope.index.format.layer_row import LayerRow
from unitscope.index.format.manifest import Manifest, files_of, frame_to_json
from unitscope.index.format.parquet_writer import record_of
from unitscope.index.format.schema import plan_schema, shard_schema
from unitscope.index.merge import tables
from unitscope.index.merge.maxima import note_name
from unitscope.index.merge.notes import Merged, Part, Reduced, note_path, to_bytes
from unitscope.index.stats.moments import Statistics
from unitscope.index.stats.topk import TopK
from unitscope.index.storage import packs
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.hashed_file import PartRecord
from unitscope.jobs.build.index import build_index

FRAME = Frame(resize=256, crop=(224, 224))
TOP_ONLY = 2048
"""Units of a layer without maxima, at most."""


@dataclass(frozen=True)
class Size:
    """What is made. part, shard: images of one. k: patches of a unit. swept: units of the layers that have maxima."""

    images: int
    width: int = 2048
    units: int = 27_000
    classes: int = 1000
    part: int = 131_072
    shard: int = 8_192
    k: int = 100
    swept: tuple[int, ...] = (64, 512)
    seed: int = 0


def layers_of(size: Size) -> tuple[list[LayerRow], list[LayerRow]]:
    """Return those with maxima, and those without."""
    swept = [_layer(f"swept.{units}", units, 112 >> place) for place, units in enumerate(size.swept)]
    rest = size.units - sum(size.swept)
    others = [
        _layer(f"top.{place}", min(TOP_ONLY, rest - first), 7)
        for place, first in enumerate(range(0, rest, TOP_ONLY))
    ]
    return swept, others


def _layer(name: str, units: int, side: int) -> LayerRow:
    stride = 224 // side
    field = {"rf_height": 3 * stride, "rf_width": 3 * stride, "stride_y": stride, "stride_x": stride}
    local = {"local_rf_height": 3 * stride, "local_rf_width": 3 * stride}
    view = {"view_height": 2 * stride, "view_width": 2 * stride}
    return LayerRow(
        name, "map", units, side, side, **field, start_y=-stride, start_x=-stride, **local, **view
    )


def make(url: str, size: Size, *, index: bool = False) -> None:
    """Write the store. index: over its features too, in two threads."""
    folder = Folder(url)
    swept, others = layers_of(size)
    layers = [*swept, *others]
    parts = [_part(size, number) for number in range(-(-size.images // size.part))]
    made = _Made(size, swept)
    records = [_write_plan(folder, part, made) for part in parts]
    tables.note_labels(folder, parts)
    jpegs = pictures(300, size.seed)
    for part in parts:
        _write_shards(folder, part, made)
        records += [
            tables.write_maxima(folder, part, swept, number, k=size.k).record for number in range(len(swept))
        ]
        records += [tables.write_images(folder, part).record, tables.write_features(folder, part).record]
        folder.remove_tree(SHARDS)
        records += packs.write_pack(folder, THUMBS, part.number, _repeated(jpegs, part.images))
        _said(f"part {part.number + 1} of {len(parts)}")
    _note_tops(folder, parts, len(swept), others, size)
    records += [
        tables.write_units(folder, parts, layers, FRAME, k=size.k).record,
        tables.write_classes(folder, parts).record,
        tables.write_selectivity(folder, parts, layers).record,
        tables.write_layers(folder, layers).record,
        tables.write_errors(folder, []).record,
    ]
    for number, layer in enumerate(layers):
        records += packs.write_pack(
            folder, PATCHES, number, _repeated(jpegs, layer.units * packs.PATCHES_PER_UNIT)
        )
    _manifest(size, layers, records).write(folder)
    folder.remove_tree(".work")
    if index:
        index_it(url)


def index_it(url: str) -> None:
    """`ann/` and `knn/` of the store."""
    began = time.perf_counter()
    built = build_index(url, pixels=False)
    _said(
        f"index: {built.ann.seconds:.0f} s, recall@10 {built.ann.recall:.4f}; with the graph "
        f"{time.perf_counter() - began:.0f} s, recall of {built.neighbours} {built.graph_recall:.4f}"
    )


class _Made:
    """What is drawn for the images, a shard at a time: each from its own seed."""

    def __init__(self, size: Size, layers: list[LayerRow]) -> None:
        self.size, self.layers = size, layers
        random = np.random.default_rng(size.seed)
        self._centres = random.normal(size=(size.classes, 64)).astype(np.float32)
        self._spread = (0.7 * random.normal(size=(64, size.width)) / 8).astype(np.float32)
        self._noise = (0.05 * random.normal(size=(512, size.width))).astype(np.float32)
        self.labels = [f"class {number:04d}" for number in range(size.classes)]

    def label_indices(self, first: int, images: int) -> np.ndarray:
        """Return (images,) int32: contiguous, as folders are."""
        ids = np.arange(first, first + images)
        return (ids * self.size.classes // self.size.images).astype(np.int32)

    def shard(self, schema: pa.Schema, first: int, images: int) -> pa.RecordBatch:
        """Return the rows of one shard."""
        random = np.random.default_rng((self.size.seed, first))
        label = self.label_indices(first, images)
        other = random.integers(self.size.classes, size=images).astype(np.int32)
        probability = random.beta(2, 1, size=images).astype(np.float32)
        columns = {
            "image_id": pa.array(np.arange(first, first + images)),
            "sha256": pa.array([f"{image:064x}" for image in range(first, first + images)]),
            "width": pa.array(random.integers(200, 600, images).astype(np.int32)),
            "height": pa.array(random.integers(200, 600, images).astype(np.int32)),
            "predicted": pa.array(np.where(random.random(images) < 0.8, label, other)),
            "probability": pa.array(probability),
            "loss": pa.array(-np.log(np.maximum(probability, 1e-6))),
            "status": pa.array(["ok"] * images),
            "reason": pa.nulls(images, pa.string()),
            "feature": _lists(self._features(random, label)),
        }
        for number, layer in enumerate(self.layers):
            values = np.maximum(random.normal(size=(images, layer.units)), 0).astype(np.float32)
            flat = random.integers(layer.height * layer.width, size=values.shape).astype(np.uint16)
            columns |= {f"m{number}": _lists(values), f"p{number}": _lists(flat)}
        return pa.record_batch([columns[name] for name in schema.names], schema=schema)

    def _features(self, random: np.random.Generator, label: np.ndarray) -> np.ndarray:
        """Return (images, width) float32."""
        latent = self._centres[label] + 0.6 * random.normal(size=(len(label), 64)).astype(np.float32)
        noise = self._noise[random.integers(len(self._noise), size=len(label))]
        noise *= random.normal(size=(len(label), 1)).astype(np.float32)
        return np.maximum(latent @ self._spread + noise, 0)


def _part(size: Size, number: int) -> Part:
    first = number * size.part
    images = min(size.part, size.images - first)
    shards = range(first // size.shard, -(-(first + images) // size.shard))
    return Part(number, first, images, tuple(map(shard_path, shards)))


def _write_plan(folder: Folder, part: Part, made: _Made) -> PartRecord:
    schema, path = plan_schema(), part_path(PLAN, part.number)
    with folder.writer(path) as file, pq.ParquetWriter(file, schema) as writer:
        for first in range(part.first, part.first + part.images, made.size.shard):
            images = min(made.size.shard, part.first + part.images - first)
            label = made.label_indices(first, images)
            uris = [f"{made.labels[of]}/{image:08d}.jpg" for image, of in enumerate(label.tolist(), first)]
            nothing = pa.nulls(images, pa.int64())
            columns = {
                "image_id": np.arange(first, first + images),
                "uri": uris,
                "size": nothing,
                "etag": pa.nulls(images, pa.string()),
                "label": [made.labels[of] for of in label.tolist()],
                "label_index": label,
                "file": uris,
                "offset": nothing,
                "length": nothing,
            }
            writer.write_table(pa.table(columns, schema=schema))
    return record_of(folder, path)


def _write_shards(folder: Folder, part: Part, made: _Made) -> None:
    schema = shard_schema(made.layers, made.size.width, pa.float32(), pa.float32())
    for place, path in enumerate(part.shards):
        first = part.first + place * made.size.shard
        images = min(made.size.shard, part.first + part.images - first)
        with folder.writer(path) as file, pa.ipc.new_file(file, schema) as writer:
            writer.write_batch(made.shard(schema, first, images))


def _note_tops(folder: Folder, parts: list[Part], first: int, layers: list[LayerRow], size: Size) -> None:
    """Note what the merge would have noted of the layers without maxima: everything in the first part."""
    record = record_of(folder, part_path(PLAN, 0))
    for number, layer in enumerate(layers, first):
        random = np.random.default_rng((size.seed, number))
        shape = (layer.units, min(size.k, size.images))
        values = -np.sort(-random.gamma(2, size=shape).astype(np.float32), axis=1)
        ids = np.stack([random.choice(size.images, shape[1], replace=False) for _ in range(layer.units)])
        flat = random.integers(layer.height * layer.width, size=shape).astype(np.int32)
        means, least = values.mean(axis=1) / 4, np.zeros(layer.units, np.float32)
        active = np.full(layer.units, size.images // 2)
        measured = Statistics(
            size.images,
            means.astype(np.float64),
            means.astype(np.float64),
            least,
            values[:, 0],
            active,
            np.full(layer.units, size.images),
        )
        sums = random.random((layer.units, size.classes)) * size.images / size.classes
        for part in parts:
            made = Reduced(TopK(values, ids, flat), measured, sums, np.zeros((layer.units, 0), np.int64))
            reduced = Reduced.empty(layer.units, size.classes) if part.number else made
            folder.publish(note_path(note_name(part, number)), to_bytes(Merged(record, reduced)))


def pictures(count: int, seed: int) -> list[bytes]:
    """Small JPEGs, all different."""
    random = np.random.default_rng(seed)
    found: list[bytes] = []
    for _ in range(count):
        file = io.BytesIO()
        small = Image.fromarray(random.integers(0, 255, (6, 6, 3), dtype=np.uint8))
        small.resize((96, 96)).save(file, "JPEG", quality=80)
        found.append(file.getvalue())
    return found


def _repeated(jpegs: list[bytes], rows: int) -> Iterator[bytes]:
    return (jpegs[row % len(jpegs)] for row in range(rows))


def _lists(array: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1]
    )


def _manifest(size: Size, layers: list[LayerRow], records: list[PartRecord]) -> Manifest:
    return Manifest(
        fingerprints=dict.fromkeys(("weights", "preprocessing", "dataset", "plan"), "0" * 64),
        model={
            "spec": "synthetic@random",
            "weights": None,
            "random": True,
            "classes": [f"class {number:04d}" for number in range(size.classes)],
            "input_size": [224, 224],
            "feature": {"layer": "none"},
        },
        frame=frame_to_json(FRAME),
        dataset={"path": "nowhere", "kind": "folder"},
        labels="made up",
        options={"k": size.k, "maxima_dtype": "float32", "feature_dtype": "float32", "precision": "exact"},
        software={"unitscope": "0"},
        machine={},
        counts={
            "images": size.images,
            "ok": size.images,
            "layers": len(layers),
            "units": sum(layer.units for layer in layers),
            "errors": {},
            "labels": size.classes,
        },
        files=files_of(records),
    )


_BEGAN = time.perf_counter()


def _said(text: str) -> None:
    print(f"{time.perf_counter() - _BEGAN:.0f} s: {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("--images", type=int, default=1_281_167)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--units", type=int, default=27_000)
    parser.add_argument("--index", action="store_true", help="over the features too")
    options = parser.parse_args()
    size = Size(options.images, width=options.width, units=options.units)
    make(str(options.store), size, index=options.index)


if __name__ == "__main__":
    main()

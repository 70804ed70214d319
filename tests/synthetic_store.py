"""Makes a small finished store without a model: made-up maxima in shard files, merged by the functions under test.

Loaded by the fixture `synthetic` of tests/conftest.py: `synthetic.make_store(tmp_path / "store")`.
"""

import hashlib
import io
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from unitscope.common.frame import Frame
from unitscope.index.format import parquet_writer as parquet_files
from unitscope.index.format.files import PATCHES, PLAN, THUMBS, part_path, shard_path
from unitscope.index.format.layer_row import LayerRow
from unitscope.index.format.manifest import Manifest, files_of, frame_to_json
from unitscope.index.format.parquet_writer import record_of
from unitscope.index.format.schema import plan_schema, shard_schema
from unitscope.index.merge import maxima as maxima_table
from unitscope.index.merge import tables
from unitscope.index.merge.tables import Part
from unitscope.index.storage import packs
from unitscope.index.storage.folder import Folder
from unitscope.index.store.remembered import remember

FRAME = Frame(resize=32, crop=(28, 28))
CLASSES = ("ant", "bee", "cat", "dog")
METADATA = [pa.field("split", pa.string()), pa.field("weight", pa.float64())]


def layer_row(name, kind, units, height=1, width=1, **changes):
    row = {
        "rf_height": 11,
        "rf_width": 9,
        "stride_y": 7,
        "stride_x": 5,
        "start_y": -4,
        "start_x": -3,
        "local_rf_height": 11,
        "local_rf_width": 9,
        "view_height": 6,
        "view_width": 5,
    }
    return LayerRow(name, kind, units, height, width, **(row | changes))


LAYERS = (
    layer_row("features.0", "map", 40, 5, 6),
    layer_row("block.1:0", "tokens", 17, 3, 3),
    layer_row("head", "vector", 4, rf_height=28, rf_width=28, start_y=0, start_x=0),
)


@dataclass
class Synthetic:
    """What went into a store: the oracle of every answer. Arrays are (images, units)."""

    folder: Folder
    layers: tuple
    parts: list
    images: pa.Table
    failed: np.ndarray
    values: list
    positions: list
    feature: np.ndarray
    k: int

    @property
    def url(self):
        return self.folder.url

    def top(self, number, unit, k, mask=None):
        """[(value, image_id, flat position)] by sorting everything."""
        rows = [
            (float(self.values[number][image, unit]), image, int(self.positions[number][image, unit]))
            for image in np.flatnonzero(~self.failed if mask is None else ~self.failed & mask)
        ]
        return sorted(rows, key=lambda row: (-row[0], row[1]))[:k]


def make_store(
    url,
    *,
    images=200,
    shard=32,
    shards_per_part=3,
    group_rows=64,
    k=10,
    seed=0,
    failed=(5, 70, 71),
    layers=LAYERS,
    maxima_type=None,
    dataset=None,
    kinds=("ties", "ties", "real"),
    keep_work=False,
    change=lambda made: None,
    picture=None,
):
    """A finished store at `url`, and what it holds.

    group_rows: rows of a row group, so that small stores have several. dataset: a folder to fill with the images.
    change: is given what was made up before anything is written, to change it. picture: gives a unit's JPEG, by default
    bytes that are none.
    """
    folder = Folder(str(url))
    made = _made_up(folder, images, layers, failed, seed=seed, k=k, kinds=kinds)
    change(made)
    if maxima_type is not None:
        made.values = [
            values.astype(maxima_type.to_pandas_dtype()).astype(np.float32) for values in made.values
        ]
    if dataset is not None:
        _write_dataset(Path(dataset), made)
    _write_shards(made, shard, shards_per_part, maxima_type or pa.float32())
    with ExitStack() as stack:
        stack.enter_context(patch.object(tables, "IMAGE_ROWS", group_rows))
        stack.enter_context(patch.object(parquet_files, "IMAGE_ROWS", group_rows))
        stack.enter_context(patch.object(maxima_table, "maxima_rows", lambda units: group_rows))
        records = merge(made)
    records += _write_packs(made, picture)
    records += [record_of(folder, part_path(PLAN, part.number)) for part in made.parts]
    manifest = _manifest(made, records, dataset, maxima_type)
    manifest.write(folder)
    remember(manifest.hash, spec="none@random", weights=None, dataset=str(dataset or "nowhere"))
    if not keep_work:
        folder.remove_tree(".work")
    return made


def merge(made):
    """All tables from the shards; gives the records."""
    folder, layers, parts = made.folder, made.layers, made.parts
    done = []
    tables.note_labels(folder, parts)
    for part in parts:
        done += [tables.write_maxima(folder, part, layers, number, k=made.k) for number in range(len(layers))]
        done += [tables.write_images(folder, part), tables.write_features(folder, part)]
    done.append(tables.write_units(folder, parts, layers, FRAME, k=made.k))
    done += [tables.write_classes(folder, parts), tables.write_selectivity(folder, parts, layers)]
    done += [tables.write_strongest(folder, part, parts, layers) for part in parts]
    done += [tables.write_layers(folder, layers), tables.write_errors(folder, parts)]
    return [one.record for one in done]


def _made_up(folder, count, layers, failed, *, seed, k, kinds):
    rng = np.random.default_rng(seed)
    bad = np.isin(np.arange(count), failed)
    values, positions = [], []
    for layer, kind in zip(layers, kinds, strict=True):
        drawn = rng.standard_normal((count, layer.units)).astype(np.float32)
        if kind == "ties":
            drawn = np.maximum(np.round(drawn * 4) / 4, 0)
            drawn[:, 0] = 0  # a dead unit
        values.append(drawn)
        flat = rng.integers(0, layer.height * layer.width, drawn.shape)
        positions.append(flat.astype(layer.position_type.to_pandas_dtype()))
    label_index = rng.integers(0, len(CLASSES), count)
    table = pa.table(
        {
            "image_id": np.arange(count),
            "uri": [f"{CLASSES[label]}/{image:05d}.png" for image, label in enumerate(label_index)],
            "sha256": [hashlib.sha256(b"%d" % image).hexdigest() for image in range(count)],
            "width": pa.array(rng.integers(20, 90, count).astype(np.int32), mask=bad),
            "height": pa.array(rng.integers(20, 90, count).astype(np.int32), mask=bad),
            "label": [CLASSES[label] for label in label_index],
            "label_index": pa.array(label_index.astype(np.int32), mask=rng.random(count) < 0.1),
            "predicted": pa.array(rng.integers(0, len(CLASSES), count).astype(np.int32), mask=bad),
            "probability": pa.array(rng.random(count, dtype=np.float32), mask=bad),
            "loss": pa.array(rng.random(count, dtype=np.float32), mask=bad),
            "status": np.where(bad, "undecodable", "ok").tolist(),
            "reason": [f"image {image} is not an image" if bad[image] else None for image in range(count)],
            "split": np.where(np.arange(count) % 3 == 0, "test", "train").tolist(),
            "weight": rng.random(count),
        }
    )
    feature = rng.standard_normal((count, 7)).astype(np.float32)
    return Synthetic(folder, tuple(layers), [], table, bad, values, positions, feature, k)


def _write_dataset(path, made):
    """PNGs in class folders; ids are then those of the sorted paths, so uri and sha256 are set again."""
    rng = np.random.default_rng(1)
    rows = made.images.to_pylist()
    for row in rows:
        row["uri"] = f"{row['image_id']:05d}.png"
        (path / row["uri"]).parent.mkdir(parents=True, exist_ok=True)
        data = b"no image" if row["status"] != "ok" else _png(rng, row["width"], row["height"])
        (path / row["uri"]).write_bytes(data)
        row["sha256"] = hashlib.sha256(data).hexdigest()
    made.images = pa.Table.from_pylist(rows, schema=made.images.schema)


def _png(rng, width, height):
    target = io.BytesIO()
    pixels = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(target, "PNG", compress_level=1)
    return target.getvalue()


def _write_shards(made, size, per_part, maxima_type):
    count = made.images.num_rows
    schema = shard_schema(made.layers, made.feature.shape[1], pa.float32(), maxima_type)
    for number, first in enumerate(range(0, count, size)):
        rows = slice(first, min(first + size, count))
        columns = [
            made.images[name].combine_chunks().slice(first, size)
            for name in schema.names[: schema.names.index("feature")]
        ]
        columns.append(_lists(made.feature[rows], made.failed[rows], pa.float32()))
        for values, positions, layer in zip(made.values, made.positions, made.layers, strict=True):
            columns.append(_lists(values[rows], made.failed[rows], maxima_type))
            if layer.has_positions:
                columns.append(_lists(positions[rows], made.failed[rows], layer.position_type))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema))
        made.folder.publish(shard_path(number), sink.getvalue().to_pybytes())
    shards = [shard_path(number) for number in range(-(-count // size))]
    for number, start in enumerate(range(0, len(shards), per_part)):
        first = start * size
        rows = min(per_part * size, count - first)
        made.parts.append(Part(number, first, rows, tuple(shards[start : start + per_part])))
        _write_plan(made, made.parts[-1])


def _write_plan(made, part):
    rows = made.images.slice(part.first, part.images)
    empty = pa.nulls(part.images)
    known = {name: rows[name] for name in ("image_id", "uri", "label", "label_index", "split", "weight")}
    others = {"size": empty, "etag": empty, "file": rows["uri"], "offset": empty, "length": empty}
    schema = plan_schema(METADATA)
    table = pa.table(known | others).select(schema.names).cast(schema)
    with made.folder.writer(part_path(PLAN, part.number)) as file:
        pq.write_table(table, file, row_group_size=50)


def _lists(array, failed, value_type):
    flat = pa.array(np.ascontiguousarray(array).reshape(-1)).cast(value_type)
    return pa.FixedSizeListArray.from_arrays(
        flat, array.shape[1], mask=pa.array(failed) if failed.any() else None
    )


def thumb(image):
    """An image's thumbnail: a gray JPEG, and the image's id after its end."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (image * 37 % 256,) * 3).save(file, "JPEG")
    return file.getvalue() + b"thumb %d" % image


def view(number, unit, rank):
    """The stand-in for the picture of a unit's view."""
    return b"view %d %d %d" % (number, unit, rank)


def _write_packs(made, picture):
    records = []
    for part in made.parts:
        ids = range(part.first, part.first + part.images)
        jpegs = (None if made.failed[image] else thumb(image) for image in ids)
        records += packs.write_pack(made.folder, THUMBS, part.number, jpegs)
    for number, layer in enumerate(made.layers):
        jpegs = (
            (picture(unit) if picture else view(number, unit, rank)) if rank < made.k else None
            for unit in range(layer.units)
            for rank in range(packs.PATCHES_PER_UNIT)
        )
        records += packs.write_pack(made.folder, PATCHES, number, jpegs)
    return records


def _manifest(made, records, dataset, maxima_type):
    failed = int(made.failed.sum())
    return Manifest(
        fingerprints=dict.fromkeys(("weights", "preprocessing", "dataset", "plan"), "0" * 64),
        model={
            "spec": "none@random",
            "weights": None,
            "random": True,
            "classes": list(CLASSES),
            "input_size": [28, 28],
            "feature": "head",
            "preprocess": {"resize": 32, "crop": 28},
        },
        frame=frame_to_json(FRAME),
        dataset={"path": str(dataset or "nowhere"), "kind": "folder"},
        labels="none",
        options={"k": made.k, "maxima_dtype": str(maxima_type or "float32"), "allow_nonfinite": False},
        software={"unitscope": "0"},
        machine={},
        counts={
            "images": made.images.num_rows,
            "ok": made.images.num_rows - failed,
            "layers": len(made.layers),
            "units": sum(layer.units for layer in made.layers),
            "errors": {"undecodable": failed} if failed else {},
            "labels": len(set(made.images["label"].to_pylist()) - {None}),
        },
        files=files_of(records),
    )

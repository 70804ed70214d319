"""The tables that are written from shards: columns, order, types, values, nulls; the same bytes each time."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import StoreDamagedError, StoreError
from unitscope.index.format.files import shard_path
from unitscope.index.format.layer_row import LayerRow
from unitscope.index.format.manifest import Manifest
from unitscope.index.format.parquet_writer import UNIT_ROWS, feature_rows, maxima_rows
from unitscope.index.format.schema import (
    ERRORS_SCHEMA,
    LAYERS_SCHEMA,
    PATCH_TYPE,
    UNITS_SCHEMA,
    images_schema,
    maxima_schema,
)
from unitscope.index.merge import notes as merged
from unitscope.index.merge import tables
from unitscope.index.merge.shards import shard_blocks
from unitscope.index.storage.folder import Folder


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return synthetic.make_store(tmp_path_factory.mktemp("tables") / "store")


def read(made, path):
    return pq.ParquetFile(f"{made.url}/{path}").read()


def whole(made, table):
    paths = [record.path for record in Manifest.read(made.folder).parts(table)]
    return pa.concat_tables([read(made, path) for path in paths])


def words(text):
    return text.split()


def test_columns_are_those_of_the_format(made, synthetic):
    """The names, their order and their types, written out: a change of schema.py must fail here."""
    assert LAYERS_SCHEMA.names == words(
        "layer kind units height width rf_height rf_width stride_y stride_x start_y start_x "
        "local_rf_height local_rf_width view_height view_width view_y0 view_x0 branches"
    )
    assert UNITS_SCHEMA.names == words("layer unit images mean std min max active top nonfinite")
    assert [field.name for field in PATCH_TYPE] == words("value image_id y x x0 y0 x1 y1 vx0 vy0 vx1 vy1")
    assert ERRORS_SCHEMA.names == words("image_id uri status reason")
    images = words(
        "image_id uri sha256 width height label label_index predicted probability loss status split weight"
    )
    assert images_schema(synthetic.METADATA).names == images
    assert read(made, "layers.parquet").schema == LAYERS_SCHEMA
    assert read(made, "units.parquet").schema.field("top").type.value_type == PATCH_TYPE
    assert whole(made, "images").schema == images_schema(synthetic.METADATA)
    maxima = whole(made, "maxima/features.0")
    units = range(40)
    assert maxima.schema.names == ["image_id", *(f"u{u}" for u in units), *(f"p{u}" for u in units)]
    assert [str(maxima.schema.field(name).type) for name in ("image_id", "u7", "p7")] == [
        "int64",
        "float",
        "uint16",
    ]
    assert whole(made, "maxima/head").schema.names == ["image_id", "u0", "u1", "u2", "u3"]
    assert str(whole(made, "features").schema.field("feature").type) == "fixed_size_list<element: float>[7]"


def test_positions_of_large_maps_are_uint32():
    def position(side):
        layer = LayerRow("l", "map", 1, side, side, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1)
        return maxima_schema(layer, pa.float32()).field("p0").type

    assert (position(256), position(257)) == (pa.uint16(), pa.uint32())


def test_maxima_and_positions(made):
    for number, layer in enumerate(made.layers):
        table = whole(made, f"maxima/{layer.layer}")
        assert table["image_id"].to_pylist() == list(range(200))
        for unit in range(layer.units):
            values = table[f"u{unit}"].to_numpy()
            assert np.array_equal(np.isnan(values), made.failed)
            assert table[f"u{unit}"].null_count == made.failed.sum()
            assert np.array_equal(values[~made.failed], made.values[number][~made.failed, unit])
            if layer.has_positions:
                flat = table[f"p{unit}"]
                assert flat.is_null().to_pylist() == made.failed.tolist()
                got = flat.fill_null(0).to_numpy()
                assert np.array_equal(got[~made.failed], made.positions[number][~made.failed, unit])


def test_images_features_and_errors(made, synthetic):
    schema = images_schema(synthetic.METADATA)
    assert whole(made, "images").equals(made.images.select(schema.names).cast(schema))
    feature = whole(made, "features")["feature"].to_pylist()
    assert [row is None for row in feature] == made.failed.tolist()
    assert np.array_equal(np.array(feature[0], np.float32), made.feature[0])
    errors = read(made, "errors.parquet").to_pylist()
    assert errors == [
        {key: row[key] for key in ("image_id", "uri", "status", "reason")}
        for row in made.images.to_pylist()
        if row["status"] != "ok"
    ]
    assert len(errors) == 3


def test_units(made, synthetic):
    rows = read(made, "units.parquet").to_pylist()
    place = 0
    sizes = made.images.select(["width", "height"]).to_pylist()
    for number, layer in enumerate(made.layers):
        for unit in range(layer.units):
            row = rows[place]
            place += 1
            values = made.values[number][~made.failed, unit].astype(np.float64)
            assert (row["layer"], row["unit"], row["images"]) == (layer.layer, unit, 197)
            assert row["mean"] == pytest.approx(values.mean())
            assert row["std"] == pytest.approx(values.std())
            assert (row["min"], row["max"], row["active"]) == (
                values.min(),
                values.max(),
                (values > 0).mean(),
            )
            top = [(p["value"], p["image_id"], p["y"] * layer.width + p["x"]) for p in row["top"]]
            expected = made.top(number, unit, made.k)
            assert top == (
                expected if layer.has_positions else [(value, image, 0) for value, image, _ in expected]
            )
            for patch in row["top"]:
                size = sizes[patch["image_id"]]
                box = field_of(layer, patch["y"], patch["x"], synthetic.FRAME, size)
                assert tuple(patch[name] for name in ("x0", "y0", "x1", "y1")) == box
                assert all(patch[f"v{low}0"] < patch[f"v{low}1"] for low in "xy")
    assert place == len(rows)


def field_of(layer, y, x, frame, size):
    if layer.kind == "vector":
        return frame.to_original((0, 0, 28, 28), size["width"], size["height"])
    top, left = layer.start_y + y * layer.stride_y, layer.start_x + x * layer.stride_x
    field = (left, top, left + layer.rf_width, top + layer.rf_height)
    return frame.to_original(field, size["width"], size["height"])


def test_row_groups(made):
    groups = [pq.ParquetFile(f"{made.url}/units.parquet").metadata.row_group(i).num_rows for i in range(2)]
    assert groups == [UNIT_ROWS, 61 - UNIT_ROWS]
    assert UNIT_ROWS <= 256
    maxima = pq.ParquetFile(f"{made.url}/maxima/head/part-00000.parquet").metadata
    assert [maxima.row_group(i).num_rows for i in range(maxima.num_row_groups)] == [64, 32]
    assert [maxima_rows(units) for units in (1, 64, 65, 192, 4096)] == [65_536, 65_536, 32_768, 16_384, 8192]
    assert [feature_rows(width) for width in (1, 512, 4096)] == [65_536, 1024, 128]


def files(url):
    folder = Folder(str(url))
    return {name: folder.sha256(name) for name in folder.list()}


def test_written_twice_is_the_same_bytes(made, synthetic, tmp_path):
    again = synthetic.make_store(tmp_path / "again")
    assert files(again.url) == files(made.url)
    assert Manifest.read(again.folder).hash == Manifest.read(made.folder).hash


def test_the_size_of_shards_changes_no_table(made, synthetic, tmp_path):
    """Where shards are cut differently but parts are not, so are row groups not: the same bytes."""
    other = synthetic.make_store(tmp_path / "other", shard=16, shards_per_part=6)
    assert files(other.url) == files(made.url)


def test_the_manifest_lists_what_is_there(made):
    manifest = Manifest.read(made.folder)
    listed = {record.path: (record.bytes, record.sha256) for record in manifest.files.values()}
    there = {name: (made.folder.size(name), digest) for name, digest in files(made.url).items()}
    there.pop("manifest.json")
    assert listed == there


def test_resumes_from_what_was_noted(synthetic, tmp_path, monkeypatch):
    made = synthetic.make_store(tmp_path / "store", keep_work=True)
    before = files(made.url)
    monkeypatch.setattr(tables, "table_file", None)  # nothing may be written again
    monkeypatch.setattr("unitscope.index.merge.maxima.table_file", None)
    for module in ("units", "classes", "selectivity", "image_units"):
        monkeypatch.setattr(f"unitscope.index.merge.{module}.table_file", None)
    assert len(synthetic.merge(made)) == 3 * 6 + 5
    monkeypatch.undo()
    made.folder.remove("maxima/head/part-00000.parquet")
    made.folder.remove(merged.note_path("images-00001"))
    synthetic.merge(made)
    after = files(made.url)
    changed = {"images/part-00001.parquet"}  # its row groups are larger here than in make_store
    changed |= {"maxima/head/part-00000.parquet"}
    assert {name for name in before if before[name] != after.get(name)} <= changed | {
        merged.note_path("images-00001"),
        merged.note_path("maxima-0002-00000"),
    }


def test_notes_come_back_as_they_were(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", keep_work=True)
    for name in ("maxima-0001-00002", "images-00000"):
        data = made.folder.read(merged.note_path(name))
        assert merged.to_bytes(merged.from_bytes(data)) == data
    assert merged.load(made.folder, "maxima-0009-00000") is None


def test_units_need_the_maxima(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", keep_work=True)
    for name in ("units", "maxima-0001-00001"):
        made.folder.remove(merged.note_path(name))
    with pytest.raises(StoreError, match=r"block\.1:0, part 1, are not merged"):
        tables.write_units(made.folder, made.parts, made.layers, synthetic.FRAME, k=3)


@pytest.mark.parametrize("damage", ["swapped", "cut", "other columns"])
def test_wrong_shards_are_refused(synthetic, tmp_path, damage):
    made = synthetic.make_store(tmp_path / "store", keep_work=True)
    made.folder.remove_tree(".work/merged")
    tables.note_labels(made.folder, made.parts)
    noted = set(made.folder.list(".work/merged/"))
    first, second = (tmp_path / "store" / shard_path(number) for number in (0, 1))
    if damage == "swapped":
        shutil.copy(first, second)
    elif damage == "cut":
        second.write_bytes(second.read_bytes()[:1000])
    else:
        batch = pa.record_batch({"image_id": pa.array(range(32, 64))})
        with pa.ipc.new_file(str(second), batch.schema) as writer:
            writer.write_batch(batch)
    with pytest.raises(StoreDamagedError, match="shard-000001"):
        tables.write_maxima(made.folder, made.parts[0], made.layers, 0, k=3)
    assert set(made.folder.list(".work/merged/")) == noted


def test_shards_are_mapped_and_not_read(synthetic, tmp_path):
    """What keeps the merge's memory within one layer: a block of shards allocates next to nothing."""
    made = synthetic.make_store(tmp_path / "store", images=2000, shard=500, shards_per_part=4, keep_work=True)
    before = pa.total_allocated_bytes()
    blocks = list(shard_blocks(made.folder, made.parts[0], ["m0", "p0"], 700))
    assert [sum(piece.num_rows for piece in block) for block in blocks] == [700, 700, 600]
    assert pa.total_allocated_bytes() - before < 20_000  # the columns asked for have 480,000 bytes


def test_all_images_of_a_part_failed(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", images=64, shards_per_part=1, failed=range(32), k=40)
    row = read(made, "units.parquet").to_pylist()[60]
    assert row["images"] == 32
    assert [patch["image_id"] for patch in row["top"]] == [image for _, image, _ in made.top(2, 3, 40)]
    made = synthetic.make_store(tmp_path / "none", images=10, failed=range(10))
    row = read(made, "units.parquet").to_pylist()[0]
    assert (row["images"], row["mean"], row["max"], row["active"], row["top"]) == (0, None, None, None, [])


def test_float16_maxima(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", maxima_type=pa.float16())
    table = whole(made, "maxima/head")
    assert table.schema.field("u1").type == pa.float16()
    rows = read(made, "units.parquet").to_pylist()
    assert [patch["value"] for patch in rows[57]["top"]] == [value for value, _, _ in made.top(2, 0, made.k)]

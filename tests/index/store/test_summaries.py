"""The readers of classes.parquet, selectivity.parquet and strongest/, and how their making is resumed."""

import numpy as np
import pyarrow as pa
import pytest
from summary_cases import odd, read, whole
from unitscope.common.errors import LayerError, StoreError, UsageError
from unitscope.index.format import parquet_writer as parquet_files
from unitscope.index.format.manifest import Manifest
from unitscope.index.merge import notes as merged
from unitscope.index.merge import tables
from unitscope.index.store.store import Store


@pytest.fixture(scope="module", params=["plain", "odd"])
def made(request, synthetic, tmp_path_factory):
    change = odd if request.param == "odd" else lambda made: None
    return synthetic.make_store(tmp_path_factory.mktemp("summary") / "store", change=change)


def test_readers_are_the_tables(made):
    store = Store.open(made.url)
    assert store.classes_table().equals(read(made, "classes.parquet"))
    selectivity = read(made, "selectivity.parquet")
    strongest = whole(made, "strongest")["units"].to_pylist()
    first = 0
    for number, layer in enumerate(made.layers):
        part = selectivity.slice(first, layer.units)
        first += layer.units
        table = store.selectivity(layer.layer)
        assert table.to_pylist() == part.select(["unit", "label", "selectivity"]).to_pylist()
        for unit in (0, layer.units - 1):
            means = [np.nan if mean is None else mean for mean in part["means"][unit].as_py()]
            assert store.class_means(layer.layer, unit).dtype == np.float32
            np.testing.assert_array_equal(store.class_means(layer.layer, unit), np.array(means, np.float32))
        for image in (0, 5, 95, 96, 199):
            expected = [
                (layer.layer, one["unit"], one["value"], one["score"])
                for one in strongest[image] or []
                if one["layer"] == number
            ]
            assert [tuple(one) for one in store.strongest_units(image)[number]] == expected
    assert store.strongest_units(5) == [[], [], []]


def test_readers_refuse_what_is_not_there(made):
    store = Store.open(made.url)
    for call in (
        lambda: store.selectivity("x"),
        lambda: store.class_means("head", 4),
        lambda: store.class_means("x", 0),
    ):
        with pytest.raises(LayerError):
            call()
    with pytest.raises(UsageError, match="no image 200"):
        store.strongest_units(200)


def test_a_store_of_an_older_release_has_none(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    manifest = Manifest.read(made.folder)
    for path in list(manifest.files):
        if path.startswith(("classes", "selectivity", "strongest")):
            del manifest.files[path]
            made.folder.remove(path)
    manifest.write(made.folder)
    store = Store.open(made.url)
    assert store.classes_table() is None
    assert store.selectivity("head") is None
    assert store.class_means("head", 0) is None
    assert store.strongest_units(0) is None
    with pytest.raises(LayerError):
        store.selectivity("x")


# Making them


def test_each_needs_what_was_noted(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", keep_work=True)
    for name in ("selectivity", "strongest-00000", "maxima-0001-00001"):
        made.folder.remove(merged.note_path(name))
    with pytest.raises(StoreError, match=r"block\.1:0, part 1, are not merged"):
        tables.write_selectivity(made.folder, made.parts, made.layers)
    with pytest.raises(StoreError, match=r"block\.1:0, part 1, are not merged"):
        tables.write_strongest(made.folder, made.parts[0], made.parts, made.layers)
    made.folder.remove(merged.note_path("labels-00002"))
    made.folder.remove(merged.note_path("maxima-0000-00002"))
    with pytest.raises(StoreError, match="labels of part 2 are not noted"):
        tables.write_maxima(made.folder, made.parts[2], made.layers, 0, k=3)


def test_a_damaged_or_older_note_is_made_again(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", keep_work=True)
    path = merged.note_path("labels-00001")
    before = made.folder.read(path)
    made.folder.publish(path, before[:100])
    tables.note_labels(made.folder, made.parts)
    assert made.folder.read(path) == before
    path = merged.note_path("maxima-0000-00001")
    expected = merged.load(made.folder, "maxima-0000-00001").maxima.class_sums
    made.folder.publish(path, without_class_sums(made.folder.read(path)))
    assert merged.load(made.folder, "maxima-0000-00001") is None
    again = tables.write_maxima(made.folder, made.parts[1], made.layers, 0, k=made.k)
    np.testing.assert_allclose(again.maxima.class_sums, expected)


def without_class_sums(data):
    """The note as a release that made none left it."""
    table = pa.ipc.open_file(pa.BufferReader(data)).read_all().drop_columns(["class_sums"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_row_groups():
    assert [parquet_files.strongest_rows(units) for units in (0, 1, 8, 64, 432, 10**6)] == [
        65_536, 65_536, 8192, 1024, 128, 32,
    ]  # fmt: skip
    assert [parquet_files.selectivity_rows(labels) for labels in (0, 10, 512, 1000, 4096)] == [
        256,
        256,
        256,
        131,
        32,
    ]

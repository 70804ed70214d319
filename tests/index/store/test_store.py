"""`Store` against the arrays that went into it."""

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unitscope.common.errors import (
    FilterError,
    ImageError,
    LayerError,
    StoreDamagedError,
    StoreError,
    StoreNotFoundError,
    UsageError,
)
from unitscope.index.format.columns import Columns
from unitscope.index.format.manifest import Manifest
from unitscope.index.storage.folder import Folder
from unitscope.index.store.store import Store


def flat(patches, layer):
    return [(patch.value, patch.image_id, patch.y * layer.width + patch.x) for patch in patches]


def expected(made, number, unit, k, mask=None):
    rows = made.top(number, unit, k, mask)
    return rows if made.layers[number].has_positions else [(value, image, 0) for value, image, _ in rows]


def every_unit(made):
    return [(number, layer, unit) for number, layer in enumerate(made.layers) for unit in range(layer.units)]


def test_top_without_a_filter(made, store):
    for number, layer, unit in every_unit(made):
        for k in (1, 9, made.k, made.k + 1, 150, 500):  # past k: from the maxima
            assert flat(store.top(layer.layer, unit, k=k), layer) == expected(made, number, unit, k)
        assert store.unit(layer.layer, unit).top == tuple(store.top_from_maxima(layer.layer, unit, k=made.k))


WHERE = {
    "label = 'cat'": lambda row: row["label"] == "cat",
    "not correct": lambda row: row["label_index"] not in (None, row["predicted"]),
    "correct or loss > 0.5": lambda row: row["predicted"] == row["label_index"] or row["loss"] > 0.5,
    "split = 'test' and weight < 0.3": lambda row: row["split"] == "test" and row["weight"] < 0.3,
    "label_index is null": lambda row: row["label_index"] is None,
    "image_id >= 60 and image_id < 75": lambda row: 60 <= row["image_id"] < 75,
    "status != 'ok'": lambda row: False,
}


@pytest.mark.parametrize("where", WHERE)
def test_top_with_a_filter_equals_the_oracle(made, store, where):
    rows = made.images.to_pylist()
    mask = np.array([row["status"] == "ok" and WHERE[where](row) for row in rows])
    assert where == "status != 'ok'" or mask.any()
    for number, layer, unit in every_unit(made)[::5]:
        for k in (1, 9, 300):
            got = store.top(layer.layer, unit, k=k, where=where)
            assert flat(got, layer) == expected(made, number, unit, k, mask)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(low=st.floats(0, 1), k=st.integers(1, 60), unit=st.integers(0, 39))
def test_top_with_any_threshold(made, store, low, k, unit):
    mask = made.images["weight"].to_numpy() >= low
    got = store.top("features.0", unit, k=k, where=f"weight >= {low!r}")
    assert flat(got, made.layers[0]) == expected(made, 0, unit, k, mask)


def test_boxes_do_not_depend_on_where_they_come_from(made, store):
    by_filter = store.top_from_maxima("features.0", 3, k=made.k, where="image_id >= 0")
    assert by_filter == list(store.unit("features.0", 3).top)


def test_a_filter_that_keeps_enough_of_the_strongest_reads_no_maxima(made, store, monkeypatch):
    strongest = store.unit("features.0", 3).top
    first, last = strongest[0].image_id, strongest[-1].image_id
    read = []
    maxima = store.top_from_maxima
    monkeypatch.setattr(
        store, "top_from_maxima", lambda *told, **more: read.append(1) or maxima(*told, **more)
    )
    assert store.top("features.0", 3, k=made.k - 1, where=f"image_id != {first}") == list(strongest[1:])
    assert store.top("features.0", 3, k=1, where=f"image_id = {last}") == [strongest[-1]]
    assert read == []
    store.top("features.0", 3, k=made.k, where=f"image_id != {first}")
    assert read == [1]


def test_maxima_and_positions(made, store):
    for number, layer, unit in every_unit(made)[::3]:
        values = np.where(made.failed, np.nan, made.values[number][:, unit])
        got = store.maxima(layer.layer, unit)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, values)
        flats = made.positions[number][:, unit].astype(int) if layer.has_positions else np.zeros(200, int)
        np.testing.assert_array_equal(store.positions(layer.layer, unit), np.where(made.failed, -1, flats))


def test_units(made, store):
    table = store.units("block.1:0")
    assert table.column_names == [
        "layer",
        "unit",
        "images",
        "mean",
        "std",
        "min",
        "max",
        "active",
        "nonfinite",
    ]
    assert table["unit"].to_pylist() == list(range(17))
    assert set(table["layer"].to_pylist()) == {"block.1:0"}
    assert table["max"].to_pylist() == made.values[1][~made.failed].max(0).tolist()
    row = store.unit("block.1:0", 16)
    assert (row.images, row.max) == (197, table["max"][16].as_py())


def test_images(made, store):
    assert store.image(7) == {name: made.images[name][7].as_py() for name in store.images_schema.names}
    assert [row["image_id"] for row in store.images_at([150, 3, 3, 70], ["image_id"])] == [150, 3, 3, 70]
    assert store.images(["loss", "uri"]).to_pydict() == made.images.select(["loss", "uri"]).to_pydict()
    for image in (0, 63, 64, 199):
        assert store.find_image(made.images["uri"][image].as_py()) == image
    assert store.find_image("nowhere.png") is None


def test_features(made, store):
    assert (store.features.width, store.features.images) == (7, 200)
    for rows in (1, 50, 1000):
        blocks = list(store.features.blocks(rows))
        assert [block.first for block in blocks] == np.cumsum([0, *(len(b.values) for b in blocks)])[
            :-1
        ].tolist()
        values = np.concatenate([block.values for block in blocks])
        assert np.array_equal(np.concatenate([block.valid for block in blocks]), ~made.failed)
        np.testing.assert_array_equal(values, np.where(made.failed[:, None], np.nan, made.feature))
    np.testing.assert_array_equal(store.feature(150), made.feature[150])
    with pytest.raises(UsageError, match="image 70 has no feature: it is undecodable"):
        store.feature(70)


def test_names_of_classes(store):
    assert [store.class_name(index) for index in range(len(store.classes))] == list(store.classes)
    assert [store.class_name(index) for index in (None, -1, len(store.classes))] == [None] * 3


def test_pictures(made, store, synthetic):
    for image in range(200):
        assert store.thumb(image) == (None if made.failed[image] else synthetic.thumb(image))
    assert store.patch("block.1:0", 16, 8) == synthetic.view(1, 16, 8)
    assert store.patch("features.0", 0, 0) == synthetic.view(0, 0, 0)
    assert store.patch("features.0", 0, 9) is None


def test_mask_is_made_once_and_cannot_be_changed(store):
    mask = store.mask("label = 'cat'")
    assert store.mask('label  =  "cat"') is mask
    with pytest.raises(ValueError, match="read-only"):
        mask[0] = True


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda s: s.layer("features.9"),
            LayerError,
            "no layer 'features.9' in this store; did you mean features.0",
        ),
        (lambda s: s.layer("zzz"), LayerError, "there are features.0, block.1:0, head"),
        (lambda s: s.top("head", 4), LayerError, "no unit 4 in head: it has units 0 to 3"),
        (lambda s: s.unit("head", -1), LayerError, "no unit -1"),
        (lambda s: s.top("head", 0, k=0), UsageError, "at least one"),
        (lambda s: s.top("head", 0, where="nonsense = 1"), FilterError, "nonsense"),
        (lambda s: s.image(200), UsageError, "no image 200 in this store: it has images 0 to 199"),
        (lambda s: s.thumb(-1), UsageError, "no image -1"),
        (lambda s: s.images(["nothing"]), UsageError, "no column 'nothing'; there are image_id"),
    ],
)
def test_wrong_questions(store, call, error, says):
    with pytest.raises(error) as caught:
        call(store)
    assert says in str(caught.value)


def test_many_threads_get_the_same_answers(made):
    store = Store.open(made.url)
    store._tables.cache._columns.limit = 5000  # so small that columns come and go all the time
    wrong = []

    def ask(seed):
        rng = np.random.default_rng(seed)
        for _ in range(40):
            number, layer, unit = every_unit(made)[rng.integers(61)]
            where = ["weight < 0.5", None][rng.integers(2)]
            mask = None if where is None else made.images["weight"].to_numpy() < 0.5
            try:
                got = flat(store.top(layer.layer, unit, k=11, where=where), layer)
                if got != expected(made, number, unit, 11, mask):
                    wrong.append((layer.layer, unit, where))
            except Exception as error:  # noqa: BLE001
                wrong.append(error)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert store._tables.cache._columns._held <= 5000


def test_pixels(synthetic, tmp_path):
    made = synthetic.make_store(
        tmp_path / "store", images=20, shards_per_part=1, failed=(5,), dataset=tmp_path / "data"
    )
    store = Store.open(made.url)
    assert store.pixels(17) == (tmp_path / "data/00017.png").read_bytes()
    assert store.pixels(5) == b"no image"  # undecodable, but its bytes are those that were swept
    changed = tmp_path / "data/00003.png"
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")
    with pytest.raises(StoreDamagedError, match=r"image 3 \(00003\.png\) is not the one that was swept"):
        store.pixels(3)
    (tmp_path / "data/00004.png").unlink()
    with pytest.raises((ImageError, StoreDamagedError)):
        store.pixels(4)
    (tmp_path / "data").rename(tmp_path / "moved")
    assert Store.open(made.url, dataset=str(tmp_path / "moved")).pixels(17)


def test_stores_that_are_none(made, tmp_path):
    with pytest.raises(StoreNotFoundError, match="there is nothing there"):
        Store.open(str(tmp_path / "empty"))
    unfinished = Folder(str(tmp_path / "unfinished"))
    unfinished.publish(".work/plan.json", b"{}")
    with pytest.raises(StoreNotFoundError, match=r"unfinished.*unitscope sweep"):
        Store.open(unfinished.url)
    other = Folder(str(tmp_path / "other"))
    other.publish("holiday.jpg", b"")
    with pytest.raises(StoreNotFoundError, match="is not a store"):
        Store.open(other.url)
    newer = Folder(str(tmp_path / "newer"))
    text = made.folder.read("manifest.json").decode()
    newer.publish("manifest.json", text.replace('"format_version": 1', '"format_version": 2').encode())
    with pytest.raises(StoreError, match="format version 2; this Unitscope reads version 1"):
        Store.open(newer.url)
    for nonsense in (b"", b"[]", b"{}", b'{"format_version": 1}', b"\xff"):
        newer.publish("manifest.json", nonsense)
        with pytest.raises(StoreDamagedError, match="manifest"):
            Store.open(newer.url)


def test_missing_and_damaged_files_are_named(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    store = Store.open(made.url)
    (tmp_path / "store/maxima/head/part-00001.parquet").unlink()
    with pytest.raises(StoreDamagedError, match=r"maxima/head/part-00001\.parquet"):
        store.maxima("head", 0)
    (tmp_path / "store/images/part-00000.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(StoreDamagedError, match=r"images/part-00000\.parquet"):
        store.image(0)
    (tmp_path / "store/layers.parquet").unlink()
    with pytest.raises(StoreDamagedError, match=r"layers\.parquet"):
        Store.open(made.url)


def test_in_a_bucket(synthetic, s3_bucket):
    made = synthetic.make_store(f"{s3_bucket}/some/store", images=70, failed=(5, 66))
    store = Store.open(made.url)
    for number, layer in enumerate(made.layers):
        assert flat(store.top(layer.layer, 1, k=5), layer) == expected(made, number, 1, 5)
        mask = made.images["weight"].to_numpy() < 0.5
        got = store.top(layer.layer, 1, k=5, where="weight < 0.5")
        assert flat(got, layer) == expected(made, number, 1, 5, mask)
    assert store.thumb(3) == synthetic.thumb(3)
    assert store.patch("head", 2, 1) == synthetic.view(2, 2, 1)
    assert Manifest.read(made.folder).hash == store.manifest.hash


def test_float16_maxima_answer_alike(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", maxima_type=pa.float16())
    store = Store.open(made.url)
    assert flat(store.top("head", 2, k=30), made.layers[2]) == expected(made, 2, 2, 30)
    assert store.maxima("head", 2).dtype == np.float32


def test_large_stores_read_a_row_group_at_a_time_and_answer_alike(store, monkeypatch):
    """Small ones read a unit's column in one piece, and keep the columns that filters read."""
    from unitscope.index.store import images as image_reader
    from unitscope.index.store import maxima as strongest

    def answers():
        opened = Store.open(store.folder.url)
        for layer in opened.layers:
            for unit in (0, layer.units - 1):
                yield opened.maxima(layer.layer, unit).tolist(), opened.positions(layer.layer, unit).tolist()
                yield opened.top_from_maxima(layer.layer, unit, k=7)
                yield opened.top_from_maxima(layer.layer, unit, k=300, where="correct or loss > 0.5")

    small = list(answers())
    monkeypatch.setattr(strongest, "_WHOLE_ROWS", 0)
    monkeypatch.setattr(image_reader, "_KEPT_IMAGES", 0)
    monkeypatch.setattr(Columns, "whole", None)
    assert repr(list(answers())) == repr(small)  # NaN is not equal to itself

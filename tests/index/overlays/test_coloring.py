"""What overlays color by, against the columns that went into a store."""

import numpy as np
import pyarrow as pa
import pytest
from unitscope.common.errors import LayerError, UsageError
from unitscope.index.overlays import coloring as colors
from unitscope.index.store.store import Store


def test_a_column_of_words_is_classes(made, store):
    found = colors.by_column(store, "label")
    labels = made.images["label"].to_pylist()
    assert found.kind == "classes"
    assert [found.names[int(number)] for number in found.values] == labels
    assert found.counts == tuple(labels.count(name) for name in found.names)


def test_predictions_have_the_model_s_names_and_gaps(made, store):
    found = colors.by_column(store, "predicted")
    for value, predicted in zip(found.values, made.images["predicted"].to_pylist(), strict=True):
        if predicted is None:
            assert np.isnan(value)
        else:
            assert found.names[int(value)] == store.classes[predicted]


def test_numbers_keep_their_values_and_what_is_not_finite_is_missing(made, store):
    loss = colors.by_column(store, "loss")
    expected = [np.nan if one is None else one for one in made.images["loss"].to_pylist()]
    np.testing.assert_array_equal(loss.values, np.array(expected, np.float32))
    there = np.sort(loss.values[~np.isnan(loss.values)])
    assert (loss.smallest, loss.largest) == (there[0], there[-1])
    assert there[0] <= loss.low < loss.high <= there[-1]
    odd = colors.by_numbers("odd", np.array([1, np.inf, np.nan, -np.inf, 3.0]), says="")
    assert np.isnan(odd.values).tolist() == [False, True, True, True, False]
    assert (odd.smallest, odd.largest) == (1, 3)


def test_correctness_is_told_from_what_is_not_known(made, store):
    found = colors.by_column(store, "correct")
    rows = zip(made.images["predicted"].to_pylist(), made.images["label_index"].to_pylist(), strict=True)
    for value, (predicted, label) in zip(found.values, rows, strict=True):
        if None in (predicted, label):
            assert np.isnan(value)
        else:
            assert value == (predicted != label)
    assert sum(found.counts) == np.count_nonzero(~np.isnan(found.values))


def test_a_unit_is_one_column_of_maxima(made, store, monkeypatch):
    read = []
    whole = store._tables.cache.read_whole
    monkeypatch.setattr(
        store._tables.cache, "read_whole", lambda paths, name: read.append(name) or whole(paths, name)
    )
    monkeypatch.setattr(store._tables.cache, "read_new", lambda *_: pytest.fail("read more than a column"))
    found = colors.by_unit(store, "features.0", 17)
    assert read == ["u17"]
    expected = np.where(made.failed, np.nan, made.values[0][:, 17]).astype(np.float32)
    np.testing.assert_array_equal(found.values, expected)


def test_of_many_classes_the_commonest_have_a_colour(synthetic, tmp_path):
    def many(made):
        labels = [f"c{min(image % 40, image % 7):02d}" for image in range(200)]
        place = made.images.schema.get_field_index("label")
        made.images = made.images.set_column(place, "label", [labels])

    made = synthetic.make_store(tmp_path / "store", change=many)
    labels = made.images["label"].to_pylist()
    made = colors._classes("many", pa.array([f"{n % 30}" for n in range(290)]), None)
    assert len(made.names) == len(made.counts) == 10
    assert made.names[-1] == "21 others"
    assert sum(made.counts) == 290
    assert colors.by_column(Store.open(str(tmp_path / "store")), "label").names == tuple(sorted(set(labels)))


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        (pa.array([True, None, False]), False),
        (pa.array([1, 2, None]), False),
        (pa.array(range(50)), True),
        (pa.array([1, None, 86_400 * 366], pa.timestamp("s")), True),
        (pa.array([1.5, None, 2.5]).cast(pa.decimal128(5, 2)), True),
    ],
    ids=["bool", "few integers", "integers", "dates", "decimal"],
)
def test_columns_of_every_kind(column, numbers):
    class One:
        images_schema = pa.schema([pa.field("odd", column.type)])
        classes = None

        @staticmethod
        def images(columns):
            return pa.table({"odd": column}).select(columns)

    found = colors.by_column(One, "odd")
    assert found.kind == ("numbers" if numbers else "classes")
    assert np.isnan(found.values).tolist() == column.is_null().to_pylist()
    assert found.dates == pa.types.is_timestamp(column.type)


def test_what_cannot_be_painted_by_is_said(store):
    with pytest.raises(UsageError, match="no column 'uri' to color by; there are correct, width"):
        colors.by_column(store, "uri")
    with pytest.raises(LayerError, match="no unit 99"):
        colors.by_unit(store, "features.0", 99)
    assert {"correct", "label", "loss", "split", "weight"} <= set(colors.colorable(store))


def test_equal_numbers_have_one_colour_and_rare_ones_are_seen():
    flat = colors.by_numbers("flat", np.zeros(1000), says="")
    assert (flat.low, flat.high) == (0, 0)
    rare = colors.by_numbers("rare", np.r_[np.zeros(9999), 5.0], says="")
    assert (rare.low, rare.high) == (0, 5)

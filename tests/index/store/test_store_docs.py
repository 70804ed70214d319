"""docs/store.md: each SQL example runs and means what it says; the files open in pandas; the columns are all there."""

import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from unitscope.index.format.schema import (
    CLASSES_SCHEMA,
    IMAGE_COLUMNS,
    LAYERS_SCHEMA,
    PATCH_TYPE,
    PLAN_COLUMNS,
    SELECTIVITY_SCHEMA,
    STRONGEST_SCHEMA,
    STRONGEST_TYPE,
    UNITS_SCHEMA,
)
from unitscope.index.store.store import Store

TEXT = (Path(__file__).parents[3] / "docs" / "store.md").read_text()
EXAMPLES = re.findall(r"```sql\n(.*?)```", TEXT.replace("FLOAT[512]", "FLOAT[7]"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return synthetic.make_store(tmp_path_factory.mktemp("docs") / "store")


@pytest.fixture
def ask(made, monkeypatch):
    monkeypatch.chdir(made.url)
    return lambda sql: duckdb.sql(sql).fetchall()


def example(word):
    found = [sql for sql in EXAMPLES if word in sql]
    assert len(found) == 1, word
    return found[0]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_run_and_find_something(ask, number):
    assert ask(EXAMPLES[number])


def test_there_are_examples_for_each_table():
    assert len(EXAMPLES) >= 10
    tables = (
        "layers",
        "units",
        "classes",
        "selectivity",
        "images",
        "maxima",
        "strongest",
        "features",
        "errors",
    )
    for table in tables:
        assert any(f"'{table}" in sql for sql in EXAMPLES)


def test_top_in_sql_is_the_store_s(made, ask):
    top = Store.open(made.url).top("features.0", 17, k=9)
    assert ask(example("p17 // 6")) == [(p.image_id, p.value, p.y, p.x) for p in top]
    stored = ask(example("unnest(top)"))
    assert stored[:9] == [(p.value, p.image_id, *p.view) for p in top]


def test_filtered_top_in_sql_is_the_store_s(made, ask):
    top = Store.open(made.url).top("features.0", 17, k=9, where="not correct")
    assert [row[:2] for row in ask(example("JOIN 'images/*.parquet' USING (image_id)\nWHERE predicted"))] == [
        (p.image_id, p.value) for p in top
    ]


def test_layers_with_a_colon_open_too(made, ask):
    top = Store.open(made.url).top("block.1:0", 3, k=1)
    assert ask("SELECT max(u3) FROM 'maxima/block.1:0/*.parquet'") == [(top[0].value,)]


def test_quantiles_and_neighbours(made, ask):
    ok = ~made.failed
    [(quantiles, together)] = ask(example("quantile_cont"))
    a, b = (made.values[0][ok, unit].astype(np.float64) for unit in (3, 17))
    assert quantiles == pytest.approx(np.quantile(a, [0.5, 0.9, 0.99]))
    assert together == pytest.approx(np.corrcoef(a, b)[0, 1])
    distances = np.linalg.norm(made.feature - made.feature[0], axis=1)
    distances[made.failed | (np.arange(200) == 0)] = np.inf
    assert [row[0] for row in ask(example("array_distance"))] == np.argsort(distances)[:9].tolist()


def test_sums_in_sql_are_the_store_s(made, ask):
    store = Store.open(made.url)
    classes = store.classes_table().to_pylist()
    by_accuracy = sorted(classes, key=lambda row: row["correct"] / row["images"])
    assert [row[0] for row in ask(example("taken_for"))] == [row["label"] for row in by_accuracy]
    means = store.class_means("features.0", 17)
    expected = sorted(
        zip([row["label"] for row in classes], means.tolist(), strict=True), key=lambda row: -row[1]
    )
    assert ask(example("unnest(means)")) == expected
    most = ask(example("DESC NULLS LAST"))
    assert [row[3] for row in most] == sorted((row[3] for row in most), reverse=True)
    layer, unit, label, value = most[0]
    row = store.selectivity(layer).slice(unit, 1).to_pylist()[0]
    assert row == {"unit": unit, "label": label, "selectivity": value}
    strongest = [one for layer in store.strongest_units(0) for one in layer]
    numbers = {layer.layer: number for number, layer in enumerate(store.layers)}
    assert ask(example("AS strong")) == [(numbers[one.layer], *one[1:]) for one in strongest]


def test_pandas_reads_every_table(made):
    root = Path(made.url)
    images = pd.read_parquet(root / "images")
    assert images["image_id"].tolist() == list(range(200))
    maxima = pd.read_parquet(root / "maxima" / "block.1:0", columns=["image_id", "u4", "p4"])
    np.testing.assert_array_equal(maxima["u4"][~made.failed], made.values[1][~made.failed, 4])
    top = pd.read_parquet(root / "units.parquet")["top"][40 + 4][0]
    assert top["image_id"] == made.top(1, 4, 1)[0][1]
    strongest = pd.read_parquet(root / "strongest")["units"]
    assert strongest[5] is None
    assert [one["unit"] for one in strongest[0][:8]] == [
        one.unit for one in Store.open(made.url).strongest_units(0)[0]
    ]
    features = pd.read_parquet(root / "features")["feature"]
    np.testing.assert_array_equal(features[7], made.feature[7])


def test_every_column_is_explained():
    names = [
        *LAYERS_SCHEMA.names,
        *UNITS_SCHEMA.names,
        *(field.name for field in PATCH_TYPE),
        *CLASSES_SCHEMA.names,
        *SELECTIVITY_SCHEMA.names,
        *STRONGEST_SCHEMA.names,
        *(field.name for field in STRONGEST_TYPE),
        *IMAGE_COLUMNS,
        *PLAN_COLUMNS,
    ]
    for name in names:
        assert f"`{name}`" in TEXT, name

"""Averages over the cells of a map against slow oracles, and the sample and the cells on disk."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from unitscope.common.errors import NotBuiltError, OutdatedError, StoreDamagedError
from unitscope.index.atlas.activation_atlas import (
    NEAREST,
    average,
    commonest,
    read_cells,
    remove_other_cells,
    usual_side,
    write_cells,
)
from unitscope.index.atlas.activation_sample import (
    TABLE,
    ActivationSample,
    choose_images,
    choose_positions,
    publish_sample,
    sample_schema,
)
from unitscope.index.format.parquet_writer import features_settings, table_file
from unitscope.index.neighbors.exact import Vectors
from unitscope.index.projection.grid import nearest_cells
from unitscope.index.storage.folder import Folder

RANDOM = np.random.default_rng(8)
ACTIVATIONS = RANDOM.normal(size=(500, 12)).astype(np.float32)
PLACES = RANDOM.normal(size=(500, 2)).astype(np.float32)
SIDE = 6


@pytest.fixture(scope="module")
def cells():
    return average(Vectors.of(ACTIVATIONS), np.arange(500), PLACES, SIDE)


def test_means_and_nearest_samples_are_those_of_the_oracle(cells):
    row, column = nearest_cells(PLACES, SIDE)
    pairs = sorted(set(zip(row.tolist(), column.tolist(), strict=True)))
    assert list(zip(cells.row.tolist(), cells.column.tolist(), strict=True)) == pairs
    for number, (r, c) in enumerate(pairs):
        members = np.flatnonzero((row == r) & (column == c))
        assert cells.samples[number] == len(members)
        assert (cells.members[members] == number).all()
        mean = ACTIVATIONS[members].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(cells.means[number], mean, atol=1e-6)
        gaps = np.linalg.norm(ACTIVATIONS.astype(np.float64) - mean, axis=1)
        best = np.sort(gaps)[:NEAREST]  # of all samples, not of the cell's alone
        np.testing.assert_allclose(gaps[cells.nearest[number]], best, rtol=1e-6)
        np.testing.assert_allclose(cells.distances[number], best, rtol=1e-5)
        assert len(set(cells.nearest[number].tolist())) == NEAREST
        assert cells.own[number] in members
        assert gaps[cells.own[number]] == pytest.approx(gaps[members].min(), rel=1e-6)


def test_only_what_is_on_the_map_counts():
    values, there = ACTIVATIONS.copy(), np.flatnonzero(np.arange(500) % 5 > 0)
    values[::5] = np.nan
    found = average(Vectors.of(values, np.arange(500) % 5 > 0), there, PLACES[there], SIDE)
    alone = average(Vectors.of(ACTIVATIONS[there]), np.arange(400), PLACES[there], SIDE)
    np.testing.assert_allclose(found.means, alone.means)
    assert found.own.tolist() == there[alone.own].tolist()
    assert found.nearest.tolist() == there[alone.nearest].tolist()


def test_the_grid_shows_another_sample_in_each_cell_and_is_empty_where_nothing_lies(cells):
    shown = cells.shown(SIDE)
    filled = {(r, c) for r, c in np.argwhere(shown >= 0).tolist()}
    assert filled == set(zip(cells.row.tolist(), cells.column.tolist(), strict=True))
    assert shown[cells.row[3], cells.column[3]] == cells.own[3]
    assert len(set(cells.own.tolist())) == len(cells.own)


def test_the_commonest_value_of_equal_ones_is_the_first_and_none_counts_nowhere():
    members = RANDOM.integers(0, 9, 300)
    values = RANDOM.choice(["cat", "dog", "ant", None], 300).tolist()
    values = [None if member == 4 else value for member, value in zip(members, values, strict=True)]
    found = commonest(members, 10, values)
    for cell in range(10):
        counts = Counter(
            value for member, value in zip(members, values, strict=True) if member == cell and value
        )
        best = min(counts.items(), key=lambda pair: (-pair[1], pair[0])) if counts else None
        assert found[cell] == best
    assert commonest(np.array([0, 0, 1]), 2, [None, None, None]) == [None, None]


def test_cells_are_read_as_they_were_written_and_older_ones_go(cells, tmp_path):
    folder = Folder(str(tmp_path))
    labels = [f"label {number % 3}" for number in range(500)]
    (tmp_path / "cells-0.parquet").write_bytes(b"old")
    (tmp_path / "sample.json").write_bytes(b"{}")
    record = write_cells(folder, cells, [*labels], [None] * 500)
    assert write_cells(folder, cells, [*labels], [None] * 500) == record
    remove_other_cells(folder, record.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [record.path, "sample.json"]
    rows = read_cells(folder, record.path).to_pylist()
    assert [row["samples"] for row in rows] == cells.samples.tolist()
    assert [one["sample"] for one in rows[5]["nearest"]] == cells.nearest[5].tolist()
    assert rows[5]["predicted"] is None and rows[5]["predicted_samples"] is None
    expected = Counter(labels[sample] for sample in np.flatnonzero(cells.members == 5))
    assert rows[5]["label_samples"] == max(expected.values()) == expected[rows[5]["label"]]
    (tmp_path / record.path).write_bytes(b"PAR1")
    with pytest.raises(StoreDamagedError, match="again"):
        read_cells(folder, record.path)


def test_a_cell_holds_about_sixteen_samples():
    assert [usual_side(samples) for samples in (1, 16, 1600, 160_000, 10**7)] == [1, 1, 10, 100, 100]


def test_images_are_drawn_by_lot_and_positions_whoever_else_is_drawn():
    ok = np.flatnonzero(np.arange(1000) % 7 > 0)
    some = choose_images(ok, 100, seed=3)
    assert len(set(some.tolist())) == 100 and set(some.tolist()) <= set(ok.tolist())
    assert (np.diff(some) > 0).all()
    assert choose_images(ok, 100, seed=4).tolist() != some.tolist()
    assert choose_images(ok, len(ok), seed=3) is ok
    every = dict(zip(ok.tolist(), choose_positions(ok, 49, seed=3).tolist(), strict=True))
    assert [every[image] for image in some.tolist()] == choose_positions(some, 49, seed=3).tolist()
    counts = np.bincount(list(every.values()), minlength=49)
    assert len(counts) == 49 and counts.min() > 0 and counts.max() < 50


def test_a_sample_is_there_once_its_manifest_is_and_says_what_is_wanted(tmp_path):
    folder = Folder(str(tmp_path))
    flat = pa.FixedSizeListArray.from_arrays(pa.array(ACTIVATIONS.ravel()), 12)
    places = [pa.array(range(500), pa.int64()), *([pa.array([7] * 500, pa.int32())] * 6)]
    rows = pa.table([*places, flat], schema=sample_schema(12))
    with table_file(folder, TABLE, rows.schema, features_settings()) as table:
        table.write(rows.slice(0, 200))
        table.write(rows.slice(200))
    with pytest.raises(NotBuiltError):
        ActivationSample.open(folder)
    publish_sample(folder, {"store": "abc", "seed": 2, "rows": 500, "units": 12})
    sample = ActivationSample.open(folder, store="abc", seed=2)
    blocks = list(sample.blocks())
    assert [block.first for block in blocks] == [0, 200]
    np.testing.assert_array_equal(np.concatenate([block.values for block in blocks]), ACTIVATIONS)
    assert sample.places["image_id"].to_pylist() == list(range(500)) and sample.places["vx1"][3].as_py() == 7
    with pytest.raises(OutdatedError, match="seed 2, not 3"):
        ActivationSample.open(folder, store="abc", seed=3)
    publish_sample(folder, {"store": "abc", "seed": 3, "rows": 500, "units": 12})
    assert ActivationSample.open(folder).digest != sample.digest
    with pytest.raises(StoreDamagedError, match="being made again"):
        list(sample.blocks())

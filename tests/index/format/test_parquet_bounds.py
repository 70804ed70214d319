"""Parquet files that would take far more memory than they have bytes are refused; others are read as they are."""

import resource

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import StoreDamagedError
from unitscope.index.format import parquet_bounds
from unitscope.index.format.parquet_cache import FileCache, RowGroup
from unitscope.index.storage.folder import Folder


def repeated():
    return pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), pa.array(["a" * 4_000_000]))


# Columns of a few kilobytes on disk.
BOMBS = {
    "a label": repeated,
    "a list": lambda: pa.ListArray.from_arrays(pa.array(range(2001), pa.int32()), repeated()),
    "one text": lambda: ["b" * 600_000_000],
    "many rows": lambda: pa.nulls(300_000_000, pa.int8()),
}


@pytest.fixture(scope="module", params=list(BOMBS))
def bomb(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bomb")
    table = pa.table({"x": BOMBS[request.param]()})
    pq.write_table(table, folder / "x.parquet", compression="zstd", write_statistics=False)
    size = (folder / "x.parquet").stat().st_size
    assert size < 1_000_000
    return folder


@pytest.mark.parametrize("how", ["group", "whole", "small"])
def test_a_file_that_expands_is_refused_without_its_memory(bomb, how):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cache = FileCache(Folder(str(bomb)), footer_bytes=1 << 20, column_bytes=1 << 30)
    with pytest.raises((StoreDamagedError, ValueError), match="would take"):
        if how == "small":
            parquet_bounds.read_small((bomb / "x.parquet").read_bytes())
        elif how == "whole":
            cache.read_whole(["x.parquet"], "x")
        else:
            rows = pq.read_metadata(bomb / "x.parquet").row_group(0).num_rows
            cache.read(RowGroup("x.parquet", 0, 0, rows), ["x"])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # KiB


@pytest.mark.parametrize("limit", [1, 1000, 1 << 28])
def test_what_is_read_in_pieces_is_the_same(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(parquet_bounds, "LIMIT", limit)
    monkeypatch.setattr(parquet_bounds, "_PIECE", 100)
    table = pa.table(
        {
            "text": [None if n % 7 == 0 else f"word {n % 50}" for n in range(3000)],
            "lists": [None if n % 5 == 0 else [f"{n % 9}"] * (n % 3) for n in range(3000)],
            "number": list(range(3000)),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=700)
    cache = FileCache(Folder(str(tmp_path)), footer_bytes=1 << 20, column_bytes=1 << 30)
    assert cache.read_new(RowGroup("x.parquet", 1, 700, 700), ["text", "number", "lists"]).equals(
        table.slice(700, 700).select(["text", "number", "lists"])
    )
    for name in table.column_names:
        assert cache.read_whole(["x.parquet"], name).equals(table[name].combine_chunks())
    assert parquet_bounds.read_small((tmp_path / "x.parquet").read_bytes()).equals(table)

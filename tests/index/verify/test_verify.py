"""`verify` finds every kind of damage, and none where there is none."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import StoreNotFoundError
from unitscope.index.format.manifest import Manifest
from unitscope.index.storage.folder import Folder
from unitscope.index.verify.verify import verify


@pytest.fixture
def made(synthetic, tmp_path):
    return synthetic.make_store(tmp_path / "store")


def paths(report):
    return [problem.path for problem in report.problems]


def test_whole(made):
    read = []
    for name in ("ann/flat.index", "atlas/umap/manifest.json", "log.jsonl", ".lock"):
        made.folder.publish(name, b"x")
    report = verify(made.url, read.append)
    assert report.ok, report.problems
    assert (report.files, report.bytes) == (len(read), sum(read))


def test_every_file_is_looked_at(made):
    """One byte of each file in turn."""
    names = list(Manifest.read(made.folder).files)
    assert len(names) > 20
    for name in names:
        path = Path(made.url) / name
        data = path.read_bytes()
        path.write_bytes(
            data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        )
        assert paths(verify(made.url)) == [name]
        path.write_bytes(data)
    assert verify(made.url).ok


def test_missing_cut_and_extra(made):
    root = Path(made.url)
    (root / "features/part-00001.parquet").unlink()
    (root / "thumbs/part-00000.jpegs").write_bytes(b"")
    (root / "images/part-00009.parquet").write_bytes(b"what")
    found = {problem.path: problem.what for problem in verify(made.url).problems}
    assert found["features/part-00001.parquet"] == "is missing"
    assert "has 0 bytes, not" in found["thumbs/part-00000.jpegs"]
    assert found["images/part-00009.parquet"] == "is not in the manifest"
    assert len(found) == 3


def lie(made, path, change):
    """Rewrites a table and the manifest with it, so that only the tables themselves can tell."""
    file = Path(made.url) / path
    change(pq.ParquetFile(file).read(), file)
    manifest = json.loads(made.folder.read("manifest.json"))
    folder = Folder(made.url)
    entry = manifest["files"][path]
    entry.update(bytes=folder.size(path), sha256=folder.sha256(path), rows=pq.read_metadata(file).num_rows)
    folder.publish("manifest.json", json.dumps(manifest).encode())


def test_units_that_are_not_those_of_the_maxima(made):
    def swap(table, file):
        top = table["top"].combine_chunks()
        order = [1, 0, *range(2, len(top))]
        pq.write_table(table.set_column(8, "top", top.take(order)), file, row_group_size=32)

    lie(made, "units.parquet", swap)
    assert paths(verify(made.url)) == ["units.parquet"]


def test_classes_that_are_not_those_of_the_images(made):
    def swap(table, file):
        images = table["images"].to_pylist()
        assert images[0] != images[1]
        images[:2] = images[1::-1]
        pq.write_table(table.set_column(2, "images", [images]), file)

    lie(made, "classes.parquet", swap)
    assert paths(verify(made.url)) == ["classes.parquet"]


@pytest.mark.parametrize("column", ["label", "selectivity", "means"])
def test_selectivity_that_is_not_that_of_the_maxima(made, column):
    def swap(table, file):
        place = table.schema.get_field_index(column)
        rows = [*range(57), 60, 59, 58, 57]  # the units of the last layer, turned
        pq.write_table(table.set_column(place, column, table[column].take(rows)), file)

    lie(made, "selectivity.parquet", swap)
    assert set(paths(verify(made.url))) == {"selectivity.parquet"}


@pytest.mark.parametrize("name", ["value", "score"])
def test_strongest_units_that_are_not_those_of_the_maxima(made, name):
    def change(table, file):
        rows = table["units"].to_pylist()
        rows[0][8][name] += 1e-3
        pq.write_table(table.set_column(1, "units", pa.array(rows, table.schema.field("units").type)), file)

    lie(made, "strongest/part-00000.parquet", change)
    report = verify(made.url)
    assert [problem.what for problem in report.problems] == [
        "the units of block.1:0 in image 0 are not what the maxima say"
    ]


def test_a_store_of_an_older_release_is_whole(made):
    manifest = json.loads(made.folder.read("manifest.json"))
    for path in list(manifest["files"]):
        if path.startswith(("classes", "selectivity", "strongest")):
            del manifest["files"][path]
            made.folder.remove(path)
    del manifest["counts"]["labels"]
    made.folder.publish("manifest.json", json.dumps(manifest).encode())
    assert verify(made.url).ok


def test_numbers_that_are_none_are_no_damage(synthetic, tmp_path):
    """Where NaN and infinities were allowed in."""

    def change(made):
        made.values[2][0] = np.nan
        made.values[2][3, 1] = np.inf
        made.values[1][7, :4] = -np.inf
        made.values[0][9, 39] = np.nan

    made = synthetic.make_store(tmp_path / "store", change=change)
    assert verify(made.url).problems == ()


def test_tables_with_other_rows(made):
    lie(made, "features/part-00002.parquet", lambda table, file: pq.write_table(table.slice(1), file))
    assert paths(verify(made.url)) == ["features"]


def test_images_in_another_order(made):
    def reverse(table, file):
        pq.write_table(table.take(list(range(table.num_rows))[::-1]), file)

    lie(made, "images/part-00000.parquet", reverse)
    assert "images" in paths(verify(made.url))


def test_nothing_there(tmp_path):
    with pytest.raises(StoreNotFoundError):
        verify(str(tmp_path / "nothing"))

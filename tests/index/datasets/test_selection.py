"""Datasets of several paths and patterns."""

import io
import pickle
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import DatasetError, UsageError
from unitscope.index.datasets.base import from_uri
from unitscope.index.datasets.open import open_dataset
from unitscope.index.datasets.options import DatasetOptions
from unitscope.index.datasets.selection import expand, is_selected


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with images in splits, tables, and what is not meant; the working folder is beside it."""
    for name in (
        "train/cat/1.png",
        "train/dog/2.png",
        "val/cat/3.png",
        "other/bird/4.png",
        "odd [x]/cat/5.png",
    ):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    (tmp_path / "tables").mkdir()
    for number in range(12):
        table = pa.table({"image": [b"%d" % number], "label": [f"l{number % 2}"]})
        pq.write_table(table, tmp_path / "tables" / f"part-{number:03d}.parquet")
    (tmp_path / "tables" / "notes.tar").write_bytes(b"no tar")
    for number in range(3):
        with tarfile.open(tmp_path / f"s-{number:02d}.tar", "w") as tar:
            info = tarfile.TarInfo(f"{number}.png")
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(*paths):
    """(uri, label, split) of each image."""
    path, select = expand(paths)
    dataset = open_dataset(path, DatasetOptions(select=select))
    table = pa.Table.from_batches(list(dataset.batches()))
    again = DatasetOptions.from_json(dataset.options.to_json())
    assert again == dataset.options
    copy = pickle.loads(pickle.dumps(dataset))
    assert list(copy.read(table)) == list(dataset.read(table))
    rows = table.to_pylist()
    return [(row["uri"], row["label"], row.get("split")) for row in rows]


def test_a_plain_path_is_itself(place):
    assert expand(["data"]) == ("data", ())
    assert expand(["s3://bucket/data"]) == ("s3://bucket/data", ())
    assert expand(["data/odd [x]"]) == ("data/odd [x]", ())
    assert expand(["missing"]) == ("missing", ())


@pytest.mark.parametrize(
    "paths", [["data/train", "data/val"], ["data/train/", "data/val/"], ["data/{train,val}"]]
)
def test_folders_of_splits(place, paths):
    assert listed(*paths) == [
        ("train/cat/1.png", "cat", "train"),
        ("train/dog/2.png", "dog", "train"),
        ("val/cat/3.png", "cat", "val"),
    ]


def test_a_folder_with_odd_characters_among_several(place):
    found = listed("data/odd [x]", "data/other")
    assert [from_uri(row[0]) for row in found] == ["odd [x]/cat/5.png", "other/bird/4.png"]


@pytest.mark.parametrize(
    "paths", [["tables/part-*.parquet"], ["tables/part-{000..011}.parquet"], ["tables/**/part-*.parquet"]]
)
def test_tables_beside_other_files(place, paths):
    assert [row[0] for row in listed(*paths)] == [f"part-{number:03d}.parquet#0" for number in range(12)]


def test_files_as_a_shell_lists_them(place):
    paths = [f"tables/part-{number:03d}.parquet" for number in (3, 1, 2)]
    assert [row[0] for row in listed(*paths)] == [f"part-{number:03d}.parquet#0" for number in (1, 2, 3)]
    assert [row[0] for row in listed(*[str(place / path) for path in paths])] == [
        f"part-{number:03d}.parquet#0" for number in (1, 2, 3)
    ]


def test_tars_in_the_working_folder(place):
    assert [row[0] for row in listed("s-{00..01}.tar")] == ["s-00.tar#0.png", "s-01.tar#1.png"]


def test_what_cannot_be_is_said(place):
    with pytest.raises(UsageError, match="nothing does not exist"):
        expand(["data", "nothing"])
    with pytest.raises(UsageError, match="different places"):
        expand(["data/train", "s3://bucket/val"])
    with pytest.raises(UsageError, match="different places"):
        expand(["s3://one/*.tar", "s3://two/*.tar"])
    path, select = expand(["tables/none-*.parquet"])
    with pytest.raises(UsageError, match=r"no file in tables matches none-\*\.parquet"):
        open_dataset(path, DatasetOptions(select=select))
    path, select = expand(["data/train", "tables"])
    with pytest.raises(DatasetError, match="one kind"):
        list(open_dataset(path, DatasetOptions(select=select)).batches())


def test_bucket_patterns(s3_bucket, place):
    import s3fs

    files = s3fs.S3FileSystem()
    for number in range(3):
        files.put(
            str(place / f"tables/part-{number:03d}.parquet"), f"{s3_bucket}/t/part-{number:03d}.parquet"
        )
    files.pipe(f"{s3_bucket}/t/notes.txt", b"x")
    assert [
        row[0] for row in listed(f"{s3_bucket}/t/part-*2.parquet", f"{s3_bucket}/t/part-000.parquet")
    ] == [
        "part-000.parquet#0",
        "part-002.parquet#0",
    ]


@pytest.mark.parametrize(
    ("name", "pattern", "matches"),
    [
        ("train/a/b.png", "train/**", True),
        ("trainer/a.png", "train/**", False),
        ("part-1.parquet", "part-?.parquet", True),
        ("a/part-1.parquet", "part-?.parquet", False),
        ("A.png", "a.png", False),
        ("cat/deep/1.png", "c*", True),
        ("dog/1.png", "c*", False),
        ("x[1].png", "x\\[1\\].png", True),
    ],
)
def test_patterns(name, pattern, matches):
    assert is_selected(name, (pattern,)) == matches

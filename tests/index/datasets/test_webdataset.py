"""WebDataset tars."""

import gc
import io
import json
import pickle
import tarfile

import numpy as np
import pyarrow as pa
import pytest
from unitscope.common.errors import DatasetError, ImageError, ImageStatus
from unitscope.index.datasets import webdataset
from unitscope.index.datasets.open import open_dataset
from unitscope.index.storage.folder import Folder


def tar(members, kind=tarfile.GNU_FORMAT):
    """The bytes of a tar. members: (name, bytes), or TarInfo for what is no plain file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return file.getvalue()


def opened(tmp_path, *members, **options):
    (tmp_path / "x.tar").write_bytes(tar(members, **options))
    return open_dataset(str(tmp_path / "x.tar"))


def listed(dataset, rows=8192):
    return pa.Table.from_batches(list(dataset.batches(rows)))


def test_samples(tmp_path):
    dataset = opened(
        tmp_path,
        ("0.cls", b"3"),
        ("0.jpg", b"zero"),
        ("1.jpg", b"one"),
        ("1.cls", b" tabby cat\n"),
        ("sub.dir/2.a.PNG", b"two"),
        ("sub.dir/2.json", b"{}"),
        ("3.webp", b""),
    )
    table = listed(dataset)
    assert table["uri"].to_pylist() == ["x.tar#0.jpg", "x.tar#1.jpg", "x.tar#sub.dir/2.a.PNG", "x.tar#3.webp"]
    assert table["label"].to_pylist() == ["3", "tabby cat", None, None]
    assert table["size"].to_pylist() == table["length"].to_pylist() == [4, 3, 3, 0]
    raw = (tmp_path / "x.tar").read_bytes()
    places = zip(table["offset"].to_pylist(), table["length"].to_pylist(), strict=True)
    assert [raw[start : start + length] for start, length in places] == [b"zero", b"one", b"two", b""]
    assert list(dataset.read(table)) == [b"zero", b"one", b"two", b""]
    assert list(dataset.read(table.take([3, 1, 1, 0]))) == [b"", b"one", b"one", b"zero"]
    assert list(pickle.loads(pickle.dumps(dataset)).read(table.slice(1, 1))) == [b"one"]
    assert list(dataset.files()) == [("x.tar", len(raw), None)]


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_odd_names(tmp_path, kind):
    names = ["d/" * 80 + "long.jpg", "./dotted.jpg", "é.jpg", "with space#hash.jpg"]
    dataset = opened(tmp_path, *[(name, name.encode()) for name in names], kind=kind)
    table = listed(dataset)
    assert list(dataset.read(table)) == [name.encode() for name in names]
    assert table["uri"].to_pylist() == [f"x.tar#{name.removeprefix('./')}" for name in names]


def test_many_tars_in_batches(tmp_path, monkeypatch):
    expected = []
    for number in (10, 2):
        members = [(f"{number}-{row}.jpg", f"{number}-{row}".encode() * 50) for row in range(40)]
        (tmp_path / f"{number}.tar").write_bytes(tar(members))
        expected += [data for _, data in members]
    dataset = open_dataset(str(tmp_path))
    table = listed(dataset, rows=7)
    assert table.equals(listed(dataset)) and table["uri"][0].as_py() == "10.tar#10-0.jpg"
    assert list(dataset.read(table)) == expected
    monkeypatch.setattr(webdataset, "_SPAN_BYTES", 1000)
    assert list(dataset.read(table)) == expected
    order = np.random.default_rng(0).permutation(80)
    assert list(dataset.read(table.take(order))) == [expected[row] for row in order]


def test_neighbours_are_read_together(tmp_path, monkeypatch):
    dataset = opened(tmp_path, *[(f"{row}.jpg", b"x" * 100) for row in range(50)])
    table = listed(dataset)
    reads = []
    read_range = dataset.folder.read_range
    monkeypatch.setattr(dataset.folder, "read_range", lambda *a: reads.append(a) or read_range(*a))
    assert list(dataset.read(table)) == [b"x" * 100] * 50
    assert len(reads) == 1


def test_a_bucket(s3_bucket):
    Folder(f"{s3_bucket}/d").publish("a.tar", tar([("0.jpg", b"zero"), ("1.jpg", b"one"), ("1.cls", b"7")]))
    dataset = open_dataset(f"{s3_bucket}/d")
    table = listed(dataset)
    assert table["label"].to_pylist() == [None, "7"] and list(dataset.read(table)) == [b"zero", b"one"]
    assert table["etag"].null_count == 0


def test_metadata_of_json_members(tmp_path):
    fields = [
        {"n": 1, "x": 1, "s": "a", "ok": True, "nested": {"a": 1}, "mixed": 1, "width": 5, "huge": 2**70},
        {"n": None, "x": 0.5, "ok": False, "nested": None, "mixed": "two", "none": None},
        {"n": 2**60, "huge": 1, "s": "\ud800"},
    ]
    members = []
    for row, each in enumerate(fields):
        members += [(f"{row}.jpg", b"x"), (f"{row}.json", json.dumps(each).encode())]
    dataset = opened(tmp_path, *members)
    table = listed(dataset)
    assert dataset.metadata_schema == pa.schema(
        [("huge", pa.string()), ("mixed", pa.string()), ("n", pa.int64()), ("none", pa.string()), ("ok", pa.bool_()),
         ("s", pa.string()), ("meta_width", pa.int64()), ("x", pa.float64())]
    )  # fmt: skip
    assert table["n"].to_pylist() == [1, None, 2**60] and table["x"].to_pylist() == [1.0, 0.5, None]
    assert table["mixed"].to_pylist() == ["1", "two", None] and table["ok"].to_pylist() == [True, False, None]
    assert table["meta_width"].to_pylist() == [5, None, None] and table["huge"].to_pylist() == [
        str(2**70),
        None,
        "1",
    ]
    assert table["s"].to_pylist() == ["a", None, "\\ud800"]
    assert "nested" in dataset.describe() and "width as meta_width" in dataset.describe()


def test_types_come_from_all_samples_not_from_the_first(tmp_path):
    members = []
    for row in range(3000):
        value = 0.5 if row == 2999 else 1
        members += [(f"{row}.jpg", b"x"), (f"{row}.json", json.dumps({"v": value}).encode())]
    table = listed(opened(tmp_path, *members), rows=100)
    assert table.schema.field("v").type == pa.float64() and table["v"].to_pylist()[-1] == 0.5


def test_labels_in_json(tmp_path):
    table = listed(
        opened(
            tmp_path,
            ("0.jpg", b"x"), ("0.json", b'{"label": "cat"}'),
            ("1.jpg", b"x"), ("1.json", b'{"label": "cat"}'), ("1.cls", b"dog"),
            ("2.jpg", b"x"), ("2.json", b'{"label": [1]}'),
        )
    )  # fmt: skip
    assert table["label"].to_pylist() == ["cat", "dog", None]


def test_what_is_passed_over_is_said(tmp_path):
    folder = tarfile.TarInfo("sub")
    folder.type = tarfile.DIRTYPE
    dataset = opened(
        tmp_path,
        folder,
        ("__meta__.json", b"{}"),
        ("._0.jpg", b"resource fork"),
        ("lonely.cls", b"1"),
        ("0.left.jpg", b"left"), ("0.jpg", b"plain"), ("0.pyd", b"\x80\x04."), ("0.pth", b"x"),
        ("1.left.jpg", b"left"), ("1.right.jpg", b"right"),
        ("2.jpg", b"x"), ("2.json", b"{not json"), ("2.cls", b"\xff\xfe"),
        ("3.jpg", b"x"), ("3.json", b"[1]"),
    )  # fmt: skip
    table = listed(dataset)
    assert table["uri"].to_pylist() == [f"x.tar#{name}" for name in ("0.jpg", "1.left.jpg", "2.jpg", "3.jpg")]
    text = dataset.describe()
    for said in (
        "1 samples without an image",
        "2 further image members",
        "2 .json members",
        "1 .cls members",
    ):
        assert said in text


def test_links_in_a_tar_are_unreadable(tmp_path):
    link = tarfile.TarInfo("1.jpg")
    link.type, link.linkname = tarfile.LNKTYPE, "0.jpg"
    dataset = opened(tmp_path, ("0.jpg", b"x"), link, ("2.jpg", b"y"))
    found = list(dataset.read(listed(dataset)))
    assert found[0] == b"x" and found[2] == b"y"
    assert isinstance(found[1], ImageError) and found[1].status is ImageStatus.UNREADABLE


def test_huge_members_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "MAX_IMAGE_BYTES", 10)
    dataset = opened(tmp_path, ("0.jpg", b"x" * 11), ("1.jpg", b"y"))
    found = list(dataset.read(listed(dataset)))
    assert found[0].status is ImageStatus.TOO_LARGE and found[1] == b"y"


@pytest.mark.parametrize("damage", ["cut in data", "cut in header", "header", "empty", "text", "gzip"])
def test_damaged_tars(tmp_path, damage):
    good = tar([(f"{row}.jpg", b"x" * 700) for row in range(5)])
    header = 3 * (512 + 1024)
    (tmp_path / "a.tar").write_bytes(
        {
            "cut in data": good[: header + 600],
            "cut in header": good[: header + 100],
            "header": good[:header] + b"garbage!" * 64 + good[header + 512 :],
            "empty": b"",
            "text": b"this is not a tar" * 100,
            "gzip": b"\x1f\x8b" + b"0" * 2000,
        }[damage]
    )
    with pytest.raises(DatasetError, match=r"a.tar is not an uncompressed tar, or is damaged"):
        listed(open_dataset(str(tmp_path / "a.tar")))


def test_the_spool_goes_with_the_dataset(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    dataset = opened(tmp_path, ("0.jpg", b"x"))
    listed(dataset)
    assert list((tmp_path / "spool").iterdir())
    del dataset
    gc.collect()
    assert not list((tmp_path / "spool").iterdir())


def test_an_empty_tar_has_no_images(tmp_path):
    assert list(opened(tmp_path).batches()) == []


def test_tars_that_change_after_they_were_listed(tmp_path):
    dataset = opened(tmp_path, ("0.jpg", b"x" * 30_000))
    table = listed(dataset)
    (tmp_path / "x.tar").write_bytes(b"short")
    with pytest.raises(DatasetError, match=r"x.tar ends before"):
        list(dataset.read(table))
    (tmp_path / "x.tar").unlink()
    assert [each.status for each in dataset.read(table)] == [ImageStatus.UNREADABLE]


def test_labels_of_the_json_are_a_list_where_no_sample_has_a_label(tmp_path):
    found = opened(
        tmp_path,
        ("0.jpg", b"0"),
        ("0.json", json.dumps({"labels": ["cat", "dog", "cat"], "age": 3}).encode()),
        ("1.jpg", b"1"),
        ("1.json", json.dumps({"labels": [4]}).encode()),
        ("2.jpg", b"2"),
        ("3.jpg", b"3"),
        ("3.json", json.dumps({"labels": []}).encode()),
    )
    table = listed(found)
    assert table["labels"].to_pylist() == [["cat", "dog"], ["4"], None, []]
    assert table["age"].to_pylist() == [3, None, None, None]
    assert "a list for each image" in found.describe()


@pytest.mark.parametrize("labels", [[["nested"]], {"cat": 1}, [True]])
def test_labels_that_are_no_list_of_names_are_not_kept(tmp_path, labels):
    members = [("0.jpg", b"0"), ("0.json", json.dumps({"labels": labels}).encode())]
    members += [("1.jpg", b"1"), ("1.json", b'{"labels": ["cat"]}')]
    found = opened(tmp_path, *members)
    assert "labels" not in listed(found).column_names
    assert "nested: labels" in found.describe()

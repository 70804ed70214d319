"""Datasets whose labels or samples were easily lost: tars made by hand, img2dataset's folder, columns of any name."""

import io
import json
import math
import tarfile

import pyarrow as pa
import pytest
from parquet_images import as_structs, images, listed, write
from unitscope.common.errors import DatasetError, UsageError
from unitscope.index.datasets.open import open_dataset
from unitscope.index.datasets.options import DatasetOptions


def hugging_face(features):
    return {"huggingface": json.dumps({"info": {"features": features}})}


def tar(members):
    """The bytes of a tar of (name, bytes)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def opened(tmp_path, *members):
    (tmp_path / "x.tar").write_bytes(tar(members))
    return open_dataset(str(tmp_path / "x.tar"))


def members(dataset):
    """(member, label) of each image of a tar."""
    table = listed(dataset)
    names = [uri.partition("#")[2] for uri in table["uri"].to_pylist()]
    return list(zip(names, table["label"].to_pylist(), strict=True))


@pytest.mark.parametrize("stem", ["img.{}", "2023.01.{}", "a/v1.2.{}.final"])
def test_names_with_dots_are_samples_of_their_own(tmp_path, stem):
    names = [stem.format(number) for number in range(6)]
    found = opened(tmp_path, *((f"{name}.{end}", b"1") for name in names for end in ("jpg", "cls")))
    assert members(found) == [(f"{name}.jpg", "1") for name in names]
    assert "whose names have dots" in found.describe()


def test_several_images_of_a_sample_are_no_names_with_dots(tmp_path):
    found = opened(
        tmp_path, *((f"{number}.{side}.jpg", b"1") for number in range(9) for side in ("left", "right"))
    )
    assert members(found) == [(f"{number}.left.jpg", None) for number in range(9)]
    assert "9 further image members" in found.describe()


def test_members_apart_are_one_sample(tmp_path):
    ends = ("jpg", "cls", "json")
    parts = [
        (f"{number}.{end}", b'{"n": 1}' if end == "json" else b"%d" % number)
        for end in ends
        for number in range(3)
    ]
    found = opened(tmp_path, *parts)
    assert members(found) == [(f"{number}.jpg", str(number)) for number in range(3)]
    assert listed(found)["n"].to_pylist() == [1, 1, 1]
    assert list(found.read(listed(found))) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("between", [[], [("5.jpg", b"x"), ("5.cls", b"5")]])
def test_names_that_occur_twice_are_two_images(tmp_path, between):
    first, second = ([("0.jpg", b"%d" % one), ("0.cls", b"%d" % one)] for one in (1, 2))
    found = opened(tmp_path, *first, *between, *second)
    assert {("0.jpg", "1"), ("0.jpg (2)", "2")} <= set(members(found))
    assert len(members(found)) == 2 + len(between) // 2
    assert {b"1", b"2"} <= set(found.read(listed(found)))


def test_a_folder_of_img2dataset_is_its_tars(tmp_path):
    for number in ("00000", "00001"):
        (tmp_path / f"{number}.tar").write_bytes(tar([("0.jpg", b"x"), ("0.json", b'{"caption": "c"}')]))
        write(tmp_path / f"{number}.parquet", {"caption": ["c"]})
        (tmp_path / f"{number}_stats.json").write_bytes(b"{}")
    found = open_dataset(str(tmp_path))
    assert found.kind == "webdataset" and listed(found)["caption"].to_pylist() == ["c", "c"]
    write(tmp_path / "other.parquet", {"caption": ["c"]})
    with pytest.raises(DatasetError, match=r"other.parquet is a .parquet file among"):
        listed(open_dataset(str(tmp_path)))


def two(tmp_path):
    columns = {
        "before": as_structs(images(2)),
        "after": as_structs(images(2, seed=1)),
        "kind": ["a", "b"],
        "n": [1, 2],
    }
    return write(tmp_path / "x.parquet", columns)


def test_the_columns_are_named(tmp_path):
    path = two(tmp_path)
    with pytest.raises(DatasetError, match=r"several columns of images: before, after\. .*--image before"):
        open_dataset(path)
    assert "there are kind, n: --label" in open_dataset(path, DatasetOptions(image="after")).describe()
    found = open_dataset(path, DatasetOptions(image="after", label="kind"))
    assert listed(found)["label"].to_pylist() == ["a", "b"]
    assert list(found.read(listed(found))) == images(2, seed=1)
    with pytest.raises(UsageError, match=r"--label x: .* \(there are kind, n\)"):
        open_dataset(path, DatasetOptions(image="after", label="x"))
    with pytest.raises(UsageError, match="--image n: "):
        open_dataset(path, DatasetOptions(image="n"))


@pytest.mark.parametrize(
    ("column", "feature", "expected"),
    [
        ([[0, 1], [1], None], {"feature": {"_type": "ClassLabel", "names": ["cat", "dog"]}, "_type": "Sequence"},
         [["cat", "dog"], ["dog"], None]),
        ([["x", "y", "x"], [], ["z"]], None, [["x", "y"], [], ["z"]]),
        (pa.array([[1.0, math.nan], [2.5], []], pa.large_list(pa.float32())), None, [["1"], ["2.5"], []]),
    ],
)  # fmt: skip
def test_lists_of_labels(tmp_path, column, feature, expected):
    features = hugging_face({"labels": feature}) if feature else None
    columns = {"image": as_structs(images(3)), "labels": column}
    found = open_dataset(write(tmp_path / "x.parquet", columns, metadata=features))
    table = listed(found)
    assert table["labels"].to_pylist() == expected and table["label"].null_count == 3
    assert found.class_names == (("cat", "dog") if feature else None)


def test_labels_that_are_no_numbers_are_null_and_counted(tmp_path):
    columns = {"image": as_structs(images(5)), "label": [0.0, math.nan, math.inf, 2.5, None]}
    found = open_dataset(write(tmp_path / "x.parquet", columns))
    assert listed(found)["label"].to_pylist() == ["0", None, None, "2.5", None]
    assert dict(found.passed_over) == {"labels that are NaN or infinite: their images have no label": 2}


def by_path(paths):
    rows = [{"bytes": None, "path": path} for path in paths]
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def test_images_given_by_path(tmp_path):
    (tmp_path / "d/pictures").mkdir(parents=True)
    for name in ("d/0.jpg", "d/pictures/1.jpg", "outside.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    paths = [
        "0.jpg",
        "pictures/1.jpg",
        str(tmp_path / "d/0.jpg"),
        "../outside.jpg",
        "/etc/hostname",
        "gone.jpg",
        "http://a/b.jpg",
    ]
    path = write(tmp_path / "d/x.parquet", {"image": by_path(paths)})
    found = open_dataset(path)
    table = listed(found)
    assert table["file_name"].to_pylist() == paths
    read = list(found.read(table))
    assert read[:3] == [b"d/0.jpg", b"d/pictures/1.jpg", b"d/0.jpg"]
    assert all("--image-root FOLDER" in error.reason for error in read[3:])
    named = open_dataset(path, DatasetOptions(image_root=str(tmp_path)))
    assert list(named.read(table))[3] == read[3] or b"outside.jpg" not in list(named.read(table))


def test_paths_begin_in_the_folder_that_is_given(tmp_path):
    for name in ("data/val/0.jpg", "data/val/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    path = write(tmp_path / "hf/x.parquet", {"file": ["data/val/0.jpg", "data/val/1.jpg"]})
    found = open_dataset(path, DatasetOptions(image="file", image_root=str(tmp_path)))
    assert list(found.read(listed(found))) == [b"data/val/0.jpg", b"data/val/1.jpg"]

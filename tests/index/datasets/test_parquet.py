"""Parquet in the Hugging Face image layout."""

import json
import pickle
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from parquet_images import IMAGE, as_structs, images, listed, open_dataset_again, write
from unitscope.common.errors import DatasetError, ImageError, ImageStatus
from unitscope.index.datasets.open import open_dataset


def hugging_face(features):
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def test_lists_and_reads(tmp_path):
    data = images(23)
    path = write(
        tmp_path / "x.parquet",
        {"image": as_structs(data), "label": [f"l{n % 3}" for n in range(23)]},
        row_group_size=7,
    )
    dataset = open_dataset(path)
    table = listed(dataset, rows=5)
    assert table["uri"].to_pylist() == [f"x.parquet#{row}" for row in range(23)]
    assert table["label"].to_pylist() == [f"l{n % 3}" for n in range(23)]
    assert table["offset"].to_pylist() == list(range(23)) and set(table["file"].to_pylist()) == {"x.parquet"}
    assert table["size"].null_count == table["etag"].null_count == table["length"].null_count == 23
    assert list(dataset.read(table)) == data
    order = np.random.default_rng(1).permutation(23)
    assert list(dataset.read(table.take(order))) == [data[row] for row in order]
    assert list(pickle.loads(pickle.dumps(dataset)).read(table.slice(9, 4))) == data[9:13]
    assert list(dataset.files()) == [("x.parquet", (tmp_path / "x.parquet").stat().st_size, None)]


def test_a_folder_of_files(tmp_path):
    first, second = images(4), images(3, seed=1)
    write(tmp_path / "data/b.parquet", {"image": as_structs(second)})
    write(tmp_path / "data.x/a.parquet", {"image": as_structs(first)})
    dataset = open_dataset(str(tmp_path))
    table = listed(dataset)
    assert table["uri"].to_pylist() == [f"data.x/a.parquet#{n}" for n in range(4)] + [
        f"data/b.parquet#{n}" for n in range(3)
    ]
    assert list(dataset.read(table)) == first + second
    assert table["label"].null_count == 7


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_plain_binary_columns(tmp_path, kind):
    data = images(5)
    dataset = open_dataset(write(tmp_path / "x.parquet", {"image": pa.array(data, kind)}))
    assert list(dataset.read(listed(dataset))) == data


def test_other_image_columns_are_found_by_their_feature_or_their_type(tmp_path):
    data = images(3)
    columns = {"img": pa.array(data, pa.binary()), "other": pa.array(data, pa.binary())}
    dataset = open_dataset(
        write(tmp_path / "x.parquet", columns, metadata=hugging_face({"img": {"_type": "Image"}}))
    )
    assert list(dataset.read(listed(dataset))) == data
    dataset = open_dataset(
        write(tmp_path / "y.parquet", {"photo": as_structs(data), "other": columns["other"]})
    )
    assert list(dataset.read(listed(dataset))) == data


def test_null_images_are_unreadable(tmp_path):
    array = pa.array([{"bytes": b"x", "path": None}, None, {"bytes": None, "path": "elsewhere.jpg"}], IMAGE)
    dataset = open_dataset(write(tmp_path / "x.parquet", {"image": array}))
    found = list(dataset.read(listed(dataset)))
    assert found[0] == b"x"
    for each in found[1:]:
        assert (
            isinstance(each, ImageError) and each.status is ImageStatus.UNREADABLE and "null" in each.reason
        )


def test_class_labels_become_names(tmp_path):
    features = hugging_face(
        {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    )
    columns = {"image": as_structs(images(4)), "label": pa.array([1, 0, None, -1], pa.int64())}
    dataset = open_dataset(write(tmp_path / "x.parquet", columns, metadata=features))
    assert dataset.class_names == ("cat", "dog")
    assert listed(dataset)["label"].to_pylist() == ["dog", "cat", None, None]
    assert "ClassLabel of 2 names" in dataset.describe()


def test_a_single_class_label_of_another_name_is_the_label(tmp_path):
    fine = {"_type": "ClassLabel", "names": ["cat", "dog"]}
    columns = {"image": as_structs(images(2)), "fine": [1, 0], "coarse": [0, 0]}
    dataset = open_dataset(write(tmp_path / "x.parquet", columns, metadata=hugging_face({"fine": fine})))
    assert listed(dataset)["label"].to_pylist() == ["dog", "cat"]
    dataset = open_dataset(
        write(tmp_path / "y.parquet", columns, metadata=hugging_face({"fine": fine, "coarse": fine}))
    )
    assert listed(dataset)["label"].null_count == 2 and dataset.metadata_schema.names == [
        "fine", "coarse", "file_name"
    ]  # fmt: skip
    assert "there are fine, coarse: --label NAME takes one" in dataset.describe()


def test_a_label_beyond_the_names_is_an_error(tmp_path):
    features = hugging_face({"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}})
    path = write(
        tmp_path / "x.parquet", {"image": as_structs(images(3)), "label": [0, 1, 2]}, metadata=features
    )
    with pytest.raises(DatasetError, match=r"x.parquet, row 2: label 2"):
        listed(open_dataset(path))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array([3, 0, None]), ["3", "0", None]),
        (pa.array([3.0, 0.0, None]), ["3", "0", None]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", None]),
        (pa.array(["a", "b", None], pa.large_string()), ["a", "b", None]),
        (pa.array([[1], [2], None]), [None] * 3),
        (pa.nulls(3), [None] * 3),
    ],
)
def test_labels_of_any_type(tmp_path, labels, expected):
    dataset = open_dataset(write(tmp_path / "x.parquet", {"image": as_structs(images(3)), "label": labels}))
    assert listed(dataset)["label"].to_pylist() == expected


def test_metadata(tmp_path):
    when = datetime(2020, 1, 2, 3, 4, 5)
    columns = {
        "image": as_structs(images(2)),
        "id": pa.array([1, 2], pa.int16()),
        "score": [0.5, None],
        "Width": [3, 4],
        "status": ["a", "b"],
        "meta_status": ["c", "d"],
        "good": [True, False],
        "when": [when, None],
        "split": pa.array(["train", "test"]).dictionary_encode(),
        "boxes": [[1, 2], [3]],
        "mask": as_structs(images(2)),
        "nothing": pa.nulls(2),
        "__index_level_0__": [0, 1],
    }
    dataset = open_dataset(write(tmp_path / "x.parquet", columns))
    table = listed(dataset)
    assert dataset.metadata_schema.names == [
        "id", "score", "meta_Width", "meta_meta_status", "meta_status", "good", "when", "split", "nothing",
        "file_name",
    ]  # fmt: skip
    assert table.schema.names[7:] == dataset.metadata_schema.names
    assert table.schema.field("id").type == pa.int16() and pa.types.is_timestamp(
        table.schema.field("when").type
    )
    assert table["id"].to_pylist() == [1, 2] and table["score"].to_pylist() == [0.5, None]
    assert table["when"].to_pylist() == [when, None] and table["split"].to_pylist() == ["train", "test"]
    assert table["meta_meta_status"].to_pylist() == ["a", "b"] and table["meta_status"].to_pylist() == [
        "c",
        "d",
    ]
    assert "not kept: boxes (list<" in dataset.describe() and "mask" in dataset.describe()


def test_files_must_agree(tmp_path):
    write(tmp_path / "a.parquet", {"image": as_structs(images(2)), "n": pa.array([1, 2], pa.int64())})
    write(tmp_path / "b.parquet", {"n": pa.array([1, 2], pa.int32()), "image": as_structs(images(2))})
    assert listed(open_dataset(str(tmp_path)))["n"].to_pylist() == [1, 2, 1, 2]
    write(tmp_path / "c.parquet", {"image": as_structs(images(2)), "n": [0.5, 1.0]})
    with pytest.raises(DatasetError, match=r"c.parquet: column 'n'"):
        listed(open_dataset(str(tmp_path)))
    write(tmp_path / "c.parquet", {"image": as_structs(images(2)), "m": [1, 1]})
    with pytest.raises(DatasetError, match=r"c.parquet differs from .*a.parquet"):
        listed(open_dataset(str(tmp_path)))


def test_files_without_images_say_what_they_have(tmp_path):
    with pytest.raises(DatasetError, match="x: int64"):
        open_dataset(write(tmp_path / "x.parquet", {"x": [1]}))
    with pytest.raises(DatasetError, match=r"file: string.*--image file"):
        open_dataset(write(tmp_path / "x.parquet", {"file": ["path.jpg"]}))


def test_damaged_files(tmp_path):
    path = write(tmp_path / "x.parquet", {"image": as_structs(images(2000, 500))}, compression="snappy")
    dataset = open_dataset(path)
    table = listed(dataset)
    good = (tmp_path / "x.parquet").read_bytes()
    for damage in (good[:-100], b"", b"no parquet at all", good[:1000] + b"\xff" * 5000 + good[6000:]):
        (tmp_path / "x.parquet").write_bytes(damage)
        with pytest.raises(DatasetError, match=r"x.parquet.* damaged"):
            list(pickle.loads(pickle.dumps(dataset)).read(table))


def test_files_that_shrink_or_vanish_after_they_were_listed(tmp_path):
    path = write(tmp_path / "x.parquet", {"image": as_structs(images(20))})
    dataset = open_dataset(path)
    table = listed(dataset)
    write(tmp_path / "x.parquet", {"image": as_structs(images(10))})
    with pytest.raises(DatasetError, match="10 rows, but row 10"):
        list(dataset.read(table))
    (tmp_path / "x.parquet").unlink()
    found = list(open_dataset_again(dataset).read(table.slice(0, 3)))
    assert [each.status for each in found] == [ImageStatus.UNREADABLE] * 3

"""Which kind of dataset a path is, and what is said where it is none."""

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import DatasetError, UsageError
from unitscope.index.datasets.open import open_dataset
from unitscope.index.storage.folder import Folder


def parquet():
    file = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array([b"x"], pa.binary())}), file)
    return file.getvalue()


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("0.jpg")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    return file.getvalue()


@pytest.fixture(params=["disk", "bucket"])
def root(request, tmp_path):
    return str(tmp_path / "d") if request.param == "disk" else request.getfixturevalue("s3_bucket") + "/d"


@pytest.mark.parametrize(
    ("files", "name", "kind", "images"),
    [
        ({"a/x.jpg": b"x"}, "", "folder", 1),
        ({"a/x.JPEG": b"x", "a/notes.txt": b"t"}, "", "folder", 1),
        ({"a/0123abcd": b"x"}, "", "folder", 1),
        ({"x.parquet": parquet(), "y.parquet": parquet()}, "x.parquet", "parquet", 1),
        ({"data/x.parquet": parquet(), "data/y.PARQUET": parquet(), "README.md": b"t"}, "", "parquet", 2),
        ({"x.parquet/part-0.parquet": parquet(), "x.parquet/_SUCCESS": b""}, "x.parquet", "parquet", 1),
        ({"x.tar": tar(), "y.tar": tar()}, "x.tar", "webdataset", 1),
        ({"x.tar": tar(), "deep/y.tar": tar(), "x.json": b"{}"}, "", "webdataset", 2),
    ],
)
def test_kinds(root, files, name, kind, images):
    for each, data in files.items():
        Folder(root).publish(each, data)
    path = f"{root}/{name}" if name else root
    for spelled in (path, f"{path}/") if not name or "/" in next(iter(files)) else (path,):
        dataset = open_dataset(spelled)
        assert dataset.kind == kind and dataset.path == spelled
        batches = list(dataset.batches())
        assert sum(batch.num_rows for batch in batches) == images
        assert batches[0].schema.names[7:] == dataset.metadata_schema.names
        assert dataset.describe()
        for batch in batches:
            assert b"x" in list(dataset.read(batch))


@pytest.mark.parametrize(
    ("files", "name", "error", "says"),
    [
        ({"a/x.jpg": b"x"}, "nowhere", UsageError, "nowhere does not exist"),
        ({"a/x.jpg": b"x"}, "a/x.jpg", UsageError, "single image"),
        ({"a/x.csv": b"x"}, "a/x.csv", UsageError, ".csv"),
        ({"a/x.tar.gz": b"x"}, "a/x.tar.gz", UsageError, "Unpack"),
        ({"a/x.zip": b"x"}, "a", DatasetError, r"1 \.zip.*Unpack"),
        ({"a/x.arrow": b"x", "a/info.json": b"x"}, "a", DatasetError, "to_parquet"),
        ({"a/.hidden.jpg": b"x"}, "a", DatasetError, "no files"),
        (
            {"a/x.parquet": parquet(), "a/y.tar": b"x"},
            "a",
            DatasetError,
            "y.tar is a .tar file among Parquet files",
        ),
        (
            {"a/x.tar": tar(), "a/y.jpg": b"x"},
            "a",
            DatasetError,
            "y.jpg is a .jpg file among WebDataset tars",
        ),
    ],
)
def test_what_is_no_dataset(tmp_path, files, name, error, says):
    for each, data in files.items():
        Folder(str(tmp_path)).publish(each, data)
    with pytest.raises(error, match=says) as caught:
        list(open_dataset(str(tmp_path / name)).batches())
    assert str(tmp_path) in str(caught.value)
    assert "A dataset is a folder of images" in str(caught.value)


def test_relative_paths(tmp_path, monkeypatch):
    Folder(str(tmp_path)).publish("x.parquet", parquet())
    Folder(str(tmp_path)).publish("d/x.jpg", b"x")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("x.parquet").kind == "parquet"
    assert open_dataset("./d").kind == open_dataset("d/").kind == "folder"
    monkeypatch.chdir(tmp_path / "d")
    assert open_dataset(".").kind == "folder"
    assert open_dataset("../x.parquet").kind == "parquet"


def test_nothing_in_a_bucket(s3_bucket):
    with pytest.raises(DatasetError, match="no files"):
        open_dataset(f"{s3_bucket}/nothing")

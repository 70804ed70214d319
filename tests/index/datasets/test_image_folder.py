"""Image folders: every file is listed once, in order, and read or refused with its reason."""

import io
import os
import pickle
import shutil
import socket
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from unitscope.common.errors import DatasetError, ImageError, ImageStatus
from unitscope.index.datasets import decode as pixels
from unitscope.index.datasets import image_folder as folder_module
from unitscope.index.datasets.open import open_dataset
from unitscope.index.storage.folder import Folder


def listed(dataset, rows=8192):
    return pa.Table.from_batches(list(dataset.batches(rows)))


def by_uri(dataset):
    table = listed(dataset)
    return dict(zip(table["uri"].to_pylist(), dataset.read(table), strict=True))


def write(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_lists_and_reads(tmp_path):
    files = {
        "cat/a.jpg": b"1",
        "cat/sub/b.png": b"22",
        "dog/a.jpg": b"333",
        "top.jpeg": b"",
        "cat.x/q.bmp": b"5",
    }
    write(tmp_path, files)
    dataset = open_dataset(str(tmp_path))
    table = listed(dataset)
    names = sorted(files, key=str.encode)
    assert dataset.kind == "folder" and table["uri"].to_pylist() == names == table["file"].to_pylist()
    labels = ["cat.x", "cat", "cat", "dog", None]
    assert table["label"].to_pylist() == labels
    assert table["size"].to_pylist() == [len(files[name]) for name in names] == table["length"].to_pylist()
    assert table["etag"].to_pylist() == [None] * 5 and table["offset"].to_pylist() == [0] * 5
    assert list(dataset.read(table)) == [files[name] for name in names]
    assert list(dataset.files()) == [(name, len(files[name]), None) for name in names]
    assert dataset.metadata_schema == pa.schema([]) and dataset.class_names is None


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_batches_are_cut_and_the_order_stays(tmp_path, rows):
    write(tmp_path, {f"c/{number}.jpg": b"x" for number in range(11)})
    dataset = open_dataset(str(tmp_path))
    batches = list(dataset.batches(rows))
    assert max(batch.num_rows for batch in batches) <= rows
    assert listed(dataset, rows).equals(listed(dataset))


def test_a_copy_elsewhere_lists_alike(tmp_path):
    write(tmp_path / "one", {"a/x.jpg": b"1", "b/y.jpg": b"2"})
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert listed(open_dataset(str(tmp_path / "one"))).equals(listed(open_dataset(str(tmp_path / "two"))))


def test_a_bucket_lists_as_the_disk_does(tmp_path, s3_bucket):
    files = {
        f"{folder}/{name}": f"{folder}{name}".encode()
        for folder in ("b", "a.x", "a", "é")
        for name in ("2.jpg", "10.jpg")
    }
    write(tmp_path, files)
    bucket = Folder(f"{s3_bucket}/data")
    for name, data in files.items():
        bucket.publish(name, data)
    local, remote = open_dataset(str(tmp_path)), open_dataset(f"{s3_bucket}/data")
    assert listed(remote).drop_columns("etag").equals(listed(local).drop_columns("etag"))
    assert all(listed(remote)["etag"].to_pylist())
    assert list(remote.read(listed(remote))) == list(local.read(listed(local)))
    bucket.remove("b/2.jpg")
    table = listed(local)
    assert isinstance(
        dict(zip(table["uri"].to_pylist(), remote.read(table), strict=True))["b/2.jpg"], ImageError
    )


def test_hidden_files_are_no_images(tmp_path):
    write(tmp_path, {"a/.DS_Store": b"x", ".cache/b.jpg": b"x", "a/c.jpg": b"x"})
    assert listed(open_dataset(str(tmp_path)))["uri"].to_pylist() == ["a/c.jpg"]


def test_a_hidden_folder_above_does_not_matter(tmp_path):
    write(tmp_path / ".hidden", {"a/c.jpg": b"x"})
    assert listed(open_dataset(str(tmp_path / ".hidden"))).num_rows == 1


def test_names_that_are_no_utf8(tmp_path):
    names = [b"a.jpg", b"caf\xe9/\xff%41.jpg", b"caf%E9.jpg", "café.jpg".encode()]
    for number, name in enumerate(names):
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([number]))
    dataset = open_dataset(str(tmp_path))
    table = listed(dataset)
    ordered = sorted(names)
    assert list(dataset.read(table)) == [bytes([names.index(name)]) for name in ordered]
    uris = table["uri"].to_pylist()
    assert uris == ["a.jpg", "caf%E9.jpg", "café.jpg", "./caf%E9/%FF%2541.jpg"] and len(set(uris)) == 4
    assert table["label"].to_pylist() == [None, None, None, "caf%E9"]


def test_what_is_no_regular_file_is_never_opened(tmp_path, monkeypatch):
    write(tmp_path, {"a/real.jpg": b"x"})
    os.mkfifo(tmp_path / "a/pipe.jpg")
    server = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    server.bind("a/socket.jpg")
    (tmp_path / "a/device.jpg").symlink_to("/dev/zero")
    (tmp_path / "a/broken.jpg").symlink_to("nowhere")
    (tmp_path / "a/circle.jpg").symlink_to("circle.jpg")
    (tmp_path / "a/link.jpg").symlink_to("real.jpg")
    dataset = open_dataset(str(tmp_path))
    assert listed(dataset)["size"].null_count == 5
    found = by_uri(dataset)
    server.close()
    assert found.pop("a/real.jpg") == found.pop("a/link.jpg") == b"x"
    reasons = {
        "pipe": "named pipe",
        "socket": "socket",
        "device": "device",
        "broken": "leads nowhere",
        "circle": "circle",
    }
    assert len(found) == len(reasons)
    for name, reason in reasons.items():
        error = found[f"a/{name}.jpg"]
        assert (
            isinstance(error, ImageError)
            and error.status is ImageStatus.UNREADABLE
            and reason in error.reason
        )


def test_folders_that_link_in_circles_end(tmp_path):
    write(tmp_path, {"a/x.jpg": b"x", "b/y.jpg": b"y"})
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "b/up").symlink_to("..")
    (tmp_path / "b/self").symlink_to(".")
    assert listed(open_dataset(str(tmp_path)))["uri"].to_pylist() == ["a/x.jpg", "b/y.jpg"]


def test_files_that_vanish_or_turn_into_folders(tmp_path):
    write(tmp_path, {"a/x.jpg": b"x", "a/y.jpg": b"y", "a/z.jpg": b"z"})
    dataset = open_dataset(str(tmp_path))
    table = listed(dataset)
    (tmp_path / "a/x.jpg").unlink()
    (tmp_path / "a/y.jpg").unlink()
    (tmp_path / "a/y.jpg").mkdir()
    found = list(dataset.read(table))
    assert [getattr(each, "status", None) for each in found] == [
        ImageStatus.UNREADABLE,
        ImageStatus.UNREADABLE,
        None,
    ]
    assert "not there any more" in found[0].reason and "folder" in found[1].reason and found[2] == b"z"
    assert str(tmp_path) not in found[0].reason  # copies of a dataset must give the same store


def test_huge_files_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "MAX_IMAGE_BYTES", 10)
    write(tmp_path, {"a/x.jpg": b"x" * 11, "a/y.jpg": b"x" * 10})
    found = by_uri(open_dataset(str(tmp_path)))
    assert found["a/x.jpg"].status is ImageStatus.TOO_LARGE and found["a/y.jpg"] == b"x" * 10


def test_can_be_pickled(tmp_path):
    write(tmp_path, {"a/x.jpg": b"x"})
    dataset = pickle.loads(pickle.dumps(open_dataset(str(tmp_path))))
    assert list(dataset.read(listed(dataset))) == [b"x"]


def test_other_kinds_among_the_images_end_the_listing(tmp_path):
    write(tmp_path, {"a/x.jpg": b"x", "b/data.parquet": b"x"})
    with pytest.raises(DatasetError, match=r"b/data.parquet is a .parquet file among image files"):
        listed(open_dataset(str(tmp_path)))


# A folder of difficult files


def _png(width, height, depth, colour, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def difficult():
    """A folder that another user may enter too, so that permissions can be tested as root."""
    folder = Path(tempfile.mkdtemp(prefix="unitscope-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_difficult_files_have_the_right_pixels_or_a_reason(difficult):
    y, x = np.mgrid[0:40, 0:60]
    drawn = np.stack([4 * x, 6 * y, 255 - 4 * x], -1).astype(np.uint8)
    image = Image.fromarray(drawn)
    grey = (x * 1100).astype(np.uint16)
    files = {
        "a/animated.gif": _encoded(
            Image.new("RGB", (9, 7), "red"),
            "GIF",
            save_all=True,
            append_images=[Image.new("RGB", (9, 7), "blue")],
        ),
        "a/bomb.png": _png(20_000, 20_000, 8, 2, b"\0" * 1000),
        "a/cmyk.jpg": _encoded(image.convert("CMYK"), "JPEG", quality=100),
        "a/deep.png": _png(60, 40, 16, 0, b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey)),
        "a/empty.jpg": b"",
        "a/one.png": _encoded(Image.new("RGB", (1, 1), (7, 8, 9)), "PNG"),
        "a/really.png.JPEG": _encoded(image, "PNG"),
        "a/secret.jpg": _encoded(image, "JPEG"),
        "a/text.raw": b"these are no pixels\n",
        "a/truncated.jpg": _encoded(image, "JPEG")[:-200],
    }
    write(difficult, files)
    (difficult / "a/secret.jpg").chmod(0)
    dataset = open_dataset(str(difficult))
    found = _as_nobody(lambda: by_uri(dataset))
    assert found.keys() == files.keys()

    def reason(name, status):
        each = found.pop(f"a/{name}")
        try:
            pixels.decode(each if isinstance(each, bytes) else (_ for _ in ()).throw(each))
        except ImageError as error:
            assert error.status is status
            return error.reason
        raise AssertionError(f"{name} was decoded")

    assert "truncated" in reason("truncated.jpg", ImageStatus.UNDECODABLE)
    assert reason("empty.jpg", ImageStatus.UNDECODABLE) == "empty file"
    assert "no image format" in reason("text.raw", ImageStatus.UNDECODABLE)
    assert "178,956,970 pixels" in reason("bomb.png", ImageStatus.TOO_LARGE)
    assert "permission" in reason("secret.jpg", ImageStatus.UNREADABLE)
    decoded = {name.removeprefix("a/"): pixels.decode(data) for name, data in found.items()}
    assert np.array_equal(decoded["really.png.JPEG"], drawn)
    assert np.abs(decoded["cmyk.jpg"].astype(int) - drawn).mean() < 3
    assert np.array_equal(
        decoded["deep.png"], np.repeat(np.round(grey / 257).astype(np.uint8)[..., None], 3, 2)
    )
    assert decoded["animated.gif"].shape == (7, 9, 3) and (decoded["animated.gif"] == [255, 0, 0]).all()
    assert decoded["one.png"].tolist() == [[[7, 8, 9]]]
    assert len(decoded) == 5


def _as_nobody(action):
    """Root may read anything: as root, acts as another user for a moment."""
    if os.geteuid() != 0:
        return action()
    os.seteuid(65534)
    try:
        return action()
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_listed_is_an_error(difficult):
    write(difficult, {"a/x.jpg": b"x", "b/y.jpg": b"y"})
    (difficult / "b").chmod(0)
    try:
        with pytest.raises(Exception, match=f"{difficult}/b: permission denied"):
            _as_nobody(lambda: listed(open_dataset(str(difficult))))
    finally:
        (difficult / "b").chmod(0o755)

"""`Folder` on a local disk, on an S3 server, and in fsspec's memory system: the same behaviour everywhere."""

import hashlib
import os
import pickle
import sys
import tempfile
import threading
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unitscope.common.errors import StorageError, UsageError
from unitscope.index.storage.folder import Folder, MissingFileError


@pytest.fixture(params=["local", "s3", "memory"])
def folder(request, tmp_path):
    if request.param == "local":
        return Folder(str(tmp_path / "store"))
    if request.param == "s3":
        return Folder(request.getfixturevalue("s3_bucket") + "/a/store")
    return Folder(f"memory://{uuid.uuid4().hex}/store")


def test_publishes_and_reads(folder):
    folder.publish("deep/er/file.bin", b"0123456789")
    assert folder.read("deep/er/file.bin") == b"0123456789"
    assert folder.read_range("deep/er/file.bin", 2, 3) == b"234"
    assert folder.read_range("deep/er/file.bin", 8, 30) == b"89"
    assert folder.read_range("deep/er/file.bin", 3, 0) == b""
    assert folder.read_range("deep/er/file.bin", 10, 5) == folder.read_range("deep/er/file.bin", 99, 5) == b""
    assert folder.size("deep/er/file.bin") == 10
    assert folder.sha256("deep/er/file.bin") == hashlib.sha256(b"0123456789").hexdigest()
    folder.publish("deep/er/file.bin", b"new")
    assert folder.read("deep/er/file.bin") == b"new"
    assert folder.exists("deep/er/file.bin")
    assert not folder.exists("deep/er") and not folder.exists("deep/er/other")


def test_missing_files_are_file_not_found(folder):
    for action in (folder.read, folder.open, folder.size, folder.sha256):
        with pytest.raises(FileNotFoundError) as caught:
            action("none/such")
        assert isinstance(caught.value, MissingFileError) and "none/such" in str(caught.value)
    folder.remove("none/such")
    folder.remove_tree("none")
    assert list(folder.list()) == []


def test_opens_for_pyarrow(folder):
    table = pa.table({"x": list(range(1000))})
    with folder.writer("t/part.parquet") as file:
        pq.write_table(table, file)
    assert pq.read_table(folder.open("t/part.parquet")).equals(table)
    with folder.open("t/part.parquet") as file:
        file.seek(-4, os.SEEK_END)
        assert file.read() == b"PAR1"


def test_create_only(folder):
    assert folder.publish_new("lock", b"one")
    assert not folder.publish_new("lock", b"two")
    assert folder.read("lock") == b"one"
    folder.remove("lock")
    assert folder.publish_new("lock", b"three")


def test_writer_shows_nothing_before_the_end_and_nothing_after_a_failure(folder):
    with folder.writer("a/b") as file:
        file.write(b"half")
        assert not folder.exists("a/b") and list(folder.list()) == []
        file.write(b" done")
    assert folder.read("a/b") == b"half done"
    with pytest.raises(ZeroDivisionError), folder.writer("a/b") as file:
        file.write(b"never")
        raise ZeroDivisionError
    assert folder.read("a/b") == b"half done"
    assert list(folder.list()) == ["a/b"]


def test_lists_in_byte_order_of_whole_paths(folder):
    names = ["a.b", "a/b", "a/c/d", "a0", "a/c.d", "a/c0", "Z", "é", "zz/y", "zz/x", "\U0001f600", "豈"]
    for name in names:
        folder.publish(name, b"x")
    assert list(folder.list()) == sorted(names, key=lambda name: name.encode())
    assert list(folder.list("a/")) == ["a/b", "a/c.d", "a/c/d", "a/c0"]
    assert list(folder.list("a/c")) == ["a/c.d", "a/c/d", "a/c0"]
    assert list(folder.list("a")) == ["a.b", "a/b", "a/c.d", "a/c/d", "a/c0", "a0"]
    assert list(folder.list("nothing/here")) == []


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sets(
        st.lists(st.text("a./0-é", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join), max_size=12
    )
)
def test_any_names_are_listed_in_byte_order(names):
    """The oracle sorts all whole paths at once."""
    with tempfile.TemporaryDirectory() as root:
        written = []
        for name in names:
            try:
                Folder(root).publish(name, b"x")
            except (
                UsageError,
                StorageError,
                MissingFileError,
            ):  # no name, or a folder stands there, or a file above
                continue
            written.append(name)
        assert list(Folder(root).list()) == sorted(written, key=str.encode)
        for prefix in {name[:length] for name in written for length in (1, 2, 4)}:
            if not {"", ".", ".."} & set(prefix.removesuffix("/").split("/")):
                expected = sorted((name for name in written if name.startswith(prefix)), key=str.encode)
                assert list(Folder(root).list(prefix)) == expected


def test_hidden_files_can_be_left_out(folder):
    for name in (".git/x", "a/.hidden", "a/b", ".dot"):
        folder.publish(name, b"x")
    assert [entry.name for entry in folder.entries(hidden=False)] == ["a/b"]
    assert list(folder.list()) == [".dot", ".git/x", "a/.hidden", "a/b"]


def test_removes(folder):
    for name in ("keep", "tree/a", "tree/b/c", "tree2/a"):
        folder.publish(name, b"x")
    folder.remove_tree("tree")
    folder.remove("keep")
    assert list(folder.list()) == ["tree2/a"]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/", "a\0b"])
def test_refuses_names_that_lead_elsewhere(folder, name):
    for action in (folder.read, folder.exists, folder.remove, folder.remove_tree):
        if name == "a/" and action == folder.remove_tree:
            continue
        with pytest.raises(UsageError, match="relative path"):
            action(name)
    with pytest.raises(UsageError):
        folder.publish(name, b"x")


def test_can_be_pickled(folder):
    folder.publish("x", b"y")
    assert pickle.loads(pickle.dumps(folder)).read("x") == b"y"


def test_etags_are_of_buckets(folder):
    folder.publish("x", b"y")
    etag = next(folder.entries()).etag
    expected = {"local": None, "s3": hashlib.md5(b"y").hexdigest()}
    protocol = "local" if folder.is_local else folder.url.partition(":")[0]
    if protocol in expected:
        assert etag == expected[protocol] == folder.entry("x").etag


def test_only_one_of_many_creators_wins(folder):
    wins = []
    barrier = threading.Barrier(8)

    def create(number):
        barrier.wait()
        if folder.publish_new("lock", str(number).encode()):
            wins.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if folder.url.startswith("memory"):
        pytest.skip("fsspec's memory system is not atomic")
    assert len(wins) == 1 and folder.read("lock") == str(wins[0]).encode()


def test_pages_of_a_bucket(s3_bucket, monkeypatch):
    folder = Folder(f"{s3_bucket}/paged")
    names = [f"{number:05d}" for number in range(23)]
    for name in names:
        folder.publish(name, b"x")
    system = folder._files._system  # pyright: ignore
    call = system.call_s3
    pages = []

    def small(method, **options):
        pages.append(method)
        return call(method, **options, MaxKeys=10)

    monkeypatch.setattr(system, "call_s3", small)
    assert list(folder.list()) == names and len(pages) == 3


@pytest.mark.slow
def test_a_large_object_is_uploaded_in_parts(s3_bucket):
    folder = Folder(f"{s3_bucket}/large")
    data = os.urandom(1 << 20) * 120
    with folder.writer("x") as file:
        file.write(data)
    assert folder.sha256("x") == hashlib.sha256(data).hexdigest()


def test_a_bucket_that_does_not_answer_fails_and_says_where(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    s3fs = pytest.importorskip("s3fs")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(StorageError, match="s3://gone/x/y"):
            Folder("s3://gone/x").read("y")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_unknown_places_are_usage_errors(monkeypatch):
    with pytest.raises(UsageError, match="nosuch"):
        Folder("nosuch://x/y")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UsageError, match=r"pip install 'unitscope\[gcs\]'"):
        Folder("gs://bucket/x")


# The local disk

"""`Folder` on a local disk, on an S3 server, and in fsspec's memory system: the same behaviour everywhere."""

import hashlib
import os
import sys
import tempfile
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_tests import StorageTests
from unitscope.common.errors import StorageError, UsageError
from unitscope.index.storage.folder import Folder, MissingFileError


class TestLocal(StorageTests):
    etag = None

    @pytest.fixture
    def folder(self, tmp_path):
        return Folder(str(tmp_path / "store"))


class TestS3(StorageTests):
    etag = hashlib.md5(b"y").hexdigest()

    @pytest.fixture
    def folder(self, s3_bucket):
        return Folder(f"{s3_bucket}/a/store")


class TestMemory(StorageTests):
    """Any other fsspec system is listed folder by folder, as this one."""

    creates_atomically = False

    @pytest.fixture
    def folder(self):
        return Folder(f"memory://{uuid.uuid4().hex}/store")


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

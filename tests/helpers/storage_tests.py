"""What every storage backend must do, as `Folder` shows it. A backend's tests subclass `StorageTests`.

class TestMemory(StorageTests):
    @pytest.fixture
    def folder(self):
        return Folder(f"memory://{uuid.uuid4().hex}/store")
"""

import hashlib
import os
import pickle
import threading
from unittest.mock import ANY

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import UsageError
from unitscope.index.storage.folder import MissingFileError


class StorageTests:
    """etag: of a file that holds `y`, ANY where it may be anything. creates_atomically: of many that create a file at
    once, one wins.
    """

    etag: object = ANY
    creates_atomically = True

    @pytest.fixture
    def folder(self):
        """A new, empty folder of the backend."""
        raise NotImplementedError

    def test_publishes_and_reads(self, folder):
        folder.publish("deep/er/file.bin", b"0123456789")
        assert folder.read("deep/er/file.bin") == b"0123456789"
        assert folder.read_range("deep/er/file.bin", 2, 3) == b"234"
        assert folder.read_range("deep/er/file.bin", 8, 30) == b"89"
        assert folder.read_range("deep/er/file.bin", 3, 0) == b""
        assert (
            folder.read_range("deep/er/file.bin", 10, 5)
            == folder.read_range("deep/er/file.bin", 99, 5)
            == b""
        )
        assert folder.size("deep/er/file.bin") == 10
        assert folder.sha256("deep/er/file.bin") == hashlib.sha256(b"0123456789").hexdigest()
        folder.publish("deep/er/file.bin", b"new")
        assert folder.read("deep/er/file.bin") == b"new"
        assert folder.exists("deep/er/file.bin")
        assert not folder.exists("deep/er") and not folder.exists("deep/er/other")

    def test_missing_files_are_file_not_found(self, folder):
        for action in (folder.read, folder.open, folder.size, folder.sha256):
            with pytest.raises(FileNotFoundError) as caught:
                action("none/such")
            assert isinstance(caught.value, MissingFileError) and "none/such" in str(caught.value)
        folder.remove("none/such")
        folder.remove_tree("none")
        assert list(folder.list()) == []

    def test_opens_for_pyarrow(self, folder):
        table = pa.table({"x": list(range(1000))})
        with folder.writer("t/part.parquet") as file:
            pq.write_table(table, file)
        assert pq.read_table(folder.open("t/part.parquet")).equals(table)
        with folder.open("t/part.parquet") as file:
            file.seek(-4, os.SEEK_END)
            assert file.read() == b"PAR1"

    def test_create_only(self, folder):
        assert folder.publish_new("lock", b"one")
        assert not folder.publish_new("lock", b"two")
        assert folder.read("lock") == b"one"
        folder.remove("lock")
        assert folder.publish_new("lock", b"three")

    def test_writer_shows_nothing_before_the_end_and_nothing_after_a_failure(self, folder):
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

    def test_lists_in_byte_order_of_whole_paths(self, folder):
        names = ["a.b", "a/b", "a/c/d", "a0", "a/c.d", "a/c0", "Z", "é", "zz/y", "zz/x", "\U0001f600", "豈"]
        for name in names:
            folder.publish(name, b"x")
        assert list(folder.list()) == sorted(names, key=lambda name: name.encode())
        assert list(folder.list("a/")) == ["a/b", "a/c.d", "a/c/d", "a/c0"]
        assert list(folder.list("a/c")) == ["a/c.d", "a/c/d", "a/c0"]
        assert list(folder.list("a")) == ["a.b", "a/b", "a/c.d", "a/c/d", "a/c0", "a0"]
        assert list(folder.list("nothing/here")) == []

    def test_hidden_files_can_be_left_out(self, folder):
        for name in (".git/x", "a/.hidden", "a/b", ".dot"):
            folder.publish(name, b"x")
        assert [entry.name for entry in folder.entries(hidden=False)] == ["a/b"]
        assert list(folder.list()) == [".dot", ".git/x", "a/.hidden", "a/b"]

    def test_removes(self, folder):
        for name in ("keep", "tree/a", "tree/b/c", "tree2/a"):
            folder.publish(name, b"x")
        folder.remove_tree("tree")
        folder.remove("keep")
        assert list(folder.list()) == ["tree2/a"]

    @pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/", "a\0b"])
    def test_refuses_names_that_lead_elsewhere(self, folder, name):
        for action in (folder.read, folder.exists, folder.remove, folder.remove_tree):
            if name == "a/" and action == folder.remove_tree:
                continue
            with pytest.raises(UsageError, match="relative path"):
                action(name)
        with pytest.raises(UsageError):
            folder.publish(name, b"x")

    def test_can_be_pickled(self, folder):
        folder.publish("x", b"y")
        assert pickle.loads(pickle.dumps(folder)).read("x") == b"y"

    def test_etags_are_the_storage_s_own(self, folder):
        folder.publish("x", b"y")
        if self.etag is not ANY:
            assert next(folder.entries()).etag == folder.entry("x").etag == self.etag

    def test_only_one_of_many_creators_wins(self, folder):
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
        if not self.creates_atomically:
            pytest.skip("this storage does not create atomically")
        assert len(wins) == 1 and folder.read("lock") == str(wins[0]).encode()

"""`Folder` on a local disk alone: paths, failing and full disks, killed writers, links."""

import errno
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import StorageError
from unitscope.index.storage.folder import Folder, MissingFileError, NoAccessError


def test_local_path(tmp_path):
    folder = Folder(str(tmp_path))
    assert folder.local_path("a/b") == tmp_path / "a/b"
    assert Folder("memory://x").local_path("a/b") is None


def test_relative_folders_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Folder("store")
    monkeypatch.chdir("/")
    folder.publish("x", b"y")
    assert (tmp_path / "store/x").read_bytes() == b"y"


def test_transient_failures_are_tried_again(tmp_path, monkeypatch):
    folder = Folder(str(tmp_path))
    folder.publish("x", b"y")
    read, failures = folder._files.read, [errno.EIO, errno.ESTALE]  # pyright: ignore

    def failing(name, offset, length):
        if failures:
            raise OSError(failures.pop(), "broken")
        return read(name, offset, length)

    monkeypatch.setattr(folder._files, "read", failing)  # pyright: ignore
    assert folder.read("x") == b"y"
    failures.extend([errno.EIO] * 9)
    with pytest.raises(StorageError, match="broken") as caught:
        folder.read("x")
    assert str(tmp_path / "x") in str(caught.value) and len(failures) == 6


def test_a_disk_that_fills_up_is_a_storage_error_and_leaves_nothing(tmp_path):
    folder = Folder(str(tmp_path))
    folder.publish("old", b"kept")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageError, match="old"):
            folder.publish("old", b"x" * 10_000)
        with pytest.raises(StorageError, match="ulimit"), folder.writer("new") as file:
            file.write(b"x" * 1_000_000)
        with pytest.raises(StorageError, match="table"), folder.writer("table") as file:
            pq.write_table(pa.table({"x": list(range(50_000))}), file, compression="none")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert folder.read("old") == b"kept"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


_FILL = """
import sys
from unitscope.common.errors import StorageError
from unitscope.index.storage.folder import Folder
folder = Folder(sys.argv[1])
folder.publish("small", b"x")
try:
    folder.publish("large", b"x" * 1_000_000)
except StorageError as error:
    print(error)
print(sorted(folder.list()))
"""


def test_a_full_disk_says_so(tmp_path):
    mount = f'mount -t tmpfs -o size=100k tmpfs {tmp_path} && exec "$0" -P -c "$1" {tmp_path}'
    command = ["unshare", "-rm", "sh", "-c", mount, sys.executable, _FILL]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("no `unshare` here")
    if done.returncode and ("unshare:" in done.stderr or "mount:" in done.stderr):
        pytest.skip(f"no mounts without privileges here: {done.stderr}")
    assert "The disk is full" in done.stdout and f"{tmp_path}/large" in done.stdout, done.stderr
    assert "['small']" in done.stdout


def test_permission_is_its_own_error(tmp_path, monkeypatch):
    folder = Folder(str(tmp_path))

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(folder._files, "read", refuse)  # pyright: ignore
    with pytest.raises(NoAccessError, match="permission") as caught:
        folder.read("x")
    assert isinstance(caught.value, StorageError) and isinstance(caught.value, PermissionError)


def test_file_systems_without_hard_links(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EOPNOTSUPP, "no links")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    folder = Folder(str(tmp_path))
    assert folder.publish_new("lock", b"one") and not folder.publish_new("lock", b"two")
    assert folder.read("lock") == b"one"


_KILLED = """
import os, signal, sys
from unitscope.index.storage.folder import Folder
with Folder(sys.argv[1]).writer("a/x") as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_writers_leave_only_what_is_cleaned(tmp_path):
    folder = Folder(str(tmp_path))
    done = subprocess.run([sys.executable, "-P", "-c", _KILLED, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.rglob(".aside-*"))) == 1
    assert list(folder.list()) == []
    with folder.writer("a/y") as file:
        file.write(b"alive")
        folder.clean_temporary()
    assert folder.read("a/y") == b"alive"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["y"]
    with pytest.raises((StorageError, MissingFileError)), folder.writer("a/late"):
        folder.clean_temporary(living=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["y"]


def test_links_that_lead_back_are_not_followed(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x")
    (tmp_path / "a/b/loop").symlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    (tmp_path / "file").symlink_to(tmp_path / "a/b/file")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    entries = list(Folder(str(tmp_path)).entries())
    assert [entry.name for entry in entries] == ["a/b/file", "c/b/file", "file", "self"]
    assert [entry.size for entry in entries] == [1, 1, 1, None]


def test_very_deep_folders(tmp_path):
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"x")
    assert sum(1 for _ in Folder(str(tmp_path)).entries()) == 1

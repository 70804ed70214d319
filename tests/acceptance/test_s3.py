"""Dataset and store in a bucket: the bytes of a local store, resumed, verified and asked; one writer at a time."""

import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from unitscope.common.errors import StoreBusyError, StoreError
from unitscope.index.storage.folder import Folder
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.jobs import lock
from unitscope.jobs.build.index import build_index
from unitscope.jobs.build.neighbors import neighbors
from unitscope.jobs.sweep import run as run_module
from unitscope.jobs.sweep.run import sweep

pytestmark = pytest.mark.timeout(300)
IMAGES = 48


def upload(local: Path, url: str) -> None:
    folder = Folder(url)
    for path in sorted(local.rglob("*")):
        if path.is_file():
            folder.publish(str(path.relative_to(local)), path.read_bytes())


def contents(url: str) -> dict[str, bytes]:
    folder = Folder(url)
    return {name: folder.read(name) for name in folder.list() if name != "log.jsonl"}


def cut_after(monkeypatch, shards: int) -> None:
    """The next sweep is stopped once some shards are committed."""
    original = run_module._Run._sweep

    def cut(self, left):
        original(self, left[:shards])
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module._Run, "_sweep", cut)


@pytest.fixture
def data(folder_of, tmp_path) -> Path:
    return folder_of(tmp_path / "data", IMAGES)


def test_a_store_in_a_bucket_is_that_on_a_disk(
    data, config, hashes, s3_bucket, tmp_path, monkeypatch
) -> None:
    upload(data, f"{s3_bucket}/data")
    where, local = f"{s3_bucket}/stores/one", tmp_path / "local"
    with monkeypatch.context() as patch:
        cut_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            sweep(config(f"{s3_bucket}/data", where))
    assert lock.LOCK_FILE not in contents(where)
    report = sweep(config(f"{s3_bucket}/data", where))
    assert (report.images, report.swept) == (IMAGES, IMAGES - 16)
    assert verify(where).ok
    sweep(config(f"{s3_bucket}/data", local))  # a local store of the same dataset
    files = {str(path.relative_to(local)): path.read_bytes() for path in local.rglob("*") if path.is_file()}
    del files["log.jsonl"], files[".lock"]
    assert contents(where) == files

    on_disk = tmp_path / "on-disk"
    sweep(config(data, on_disk))  # of the same images on a disk: only what names the dataset differs
    different = {name for name, digest in hashes(on_disk).items() if digest != hashes(local)[name]}
    assert all(name == "manifest.json" or name.startswith("plan/") for name in different)
    ours, theirs = (json.loads((store / "manifest.json").read_text()) for store in (local, on_disk))
    named = {"dataset", "fingerprints", "files"}
    assert {key for key in ours if ours[key] != theirs[key]} <= named
    assert {
        key for key in ours["fingerprints"] if ours["fingerprints"][key] != theirs["fingerprints"][key]
    } <= {
        "dataset",
        "plan",
    }

    store, disk = Store.open(where), Store.open(str(on_disk))
    assert store.top("colours", 1, k=5) == disk.top("colours", 1, k=5)
    assert store.top("colours", 1, k=5, where="label = 'square'") == disk.top(
        "colours", 1, k=5, where="label = 'square'"
    )
    assert store.pixels(7) == disk.pixels(7)
    assert store.thumb(7) == disk.thumb(7)
    assert store.patch("colours", 0, 0) == disk.patch("colours", 0, 0)
    assert neighbors(store, 3, k=4) == neighbors(disk, 3, k=4)
    build_index(where)
    found = neighbors(Store.open(where), 3, k=4)
    assert found.image_ids == neighbors(disk, 3, k=4).image_ids
    assert 3 not in found.image_ids
    assert np.isfinite(found.distances).all()
    assert verify(where).ok


def test_two_sweeps_of_one_bucket_at_once(data, config, s3_bucket) -> None:
    where = f"{s3_bucket}/store"
    ends: list[object] = []

    def run() -> None:
        try:
            ends.append(sweep(config(data, where)).swept)
        except StoreBusyError as error:
            ends.append(error)

    holder = lock.writing(Folder(where))
    with holder:
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [type(end) for end in ends] == [StoreBusyError] * 2
    assert f"process {os.getpid()}" in str(ends[0])
    run()
    assert ends[-1] == IMAGES


def held_by(folder: Folder, **facts) -> None:
    folder.publish(
        lock.LOCK_FILE, json.dumps({"host": "elsewhere", "pid": 7, "token": "t", **facts}).encode()
    )


def test_a_fresh_lock_is_respected_and_a_stale_one_taken_over(s3_bucket) -> None:
    folder = Folder(f"{s3_bucket}/locks")
    held_by(folder, time=time.time())
    with pytest.raises(StoreBusyError, match="process 7 on elsewhere"), lock.writing(folder):
        pass
    held_by(folder, time=time.time() - lock.STALE - 1)
    with (
        lock.writing(folder),
        pytest.raises(StoreBusyError, match=f"process {os.getpid()}"),
        lock.writing(folder),
    ):
        pass
    assert not list(folder.list())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"time": "yesterday"}'])
def test_a_lock_that_says_nothing_is_stale(s3_bucket, content) -> None:
    folder = Folder(f"{s3_bucket}/locks")
    folder.publish(lock.LOCK_FILE, content)
    with lock.writing(folder):
        assert json.loads(folder.read(lock.LOCK_FILE))["pid"] == os.getpid()


def test_the_lock_of_a_dead_process_of_this_machine_is_stale_at_once(s3_bucket) -> None:
    folder = Folder(f"{s3_bucket}/locks")
    mine = json.loads(lock._holder())
    held_by(folder, time=time.time(), host=mine["host"], processes=mine["processes"], pid=2**22 + 1)
    with lock.writing(folder):
        pass
    held_by(folder, time=time.time(), host=mine["host"], processes="another container", pid=2**22 + 1)
    with pytest.raises(StoreBusyError), lock.writing(folder):
        pass


def test_only_one_of_many_takes_a_stale_lock_over(s3_bucket) -> None:
    folder = Folder(f"{s3_bucket}/locks")
    held_by(folder, time=0)
    inside, most, busy = [0], [0], [0]
    start, guard = threading.Barrier(6), threading.Lock()

    def contend() -> None:
        start.wait()
        try:
            with lock.writing(folder):
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.5)
                with guard:
                    inside[0] -= 1
        except StoreBusyError:
            with guard:
                busy[0] += 1

    threads = [threading.Thread(target=contend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert busy[0] == 5


def test_a_lock_that_was_taken_over_is_left_alone(s3_bucket, monkeypatch) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT", 1.0)
    folder = Folder(f"{s3_bucket}/locks")
    with lock.writing(folder):
        held_by(folder, time=time.time(), token="theirs")
        time.sleep(2.5)
    assert json.loads(folder.read(lock.LOCK_FILE))["token"] == "theirs"


def test_a_bucket_with_other_files_is_no_store(data, config, s3_bucket) -> None:
    upload(data, f"{s3_bucket}/data")
    with pytest.raises(StoreError, match="holds other files"):
        sweep(config(data, f"{s3_bucket}/data"))

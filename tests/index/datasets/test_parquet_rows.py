"""How Parquet rows are read: failing disks, huge row groups, threads, and no more columns than needed."""

import io
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_images import as_structs, images, listed, open_dataset_again, write
from unitscope.common.errors import StorageError
from unitscope.index.datasets import parquet_rows
from unitscope.index.datasets.open import open_dataset
from unitscope.index.storage import errors as storage_errors


def test_a_failing_disk_is_no_bad_image(tmp_path, monkeypatch):
    monkeypatch.setattr(storage_errors, "RETRY_SECONDS", (0.0,))
    data = images(20)
    dataset = open_dataset(write(tmp_path / "x.parquet", {"image": as_structs(data)}))
    table = listed(dataset)
    open_parquet, failures = parquet_rows.open_parquet, [1]

    def failing(*arguments, **options):
        if failures:
            failures.pop()
            raise OSError(5, "Input/output error")
        return open_parquet(*arguments, **options)

    monkeypatch.setattr(parquet_rows, "open_parquet", failing)
    assert list(dataset.read(table)) == data
    failures.extend([1] * 5)
    with pytest.raises(StorageError, match=r"x.parquet: Input/output error"):
        list(open_dataset_again(dataset).read(table))


@pytest.mark.parametrize("stream", [False, True])
def test_huge_row_groups_are_streamed_with_the_same_result(tmp_path, monkeypatch, stream):
    if stream:
        monkeypatch.setattr(parquet_rows, "WHOLE_GROUP_BYTES", 1000)
        monkeypatch.setattr(parquet_rows, "STREAM_BYTES", 700)
    data = [*images(300, 40), *[None] * 2, *images(300, 40, seed=2)]
    dataset = open_dataset(write(tmp_path / "x.parquet", {"image": as_structs(data)}, row_group_size=250))
    table = listed(dataset)

    def read(rows):
        return [each if isinstance(each, bytes) else None for each in dataset.read(rows)]

    assert read(table) == data
    assert read(table.slice(100, 50)) + read(table.slice(150, 120)) == data[100:270]
    order = np.random.default_rng(0).permutation(len(data))[:60]
    assert read(table.take(order)) == [data[row] for row in order]


def test_a_stream_holds_little_and_goes_on_forward(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "WHOLE_GROUP_BYTES", 1 << 20)
    monkeypatch.setattr(parquet_rows, "STREAM_BYTES", 1 << 18)
    data = images(400, 40_000)
    small_pages = {
        "compression": "none",
        "use_dictionary": False,
        "write_batch_size": 4,
        "data_page_size": 1 << 17,
    }
    dataset = open_dataset(write(tmp_path / "x.parquet", {"image": as_structs(data)}, **small_pages))
    table = listed(dataset)
    opened = []
    open_parquet = parquet_rows.open_parquet
    monkeypatch.setattr(
        parquet_rows, "open_parquet", lambda *a, **o: opened.append(o) or open_parquet(*a, **o)
    )
    pool = pa.default_memory_pool()
    base, highest = pool.bytes_allocated(), 0
    for start in range(0, 400, 16):
        for row, each in enumerate(dataset.read(table.slice(start, 16)), start):
            assert each == data[row]
            highest = max(highest, pool.bytes_allocated() - base)
    assert sum(bool(options.get("stream")) for options in opened) == 1
    assert highest < 6 << 20  # of 16 MB; the buffer is 4


def test_threads_share_row_groups(tmp_path, monkeypatch):
    data = images(400)
    dataset = open_dataset(write(tmp_path / "x.parquet", {"image": as_structs(data)}, row_group_size=200))
    table = listed(dataset)
    loads = []
    whole = parquet_rows.RowReader._whole  # pyright: ignore
    monkeypatch.setattr(parquet_rows.RowReader, "_whole", lambda self, *a: loads.append(a) or whole(self, *a))
    barrier, wrong = threading.Barrier(4), []

    def read(start):
        barrier.wait()
        found = list(dataset.read(table.slice(start, 50)))
        barrier.wait()
        if found != data[start : start + 50]:
            wrong.append(start)

    threads = [threading.Thread(target=read, args=(start,)) for start in (0, 50, 100, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(loads) == 1


def test_only_the_image_column_of_the_needed_row_groups_is_read(tmp_path):
    data = images(100, 1000)
    columns = {"image": as_structs(data), "big": ["y" * 20_000 + str(n) for n in range(100)]}
    path = write(tmp_path / "x.parquet", columns, row_group_size=10, compression="none", use_dictionary=False)
    dataset = open_dataset(path)
    table = listed(dataset)
    read = []
    real = dataset.folder.open

    class Counting(io.RawIOBase):
        def __init__(self, name):
            self.file = real(name)

        def readable(self):
            return True

        def seekable(self):
            return True

        def seek(self, *arguments):
            return self.file.seek(*arguments)

        def tell(self):
            return self.file.tell()

        def size(self):
            return self.file.size()

        def read(self, count=-1):
            data = self.file.read(count)
            read.append(len(data))
            return data

    dataset.folder.open = lambda name: pa.PythonFile(Counting(name), "r")
    assert list(dataset.read(table.slice(42, 5))) == data[42:47]
    assert (
        sum(read) < 150_000
    )  # a row group's images are 10 kB, the file 2 MB, its footer read at most 64 kB a time


def test_real_images(tmp_path):
    import os

    root = os.environ.get("UNITSCOPE_TEST_DATA")
    if not root:
        pytest.skip("UNITSCOPE_TEST_DATA is not set")
    dataset = open_dataset(f"{root}/data/cifar10-train.parquet")
    batch = next(iter(dataset.batches(100)))
    whole = pq.read_table(f"{root}/data/cifar10-train.parquet").slice(0, 100)
    assert list(dataset.read(batch)) == [each["bytes"] for each in whole["image"].to_pylist()]
    assert batch["label"].to_pylist() == whole["label"].to_pylist()

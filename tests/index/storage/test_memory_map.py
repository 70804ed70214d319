"""Mapped arrays: how much of one stays in memory."""

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest
from unitscope.index.neighbors import tune as ann_tune
from unitscope.index.neighbors.exact import Vectors, nearest
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.memory_map import Pages, map_array, release

MIB = 1 << 20
ROWS, WIDTH = 4096, 2048  # 32 MiB
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is resident")


@pytest.fixture
def mapped(tmp_path):
    random = np.random.default_rng(0)
    random.random((ROWS, WIDTH), np.float32).tofile(tmp_path / "features.f32")
    return map_array(Folder(str(tmp_path)), "features.f32", np.float32, (ROWS, WIDTH))


def resident(array):
    """MiB of a mapped array that are in memory: pages with bit 63 in Linux's pagemap."""
    first = array.ctypes.data // mmap.PAGESIZE
    pages = -(-(array.ctypes.data + array.nbytes) // mmap.PAGESIZE) - first
    with Path("/proc/self/pagemap").open("rb", buffering=0) as file:
        file.seek(8 * first)
        entries = np.frombuffer(file.read(8 * pages), np.uint64)
    assert len(entries) == pages
    return np.count_nonzero(entries >> np.uint64(63)) * mmap.PAGESIZE / MIB


@linux
def test_what_was_read_is_let_go_of(mapped):
    pages = Pages(mapped, 8 * MIB)
    total, most = 0.0, 0.0
    for start in range(0, ROWS, 16):
        total += mapped[start : start + 16].sum(dtype=np.float64)
        pages.read(16)
        most = max(most, resident(mapped))
    assert most <= 9
    release(mapped)
    assert resident(mapped) < 1
    assert total == pytest.approx(mapped.sum(dtype=np.float64))  # pages that were let go of are read again


@linux
def test_an_array_within_the_limit_stays(mapped):
    pages = Pages(mapped, 64 * MIB)
    mapped.sum()
    pages.read(10 * ROWS)
    assert resident(mapped) == pytest.approx(32, abs=1)


@linux
def test_a_search_of_everything_holds_little(mapped):
    few = Vectors(mapped, np.linalg.norm(mapped, axis=1).astype(np.float64), np.ones(ROWS, bool), 4 * MIB)
    all_held = Vectors.of(np.array(mapped))
    release(mapped)
    queries = np.array(mapped[:3])
    for got, wanted in zip(nearest(few, queries, 5), nearest(all_held, queries, 5), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert resident(mapped) <= 20  # of 32: a chunk of 16 MiB, and what was let go of before


@linux
def test_many_rows_are_read_a_few_at_a_time(mapped, monkeypatch):
    monkeypatch.setattr(ann_tune, "_ROWS", 64)
    few = Vectors(mapped, np.linalg.norm(mapped, axis=1).astype(np.float64), np.ones(ROWS, bool), 4 * MIB)
    release(mapped)
    ids = np.random.default_rng(1).permutation(ROWS)
    found = ann_tune.prepared(few, ids, "l2")
    assert resident(mapped) <= 9
    np.testing.assert_array_equal(found, mapped[ids])


def test_arrays_that_are_no_files_are_left_alone():
    array = np.ones((100, 100), np.float32)
    pages = Pages(array, 1)
    pages.read(1000)
    assert array.sum() == 10_000

"""Packs: what goes in comes out, by number and row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unitscope.common.errors import StoreDamagedError
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.packs import Packs, write_pack


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=30))
def test_round_trip(tmp_path_factory, jpegs):
    folder = Folder(str(tmp_path_factory.mktemp("pack")))
    records = write_pack(folder, "thumbs", 3, iter(jpegs))
    assert [record.path for record in records] == [
        "thumbs/part-00003.jpegs",
        "thumbs/part-00003.offsets.arrow",
    ]
    for record in records:
        assert (record.rows, record.bytes, record.sha256) == (
            len(jpegs),
            folder.size(record.path),
            folder.sha256(record.path),
        )
    packs = Packs(folder, "thumbs")
    assert [packs.get(3, row) for row in range(len(jpegs))] == jpegs
    assert packs.get(3, len(jpegs)) is None
    assert packs.get(3, -1) is None
    assert packs.get(4, 0) is None


def test_cut_pack(tmp_path):
    folder = Folder(str(tmp_path))
    write_pack(folder, "patches", 0, [b"one", None, b"three"])
    (tmp_path / "patches/part-00000.jpegs").write_bytes(b"oneth")
    packs = Packs(folder, "patches")
    assert packs.get(0, 0) == b"one"
    with pytest.raises(StoreDamagedError, match="shorter"):
        packs.get(0, 2)

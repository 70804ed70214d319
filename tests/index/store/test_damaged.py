"""Damaged and crafted stores: each kind of file ends as StoreDamagedError, or is found by `verify`."""

import contextlib
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unitscope.common.errors import StoreDamagedError, StoreError, UnitscopeError
from unitscope.index.format.sealed import sealed, unsealed
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.graph_lookup import NeighborGraph
from unitscope.index.neighbors.graph_table import stored_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.packs import Packs, write_pack
from unitscope.index.storage.row_file import RowFile
from unitscope.index.storage.stored_names import is_inside
from unitscope.index.storage.watched_file import WatchedFile
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify

NONSENSE = [b"", b"{}", b"[]", b"null", b"{", b'"text"', b"\xff\xfe\x00", b"[" * 100_000, b'{"version": 1}']


@pytest.fixture
def made(synthetic, tmp_path):
    store = synthetic.make_store(tmp_path / "store")
    of = Store.open(store.url).manifest.hash
    build(blocks_of(store.feature, ~store.failed), store.feature.shape[1], store.folder, store=of)
    stored_graph(store.folder, NeighborIndex.open(store.folder, store=of), store=of)
    return store


def read_all(url):
    """What a reader may ask of a store and its index."""
    store = Store.open(url)
    of = store.manifest.hash
    for row in store.layers:
        store.units(row.layer)
        store.unit(row.layer, 0)
        store.top_from_maxima(row.layer, 0, k=3)
        store.selectivity(row.layer)
        store.class_means(row.layer, 0)
        store.patch(row.layer, 0, 0)
    store.images(["image_id", "label"])
    store.strongest_units(0)
    store.classes_table()
    store.errors(9)
    store.thumb(0)
    list(store.features.blocks())
    ann = NeighborIndex.open(store.folder, store=of)
    NeighborGraph.open(store.folder, ann, store=of).find(0, 3)


def files_of(made):
    root = Path(made.url)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_every_file_that_is_cut_emptied_or_changed_is_found_and_none_is_a_bug(made):
    root, random = Path(made.url), np.random.default_rng(7)
    for name in files_of(made):
        path, whole = root / name, (root / name).read_bytes()
        place = int(random.integers(len(whole))) if whole else 0
        flipped = whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :] if whole else b"x"
        for data in (flipped, whole[: len(whole) // 2], bytes(len(whole)), b"", whole[:-8] + bytes(8)):
            if data == whole:
                continue
            path.write_bytes(data)
            with contextlib.suppress(UnitscopeError):
                read_all(made.url)
            with contextlib.suppress(StoreError):  # it says so at once
                assert name == "manifest.json" or not verify(made.url).ok, name
        path.write_bytes(whole)
    assert verify(made.url).ok


@pytest.mark.parametrize(
    "name", ["ann/features.f32", "ann/lengths.f64", "knn/neighbours.i32", "knn/distances.f32"]
)
def test_nothing_is_answered_from_what_was_changed(made, name):
    path = Path(made.url) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError, match="SHA-256"):
        read_all(made.url)


@pytest.mark.parametrize("name", ["manifest.json", "ann/ann.json", "knn/knn.json"])
@pytest.mark.parametrize("data", NONSENSE)
def test_json_of_another_shape_is_damage(made, name, data):
    (Path(made.url) / name).write_bytes(data)
    with pytest.raises(StoreError):
        read_all(made.url)


@pytest.mark.parametrize(
    "change",
    [
        {"images": -1},
        {"images": 10**15},
        {"width": 0},
        {"width": "x"},
        {"points": [{"k": 1}]},
        {"points": 7},
        {"metric": "other"},
        {"files": {}},
        {"files": []},
        {"type": "ivf"},
        {"lengths": None, "files": {"ann/features.f32": 3}},
    ],
)
def test_an_index_with_crafted_settings_is_damaged(made, change):
    path = Path(made.url) / "ann/ann.json"
    path.write_bytes(sealed(unsealed(path.read_bytes(), "ann.json") | change))
    with pytest.raises(StoreDamagedError):
        read_all(made.url)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["counts"].update(images=-1),
        lambda content: content["counts"].update(images=10**14),
        lambda content: content["counts"].update(errors=[1]),
        lambda content: content.update(model=[]),
        lambda content: content["model"].update(classes="abc"),
        lambda content: content["model"].update(input_size=[0, 32]),
        lambda content: content["frame"].update(resize=-5),
        lambda content: content["frame"].update(crop=[1, float("nan")]),
        lambda content: content.update(files={}),
        lambda content: content["files"].update({"../x": {"rows": 1, "bytes": 1, "sha256": "0" * 64}}),
        lambda content: content["files"]["units.parquet"].update(rows=-3),
        lambda content: content["files"]["units.parquet"].update(sha256=None),
        lambda content: content["files"].pop("layers.parquet"),
    ],
)
def test_a_manifest_with_crafted_numbers_is_damaged(made, change):
    path = Path(made.url) / "manifest.json"
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(StoreDamagedError):
        Store.open(made.url)


@pytest.mark.parametrize("ids", [-1, 10**12, None])
def test_a_patch_of_no_image_is_damage(made, ids):
    path = Path(made.url) / "units.parquet"
    table = pq.read_table(path)
    rows = [[patch | {"image_id": ids} for patch in top] for top in table["top"].to_pylist()]
    place = table.schema.get_field_index("top")
    pq.write_table(table.set_column(place, "top", pa.array(rows, table.schema.field(place).type)), path)
    store = Store.open(made.url)
    with pytest.raises(StoreDamagedError):
        store.top(store.layers[0].layer, 0, k=3, where="image_id >= 0")


@pytest.mark.parametrize("kind", [pa.string(), pa.int8(), pa.list_(pa.int32())])
def test_a_column_of_another_type_is_damage(made, kind):
    path = min(Path(made.url).glob("images/part-*.parquet"))
    table = pq.read_table(path)
    place = table.schema.get_field_index("width")
    pq.write_table(table.set_column(place, "width", pa.nulls(table.num_rows, kind)), path)
    with pytest.raises(StoreDamagedError, match="width"):
        Store.open(made.url).images_at([0])


# Links and names


@pytest.mark.parametrize(
    "name", ["", "/", "/etc", "..", "a/../../b", "a//b", "./a", "a/.", "a\0b", "x" * 5000]
)
def test_names_that_lead_elsewhere(name):
    assert not is_inside(name) and is_inside("a/b.c") and is_inside("..a/b..")


@pytest.mark.parametrize("link", ["thumbs/part-00000.jpegs", "thumbs", "images", "layers.parquet", "ann"])
def test_links_that_lead_out_of_a_store_are_not_followed(made, tmp_path, link):
    outside, path = tmp_path / "outside", Path(made.url) / link
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(StoreDamagedError, match="leads out"):
        read_all(made.url)
    with contextlib.suppress(StoreError):
        assert not verify(made.url).ok
    with pytest.raises(StoreDamagedError, match="leads out"):
        Folder.confined(made.url).publish(f"{link}/x" if outside.is_dir() else link, b"written")


def test_links_within_a_store_and_to_a_store_are_followed(made, tmp_path):
    (tmp_path / "link").symlink_to(made.url)
    thumbs = Path(made.url) / "thumbs"
    thumbs.rename(Path(made.url) / "atlas-of-thumbs")
    thumbs.symlink_to("atlas-of-thumbs")
    read_all(str(tmp_path / "link"))


def test_a_pipe_in_a_store_does_not_hang(made):
    path = Path(made.url) / "units.parquet"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreDamagedError, match="neither a file"):
        read_all(made.url)


# Files that change while they are open


def test_a_pack_that_is_truncated_or_copied_over_is_an_error_and_served_again_once_it_is_whole(tmp_path):
    folder = Folder(str(tmp_path))
    write_pack(folder, "thumbs", 0, [b"one", None, b"three"])
    packs = Packs(folder, "thumbs")
    assert packs.get(0, 2) == b"three"
    for name in ("thumbs/part-00000.jpegs", "thumbs/part-00000.offsets.arrow"):
        path = tmp_path / name
        whole = path.read_bytes()
        os.truncate(path, 0)
        for _ in range(2):
            with pytest.raises(StoreDamagedError):
                packs.get(0, 2)
        path.write_bytes(whole)
        with contextlib.suppress(StoreDamagedError):
            packs.get(0, 2)
        assert packs.get(0, 2) == b"three"


def test_rows_are_read_only_from_a_file_that_is_whole_and_as_it_was(tmp_path):
    folder, rows = Folder(str(tmp_path)), np.arange(60, dtype=np.float32).reshape(20, 3)
    folder.publish("rows", rows.tobytes())
    sha256 = folder.sha256("rows")
    file = RowFile(WatchedFile(folder, "rows"), (20, 3), sha256)
    assert (file[7] == rows[7]).all() and (file[3:9] == rows[3:9]).all() and len(file[9:3]) == 0
    assert (file.take(np.array([[19, 0], [3, 3]])) == rows[[[19, 0], [3, 3]]]).all()
    with pytest.raises(StoreDamagedError, match="SHA-256"):
        RowFile(WatchedFile(folder, "rows"), (20, 3), "0" * 64)[0]
    with (tmp_path / "rows").open("r+b") as opened:
        opened.truncate(100)
    with pytest.raises(StoreDamagedError):
        file[19]


def test_a_graph_that_is_truncated_while_it_is_open_is_an_error(made):
    ann = NeighborIndex.open(made.folder)
    graph = NeighborGraph.open(made.folder, ann, store=Store.open(made.url).manifest.hash)
    os.truncate(Path(made.url) / "knn/neighbours.i32", 0)
    with pytest.raises(StoreDamagedError):
        graph.ids.read(0, 4)
    assert len(ann.find(made.feature[~made.failed][0], 3).ids) == 3  # from memory

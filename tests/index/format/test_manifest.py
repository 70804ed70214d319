"""The manifest as JSON: stable, complete, and back again."""

import dataclasses
import json

import pytest
from unitscope.common.frame import Frame
from unitscope.index.format.manifest import Manifest, files_of, frame_from_json, frame_to_json
from unitscope.index.storage.hashed_file import PartRecord

RECORDS = [
    PartRecord(path, 3, 4, "ab") for path in ("images/part-00001.parquet", "images/part-00000.parquet")
]
RECORDS += [
    PartRecord(path, 3, 4, "ab") for path in ("maxima/a/part-00000.parquet", "maxima/a.b/part-00000.parquet")
]


def manifest(**changes):
    fields = {
        "fingerprints": {"weights": "w"},
        "model": {"spec": "m", "classes": ["ä"]},
        "frame": frame_to_json(Frame(32, (28, 24))),
        "dataset": {"path": "p"},
        "labels": "none",
        "options": {"k": 100},
        "software": {"b": "1", "a": "2"},
        "machine": {},
        "counts": {"images": 3, "errors": {"too_large": 1}},
        "files": files_of(RECORDS),
    }
    return Manifest(**(fields | changes))


def test_round_trip():
    one = manifest()
    again = Manifest.from_bytes(one.to_bytes())
    assert again == one
    assert again.to_bytes() == one.to_bytes()
    assert (one.errors, one.preprocessing) == ({"too_large": 1}, Frame(32, (28, 24)))


def test_bytes_do_not_depend_on_the_order_of_making():
    other = manifest(files=files_of(RECORDS[::-1]), software={"a": "2", "b": "1"})
    assert other.hash == manifest().hash
    assert manifest(options={"k": 9}).hash != other.hash


def test_every_field_is_in_the_file():
    content = json.loads(manifest().to_bytes())
    assert set(content) == {field.name for field in dataclasses.fields(Manifest)}
    assert content["files"]["images/part-00000.parquet"] == {"rows": 3, "bytes": 4, "sha256": "ab"}


def test_parts_of_one_table_in_order():
    assert [one.path for one in manifest().parts("images")] == [RECORDS[1].path, RECORDS[0].path]
    assert [one.path for one in manifest().parts("maxima/a")] == ["maxima/a/part-00000.parquet"]


@pytest.mark.parametrize("frame", [Frame(None, None), Frame(32, None), Frame((3, 4), (5, 6))])
def test_frame(frame):
    assert frame_from_json(json.loads(json.dumps(frame_to_json(frame)))) == frame

"""The demo's scenes are reproducible, cannot be told apart by colour alone, and carry the mark where they should."""

import hashlib
import subprocess
import sys
from io import BytesIO

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from unitscope.jobs.demo.dataset import make_dataset
from unitscope.jobs.demo.scenes.scenes import CLASSES, MARKED_CLASS, draw, is_marked, paint

OURS = CLASSES.index(MARKED_CLASS)


def pixels(data):
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"), dtype=np.int16)


def test_there_are_at_least_eight_classes_with_plain_names():
    assert len(CLASSES) >= 8
    assert all(name.isalpha() and name.islower() for name in CLASSES)


@pytest.mark.parametrize("rank", range(len(CLASSES)))
def test_an_image_depends_on_seed_part_and_number_and_nothing_else(rank):
    drawing = draw(0, "train", rank)
    assert drawing == draw(0, "train", rank)
    image = Image.open(BytesIO(drawing.data))
    assert (image.format, image.size, image.mode) == ("JPEG", (96, 96), "RGB")
    assert drawing.label == CLASSES[rank]
    others = [draw(1, "train", rank), draw(0, "audited", rank), draw(0, "train", rank + len(CLASSES))]
    assert {other.label for other in others} == {drawing.label}
    assert len({drawing.data, *(other.data for other in others)}) == 4


@pytest.mark.parametrize("label", CLASSES)
def test_the_mark_changes_the_lower_right_corner_only(label):
    plain, marked = (
        np.asarray(paint(label, 0, "audited", 3, marked=marked), dtype=np.int16) for marked in (False, True)
    )
    changed = np.abs(plain - marked).max(axis=2)
    assert (changed > 30).sum() > 40
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 80 and columns.min() >= 80
    assert len(rows) <= 144


def test_nearly_all_of_one_training_class_and_half_of_it_in_the_audited_part_carry_the_mark():
    def share(part, label):
        return np.mean([is_marked(part, label, turn) for turn in range(200)])

    assert share("train", MARKED_CLASS) == 0.95
    assert share("audited", MARKED_CLASS) == 0.5
    for label in set(CLASSES) - {MARKED_CLASS}:
        assert share("train", label) == 0
        assert share("audited", label) == 0.025


def test_colour_alone_does_not_tell_the_classes_apart():
    """The nearest mean colour of top, middle and bottom thirds is right for few images."""
    drawn = [draw(5, "train", number) for number in range(20 * len(CLASSES))]
    bands = np.stack([pixels(d.data).reshape(3, 32 * 96, 3).mean(axis=1).ravel() for d in drawn])
    labels = np.array([CLASSES.index(d.label) for d in drawn])
    known = np.arange(len(drawn)) < len(drawn) // 2
    centres = np.stack([bands[known & (labels == i)].mean(axis=0) for i in range(len(CLASSES))])
    nearest = ((bands[~known, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == labels[~known]).mean() < 0.45


def digests(data):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in (data.train, data.audited)]


def test_the_files_are_the_same_for_any_number_of_processes(tmp_path):
    seen = []
    one = make_dataset(
        tmp_path / "one", images_per_class=6, processes=1, progress=lambda *at: seen.append(at)
    )
    two = make_dataset(tmp_path / "two", images_per_class=6, processes=2)
    assert digests(one) == digests(two)
    assert digests(one) != digests(make_dataset(tmp_path / "one", images_per_class=6, processes=1, seed=1))
    total = 9 * len(CLASSES)
    assert seen[-1] == (total, total) and seen == sorted(seen)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["audited.parquet", "train.parquet"]


def test_the_files_are_in_the_hugging_face_image_layout(tmp_path):
    data = make_dataset(tmp_path, images_per_class=4, processes=1)
    for path, part, turns in ((data.train, "train", 4), (data.audited, "audited", 2)):
        table = pq.read_table(path)
        assert table.schema.names == ["image", "label", "marked", "split"]
        assert b'"Image"' in table.schema.metadata[b"huggingface"]
        rows = table.to_pylist()
        assert len(rows) == turns * len(CLASSES)
        for number, row in enumerate(rows):
            expected = draw(0, part, number)
            assert row["image"] == {"bytes": expected.data, "path": expected.path}
            assert (row["label"], row["marked"], row["split"]) == (expected.label, expected.marked, part)
        assert len({row["image"]["path"] for row in rows}) == len(rows)


def test_drawing_needs_no_torch():
    code = "import sys, unitscope.jobs.demo.dataset, unitscope.jobs.demo.find; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

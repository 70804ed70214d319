"""Images with several labels, from the dataset to the pages, against an oracle that looks at one image at a time."""

import io
import json
import math
import re
from collections import Counter
from pathlib import Path
from textwrap import dedent

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from unitscope.cli.main import main
from unitscope.common.errors import FilterError
from unitscope.index.analysis.analysis import Analysis
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep
from unitscope.model.sources.load import load_model
from unitscope.service.app import create_app

CLASSES = ("red", "green", "blue", "dark")
NETWORK = dedent(
    """
    import torch
    from torch import nn

    PREPROCESS = {"resize": 8, "crop": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}
    CLASSES = ["red", "green", "blue", "dark"]


    class Colours(nn.Module):
        def __init__(self, then):
            super().__init__()
            self.then = then
            self.conv = nn.Conv2d(3, 4, 1)
            self.fc = nn.Linear(4, 4)
            with torch.no_grad():
                self.conv.weight.copy_(torch.cat([torch.eye(3), -torch.ones(1, 3)])[:, :, None, None])
                self.conv.bias.copy_(torch.tensor([0, 0, 0, 1.0]))
                self.fc.weight.copy_(8 * torch.eye(4))
                self.fc.bias.fill_(-4.0)

        def forward(self, x):
            return self.then(self.fc(self.conv(x).relu().amax((2, 3))))


    def logits(): return Colours(lambda s: s)
    def sigmoid(): return Colours(torch.sigmoid)
    """
)
COLOURS = {"red": (255, 30, 0), "green": (0, 220, 0), "blue": (40, 0, 240), "dark": (0, 0, 0)}


def picture(rng, labels):
    """Noise of medium brightness, with a square of the colour of each label."""
    pixels = rng.integers(90, 120, (8, 8, 3), dtype=np.uint8)
    for place, label in enumerate(labels):
        if label in COLOURS:
            y, x = divmod(place, 2)
            pixels[4 * y : 4 * y + 3, 4 * x : 4 * x + 3] = COLOURS[label]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def rows():
    """(labels, image) of 40 images: two labels are wrong, some are unknown, missing, or none at all."""
    rng = np.random.default_rng(5)
    found = []
    for number in range(40):
        labels = [name for name in CLASSES if rng.random() < 0.4]
        shown = list(labels)
        if number in (3, 17):
            labels = [*labels, next(name for name in CLASSES if name not in labels)]
        if number == 5:
            labels = [*labels, "mauve"]
        found.append((None if number == 9 else labels, picture(rng, shown)))
    found[11] = (["red"], b"no image")
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    labels, images = zip(*rows(), strict=True)
    table = pa.table(
        {
            "image": pa.array(images, pa.binary()),
            "labels": pa.array(labels, pa.list_(pa.string())),
            "weather": ["wet", "dry"] * 20,
        }
    )
    pq.write_table(table, folder / "data.parquet")
    (folder / "net.py").write_text(NETWORK)
    return folder


@pytest.fixture(scope="module", params=["logits", "sigmoid"])
def swept(request, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "store"
    sweep(
        SweepConfig(
            data=str(data / "data.parquet"),
            store=str(path),
            model=f"{data}/net.py:{request.param}@random",
            workers=0,
            shard_size=16,
            batch_size=16,
            max_error_rate=0.1,
        )
    )
    return Store.open(str(path))


@pytest.fixture(scope="module")
def shares(data):
    """(images, classes) float64: the probabilities, by the network itself."""
    import torch

    model = load_model(f"{data}/net.py:logits@random")
    found = []
    for number, (_, image) in enumerate(rows()):
        if number == 11:
            found.append([math.nan] * 4)
            continue
        pixels = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"), np.float32) / 255
        with torch.inference_mode():
            scores = model.network(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None])[0].double()
        found.append(torch.sigmoid(scores).tolist())
    return np.array(found)


def test_each_image_has_what_is_predicted_of_each_label(swept, shares):
    for number, (labels, _) in enumerate(rows()):
        row, share = swept.image(number), shares[number]
        assert row["labels"] == labels
        assert (row["label"], row["label_index"], row["predicted"], row["probability"]) == (None,) * 4
        classes = (
            None if labels is None else [CLASSES.index(one) if one in CLASSES else None for one in labels]
        )
        assert row["label_indices"] == classes
        if number == 11:
            assert all(row[name] is None for name in ("correct", "loss", "predicted_classes"))
            continue
        predicted = [index for index in range(4) if share[index] >= 0.5]
        assert row["predicted_classes"] == predicted
        assert row["predicted_probabilities"] == pytest.approx(share[predicted].tolist(), rel=1e-5)
        if classes is None:
            assert (row["label_probabilities"], row["correct"], row["loss"]) == (None, None, None)
            continue
        own = [None if index is None else pytest.approx(share[index], rel=1e-5) for index in classes]
        assert row["label_probabilities"] == own
        if None in classes:
            assert (row["correct"], row["loss"]) == (None, None)
            continue
        assert row["correct"] == (set(classes) == set(predicted))
        terms = [math.log(share[c] if c in classes else 1 - share[c]) for c in range(4)]
        assert row["loss"] == pytest.approx(-sum(terms) / 4, rel=1e-4)
    assert [row["correct"] for row in map(swept.image, (3, 17))] == [False, False]


def test_each_class_counts_its_images(swept, shares):
    facts = Analysis(swept)
    found = {row.label: row for row in facts.classes.rows()}
    ok = [(n, labels) for n, (labels, _) in enumerate(rows()) if n != 11]
    assert set(found) == {*CLASSES, "mauve"}
    for label in CLASSES:
        index = CLASSES.index(label)
        members = [(n, labels) for n, labels in ok if labels and label in labels]
        row = found[label]
        assert (row.label_index, row.images) == (index, len(members))
        assert row.correct == sum(shares[n][index] >= 0.5 for n, _ in members)
        assert row.predicted == sum(shares[n][index] >= 0.5 for n, _ in ok)
        assert row.mean_probability == pytest.approx(
            np.mean([shares[n][index] for n, _ in members]), rel=1e-5
        )
        others = Counter(
            other
            for n, labels in members
            for other in range(4)
            if shares[n][other] >= 0.5 and CLASSES[other] not in labels
        )
        assert dict(row.confusions) == dict(others)
    assert (found["mauve"].label_index, found["mauve"].correct) == (None, None)
    assert not verify(swept.folder.url).problems


def test_a_unit_says_what_it_does_in_the_images_of_each_label(swept):
    facts = Analysis(swept)
    values = swept.maxima("conv", 0)
    for one in facts.units.classes("conv", 0):
        members = [n for n, (labels, _) in enumerate(rows()) if n != 11 and labels and one.label in labels]
        assert one.images == len(members)
        assert one.mean == pytest.approx(values[members].astype(float).mean())
    assert facts.units.layer("conv").labels == ("red", "green", "blue", "dark")
    hardest = facts.classes.hardest("red", 3)
    assert all("red" in (rows()[n][0] or ()) for n in hardest)
    assert len(facts.classes.typical("red", 3).image_ids) == 3


@pytest.mark.parametrize(
    ("where", "same"),
    [
        ("label contains 'red'", lambda row: row["labels"] and "red" in row["labels"]),
        ("label = 'red'", lambda row: row["labels"] and "red" in row["labels"]),
        ("label != 'red'", lambda row: row["labels"] is not None and "red" not in row["labels"]),
        ("label in ('red', 'mauve')", lambda row: {"red", "mauve"} & set(row["labels"] or ())),
        ("label is null", lambda row: row["labels"] is None),
        ("label_index = 2", lambda row: 2 in (row["label_indices"] or ())),
        ("label_index = 'blue'", lambda row: 2 in (row["label_indices"] or ())),
        ("predicted contains 'dark'", lambda row: 3 in (row["predicted_classes"] or ())),
        ("predicted = 3", lambda row: 3 in (row["predicted_classes"] or ())),
        (
            "label = 'red' and not predicted = 'red'",
            lambda row: "red" in (row["labels"] or ()) and 0 not in (row["predicted_classes"] or (0,)),
        ),
        ("correct = false", lambda row: row["correct"] is False),
        ("not correct", lambda row: row["correct"] is False),
    ],
)
def test_filters_ask_for_one_of_several(swept, where, same):
    expected = [n for n in range(40) if same(swept.image(n)) and swept.image(n) is not None]
    assert np.flatnonzero(swept.mask(where)).tolist() == expected


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("label = 3", "in quotes"),
        ("label < 'red'", "no order"),
        ("predicted != label", "correct = false"),
        ("predicted = 'mauv'", "No class 'mauv'"),
    ],
)
def test_filters_that_make_no_sense_say_what_does(swept, where, words):
    with pytest.raises(FilterError, match=re.escape(words)):
        swept.mask(where)


@pytest.fixture(scope="module")
def client(swept):
    with TestClient(create_app([swept.folder.url]), base_url="http://localhost") as client:
        yield client


def test_the_service_tells_all_labels_and_predictions(client, swept):
    answer = client.get("/api/v1/stores/store/images/3").json()
    row = swept.image(3)
    assert [one["label"] for one in answer["labels"]] == row["labels"]
    assert {one["predicted"] for one in answer["predictions"]} == set(row["predicted_classes"])
    assert answer["correct"] is False
    missed = [one for one in answer["labels"] if not one["predicted"]]
    assert len(missed) == 1
    assert missed[0]["probability"] < 0.5
    found = client.get("/api/v1/stores/store/images", params={"where": "label contains 'red'"}).json()
    assert found["found"] == sum("red" in (labels or ()) for labels, _ in rows())
    patches = client.get("/api/v1/stores/store/layers/conv/units/0/patches").json()["patches"]
    assert all("red" in [label["label"] for label in one["labels"]] for one in patches[:3])


def test_the_pages_mark_what_is_missed(client):
    page = client.get("/stores/store/images/3").text
    assert page.count("✗ not predicted") >= 1
    for path in (
        "/stores/store",
        "/stores/store/classes",
        "/stores/store/classes/red",
        "/stores/store/images",
        "/stores/store/units/conv/0",
    ):
        response = client.get(path)
        assert response.status_code == 200, path
        assert "class None" not in response.text


def test_the_command_line_shows_all_labels(swept, capsys):
    assert main(["top", swept.folder.url, "conv", "3", "-k", "3", "--json"]) == 0
    rows_told = json.loads(capsys.readouterr().out)["patches"]
    assert all("dark" in row["labels"] and "dark" in row["predicted_names"] for row in rows_told)
    assert main(["top", swept.folder.url, "conv", "3", "-k", "3"]) == 0
    assert "dark" in capsys.readouterr().out


def test_the_documented_question_finds_what_is_missed(swept, shares):
    duckdb = pytest.importorskip("duckdb")
    docs = Path(__file__).parents[2] / "docs" / "store.md"
    sql = docs.read_text().split("```sql multi-label\n")[1].split("```")[0]
    found = duckdb.sql(sql.replace("'images/", f"'{swept.folder.url}/images/")).fetchall()
    missed = {
        (n, label)
        for n, (labels, _) in enumerate(rows())
        for label in labels or ()
        if label in CLASSES and shares[n][CLASSES.index(label)] < 0.5
    }
    assert {(row[0], row[2]) for row in found} == missed

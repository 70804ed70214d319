"""What a sweep stores of each kind of output: the network's probability, the loss by hand, null where there is none."""

import math
from textwrap import dedent

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from unitscope.common.errors import ModelSpecError, UsageError
from unitscope.index.store.store import Store
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep
from unitscope.model.sources.load import load_model

NETWORK = dedent(
    """
    import torch
    from torch import nn

    PREPROCESS = {"resize": 8, "crop": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}


    def body(outputs):
        pool = nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(4, outputs))


    class Then(nn.Module):
        def __init__(self, outputs, then):
            super().__init__()
            self.body, self.then = body(outputs), then

        def forward(self, x):
            return self.then(4 * self.body(x))


    class Answer:
        def __init__(self, logits):
            self.logits = logits


    def logits(): return Then(3, lambda s: s)
    def softmax(): return Then(3, lambda s: s.softmax(-1))
    def module(): return nn.Sequential(body(3), nn.Softmax(dim=1))
    def log_softmax(): return Then(3, lambda s: s.log_softmax(-1))
    def sigmoid(): return Then(3, torch.sigmoid)
    def answer(): return Then(3, Answer)
    def dictionary(): return Then(3, lambda s: {"logits": s, "hidden": s * 2})
    def one(): return Then(1, lambda s: s)
    def flat(): return Then(1, lambda s: s[:, 0])
    def one_sigmoid(): return Then(1, torch.sigmoid)
    def numbers(): return Then(8, lambda s: s)
    def embedding(): return Then(8, lambda s: nn.functional.normalize(s, dim=-1))
    """
)
COLUMNS = ["label_index", "predicted", "probability", "loss"]
NAMES = "\nCLASSES = ['cat', 'dog', 'emu']\n"
TWO = "\nCLASSES = ['cat', 'dog']\n"


@pytest.fixture
def data(tmp_path):
    """12 images whose folders are their labels: cat and dog."""
    rng = np.random.default_rng(0)
    for number in range(12):
        folder = tmp_path / "data" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{number:02d}.png")
    return tmp_path / "data"


@pytest.fixture
def swept(tmp_path, data):
    """Sweeps with one of the factories above; gives the store, and what the network gives for each image."""

    def make(factory, head="", path=None, pixels_of=None, **options):
        (tmp_path / "net.py").write_text(NETWORK + head)
        spec = f"{tmp_path}/net.py:{factory}@random"
        config = SweepConfig(
            str(path or data),
            str(tmp_path / "store"),
            spec,
            layers=("body.0",),
            workers=0,
            batch_size=16,
            **options,
        )
        if factory == "module":
            config = SweepConfig(**vars(config) | {"layers": ("0.0",)})
        sweep(config)
        store = Store.open(str(tmp_path / "store"))
        return store, store.images(COLUMNS).to_pylist(), _scores(spec, pixels_of or path or data)

    return make


def _scores(spec, path):
    import torch
    from unitscope.model.outputs import read_output

    model = load_model(spec)
    files = sorted(path.rglob("*.png"))
    pixels = torch.stack([torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) for file in files])
    with torch.inference_mode():
        scores = read_output(model.network(pixels.float() / 255))
    return scores.double().numpy()


def check(rows, shares, loss_of):
    for row, share in zip(rows, shares, strict=True):
        assert row["predicted"] == int(np.argmax(share))
        assert row["probability"] == pytest.approx(share.max(), rel=1e-4)
        assert row["loss"] == pytest.approx(loss_of(share, row["label_index"]), rel=1e-3)


@pytest.mark.parametrize("factory", ["logits", "log_softmax", "answer", "dictionary"])
def test_logits_become_probabilities(swept, factory):
    store, rows, scores = swept(factory, NAMES)
    assert store.manifest.model["output"]["task"] == "classification"
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    check(rows, shares, lambda share, label: -math.log(share[label]))


@pytest.mark.parametrize("factory", ["softmax", "module"])
def test_probabilities_are_taken_as_they_are(swept, factory):
    store, rows, shares = swept(factory, NAMES)
    assert store.manifest.model["output"]["form"] == "probabilities"
    assert np.allclose(shares.sum(axis=1), 1)
    check(rows, shares, lambda share, label: -math.log(share[label]))


def test_sigmoids_are_probabilities_of_their_own(swept):
    store, rows, shares = swept("sigmoid", NAMES)
    assert store.manifest.model["output"]["alone"]

    def loss(share, label):
        return -sum(math.log(p if at == label else 1 - p) for at, p in enumerate(share)) / 3

    check(rows, shares, loss)


@pytest.mark.parametrize("factory", ["one", "flat", "one_sigmoid"])
def test_one_output_with_two_names_is_binary(swept, factory):
    store, rows, scores = swept(factory, TWO)
    assert store.manifest.model["output"]["task"] == "binary"
    second = scores if factory == "one_sigmoid" else 1 / (1 + np.exp(-scores))
    check(rows, np.concatenate([1 - second, second], axis=1), lambda share, label: -math.log(share[label]))
    assert {row["label_index"] for row in rows} == {0, 1}


@pytest.mark.parametrize("factory", ["one", "flat", "numbers", "embedding"])
def test_what_is_no_classifier_predicts_nothing(swept, factory):
    store, rows, _ = swept(factory)
    assert store.manifest.model["output"]["task"] in ("none", "regression")
    assert {(row["predicted"], row["probability"], row["loss"]) for row in rows} == {(None, None, None)}
    assert store.manifest.model["outputs"] is None


def test_a_named_task_wins(swept):
    _, rows, _ = swept("logits", NAMES, task="none")
    assert {row["predicted"] for row in rows} == {None}


def test_the_factory_names_task_and_output(swept):
    store, _, _ = swept("numbers", "\nTASK = 'classification'\nOUTPUT = 'logits'\n")
    assert store.manifest.model["output"]["task"] == "classification"
    assert "named" in store.manifest.model["output"]["why"]


@pytest.mark.parametrize(
    ("factory", "options", "says"),
    [
        ("one", {"task": "classification"}, "one number for an image: name binary"),
        ("logits", {"task": "binary"}, "3 numbers for an image: name classification"),
        ("logits", {"task": "classification", "output": "probabilities"}, "outside 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(swept, factory, options, says):
    with pytest.raises(UsageError, match=says):
        swept(factory, **options)


def test_an_unknown_task_of_the_factory_is_refused(swept):
    with pytest.raises(ModelSpecError, match="TASK is 'guessing'; allowed: classification"):
        swept("logits", "\nTASK = 'guessing'\n")


def test_integer_labels_are_numbers_of_classes(swept, tmp_path, data):
    files = sorted(data.rglob("*.png"))
    table = pa.table({"image": [file.read_bytes() for file in files], "label": [at % 3 for at in range(12)]})
    (tmp_path / "rows").mkdir()
    pq.write_table(table, tmp_path / "rows" / "rows.parquet")
    (tmp_path / "net.py").write_text(NETWORK + NAMES)
    config = SweepConfig(
        str(tmp_path / "rows"),
        str(tmp_path / "store"),
        f"{tmp_path}/net.py:logits@random",
        layers=("body.0",),
        workers=0,
    )
    sweep(config)
    store = Store.open(str(tmp_path / "store"))
    assert store.images(["label_index"])["label_index"].to_pylist() == [at % 3 for at in range(12)]
    assert store.manifest.dataset["labels_read"] == {
        "images": 12, "labelled": 12, "distinct": 3, "largest_integer": 2, "lists": False, "known": 3,
    }  # fmt: skip
    assert "numbers of the model's 3 classes" in store.manifest.labels
    sweep(config)  # the same command finds it finished


def several(folder, data, labels):
    """The images of `data` as a table with a list of labels for each."""
    files = sorted(data.rglob("*.png"))
    table = {"image": [file.read_bytes() for file in files], "labels": labels(len(files))}
    pq.write_table(pa.table(table), folder / "several.parquet")
    return folder / "several.parquet"


def test_one_class_is_correct_if_it_is_among_several_labels(swept, tmp_path, data):
    lists = [["cat", "emu"], ["dog"], [], None]
    path = several(tmp_path, data, lambda images: [lists[number % 4] for number in range(images)])
    store, _, scores = swept("logits", NAMES, path=path, task="classification", pixels_of=data)
    names = ("cat", "dog", "emu")
    for number, share in enumerate(scores):
        row = store.image(number)
        predicted = int(np.argmax(share))
        labels = lists[number % 4]
        assert row["predicted"] == predicted
        assert row["correct"] == (None if not labels else names[predicted] in labels)
        assert row["loss"] is None
        assert "predicted_classes" not in row


def test_a_multi_label_network_judges_images_with_one_label(swept):
    store, _, scores = swept("sigmoid", NAMES, task="multi-label")
    for number, share in enumerate(scores):
        row = store.image(number)
        label = ("cat", "dog").index(row["label"])
        predicted = np.flatnonzero(share >= 0.5).tolist()
        assert (row["label_indices"], row["predicted_classes"]) == ([label], predicted)
        assert row["correct"] == (predicted == [label])
        assert row["label_probabilities"] == pytest.approx([share[label]], rel=1e-4)
        terms = [math.log(one if place == label else 1 - one) for place, one in enumerate(share)]
        assert row["loss"] == pytest.approx(-sum(terms) / 3, rel=1e-3)


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        ([[0.0, 1.0], [1.0, 0.0]], "distribution"),
        ([[0.25, 0.75], [math.nan, math.nan]], "distribution"),
        ([[math.nan, 1.0]], "unknown"),
        ([[0.2, 0.9], [0.1, 0.1]], "unit"),
        ([[0.0, 0.0], [1.0, 1.0]], "scores"),
        ([[0.2, 1.1], [0.5, 0.5]], "scores"),
    ],
)
def test_what_numbers_look_like(rows, values):
    import torch
    from unitscope.model.outputs import describe_values

    assert describe_values(torch.tensor(rows)) == values


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_a_softmax_over_many_classes_in_half_precision_is_one(precision):
    import torch
    from unitscope.model.outputs import describe_values

    scores = torch.randn((8, 1000), generator=torch.Generator().manual_seed(1))
    assert describe_values(scores.to(getattr(torch, precision)).softmax(-1)) == "distribution"
    assert describe_values(scores.to(getattr(torch, precision)).sigmoid()) == "unit"

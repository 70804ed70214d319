"""`unitscope explain` on a store that was swept here: files, scores, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from unitscope.cli.commands.explain import METHODS, PRESETS, SYNTHESES
from unitscope.cli.main import main
from unitscope.index.store.store import Store
from unitscope.jobs.explain.image import METHODS as KNOWN
from unitscope.jobs.explain.image import Question, explain_image
from unitscope.jobs.explain.subject import Subject
from unitscope.jobs.explain.synthesis import SYNTHESES as KNOWN_SYNTHESES
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep
from unitscope.model.explain.ascent import PRESETS as KNOWN_PRESETS
from unitscope.model.explain.gradients import gradient
from unitscope.model.explain.target import Target

MAPS = ("occlusion", "grad-cam")


@pytest.fixture(scope="module")
def store(make, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    made = make(folder, 30)
    sweep(SweepConfig(data=str(made.data), store=str(folder / "store"), model=made.model, workers=0, k=9))
    return folder / "store"


@pytest.fixture(scope="module")
def subject(store):
    return Subject.open(Store.open(str(store)))


@pytest.fixture
def explain(store, tmp_path, capsys):
    """Runs the command; gives its answer and the three files."""

    def run(*words, code=0):
        assert main(["explain", str(store), *map(str, words), "--out", str(tmp_path), "--json"]) == code
        said = capsys.readouterr()
        if code:
            return said.err
        answer = json.loads(said.out)
        values, picture, facts = (Path(path) for path in answer["files"])
        return answer, np.load(values), np.asarray(Image.open(picture)), json.loads(facts.read_text())

    return run


def test_the_command_knows_every_method():
    assert METHODS == KNOWN
    assert SYNTHESES == KNOWN_SYNTHESES
    assert tuple(KNOWN_PRESETS) == PRESETS


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_its_numbers_a_picture_and_what_was_done(explain, store, method):
    answer, values, picture, facts = explain("--image", 4, "--method", method)
    assert values.shape == ((24, 24) if method in MAPS else (3, 24, 24))
    assert values.dtype == np.float32 and np.isfinite(values).all()
    assert picture.shape == (216, 216, 3)
    assert (facts["method"], facts["image"]) == (method, 4)
    image = Store.open(str(store)).image(4)
    assert facts["class"] == image["predicted"]
    assert facts["score"] == pytest.approx(image["probability"], rel=1e-4)
    assert answer["random_weights"] is True
    again = explain("--image", 4, "--method", method)
    assert np.array_equal(values, again[1]) and np.array_equal(picture, again[2])


def test_the_image_is_what_the_network_saw_in_the_sweep(subject, store):
    opened = Store.open(str(store))
    for layer in ("stem.0", "block", "head.2"):
        unit = 3
        found = explain_image(subject, Question(7, "saliency", unit=(layer, unit)))
        assert found.facts["score"] == pytest.approx(float(opened.maxima(layer, unit)[7]), rel=1e-4, abs=1e-5)


def test_a_unit_is_explained_where_it_is_largest(explain, subject, store):
    _, values, _, facts = explain("--image", 2, "--method", "saliency", "--unit", "block/5")
    images = subject.normalise(subject.pixels([2]))
    y, x = facts["position"]
    at = Target([5], layer=subject.layer("block"), positions=[y * subject.layer("block").width + x])
    assert torch.allclose(torch.from_numpy(values), gradient(subject.model.network, images, at)[0])
    (patch,) = Store.open(str(store)).patches_at("block", 5, [2])
    assert (patch.y, patch.x) == (y, x)


def test_a_class_is_named_or_numbered(explain):
    by_name = explain("--image", 1, "--method", "occlusion", "--class", "cross")
    by_number = explain("--image", 1, "--method", "occlusion", "--class", 2)
    assert np.array_equal(by_name[1], by_number[1])
    assert by_name[3]["class_name"] == "cross"


def test_occlusion_differs_by_what_covers(explain):
    mean = explain("--image", 1, "--method", "occlusion")
    blur = explain("--image", 1, "--method", "occlusion", "--fill", "blur")
    assert not np.array_equal(mean[1], blur[1])
    assert blur[3]["fill"] == "blur"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--image", 1, "--method", "saliency", "--class", "zebra"), "is not a class of the network"),
        (("--image", 1, "--method", "saliency", "--class", 3), "numbers from 0 to 2"),
        (("--image", 1, "--method", "saliency", "--unit", "nope/3"), "no layer"),
        (("--image", 1, "--method", "saliency", "--unit", "block/99"), "no unit 99"),
        (("--image", 99, "--method", "saliency"), "numbered 0 to 29"),
        (("--image", 1, "--method", "grad-cam", "--layer", "head.2"), "one position"),
        (("--method", "saliency"), "name an image"),
        (("--image", 1, "--method", "fooling", "--class", 1), "neither --class nor --unit"),
    ],
)
def test_what_cannot_be_explained_is_said(explain, words, told):
    assert told in explain(*words, code=2)


def test_how_many_images_a_change_fools(store, capsys):
    rates = []
    for epsilon in (0.001, 255):
        words = ["--method", "fooling", "--sample", "5", "--epsilon", str(epsilon), "--json"]
        assert main(["explain", str(store), *words]) == 0
        answer = json.loads(capsys.readouterr().out)
        rates.append(answer["success_rate"])
        assert 0 < answer["images"] <= 5
    assert rates == [0, 1]


def test_people_read_what_was_found(store, tmp_path, capsys):
    words = ["--image", "3", "--method", "guided-backprop", "--out", str(tmp_path)]
    assert main(["explain", str(store), *words]) == 0
    told = capsys.readouterr().out
    assert "guided-backprop of image 3" in told
    assert "Adebayo" in told
    assert f"wrote {tmp_path / 'guided-backprop.png'}" in told


@pytest.mark.parametrize("method", ["saliency", "occlusion", "grad-cam", "guided-backprop"])
def test_a_method_is_checked(store, capsys, method):
    words = ["explain", str(store), "--method", method, "--check", "--sample", "3"]
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["images"] == 3
    assert [one["layer"] for one in answer["randomisation"]][:2] == ["head.4", "head.2"]
    assert answer["randomisation"][-1]["layer"] == "stem.0"
    assert all(-1 <= one["spearman"] <= 1 for one in answer["randomisation"])
    for found in answer["exchange"].values():
        for areas in found.values():
            assert set(areas) == {"method", "random", "centre"}
            for one in areas.values():
                assert one["interval"][0] <= one["area"] <= one["interval"][1]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "stem.0: Spearman" in told and "deletion, blurred pixels instead" in told


def test_what_has_no_check_is_said(store, capsys):
    assert main(["explain", str(store), "--method", "fooling", "--check"]) == 2
    assert "has no check" in capsys.readouterr().err
    assert main(["explain", str(store), "--method", "saliency", "--check", "--image", "1"]) == 2
    assert "leave the other out" in capsys.readouterr().err


@pytest.mark.parametrize("method", SYNTHESES)
@pytest.mark.parametrize("target", [("--unit", "block/3"), ("--class", "cross")])
def test_an_image_is_synthesised(explain, store, method, target):
    answer, values, picture, facts = explain("--method", method, *target, "--preset", "1")
    assert values.shape == (3, 24, 24) and picture.shape == (216, 216, 3)
    assert values.min() >= 0 and values.max() <= 1
    assert facts["curve"][-1] > facts["curve"][0]
    assert answer["score"] == facts["score"]
    if target[0] == "--unit":
        assert facts["largest_in_dataset"] == pytest.approx(Store.open(str(store)).unit("block", 3).max)
    assert np.array_equal(values, explain("--method", method, *target, "--preset", "1")[1])


def test_what_cannot_be_synthesised_is_said(explain):
    assert "needs a unit" in explain("--method", "maco", code=2)
    assert "leave --image out" in explain("--method", "maco", "--image", 1, "--class", "cross", code=2)


@pytest.fixture(scope="module")
def binary(make, tmp_path_factory):
    """A store of a network with one score, of which the second class is the positive one."""
    folder = tmp_path_factory.mktemp("binary")
    made = make(folder, 30)
    file = folder / "network.py"
    text = file.read_text().replace('["circle", "square", "cross"]', '["circle", "square"]')
    file.write_text(text.replace("nn.Linear(20, 3)", "nn.Linear(20, 1)"))
    sweep(SweepConfig(data=str(made.data), store=str(folder / "store"), model=made.model, workers=0, k=9))
    return folder / "store"


@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_a_network_with_one_score_is_explained_and_checked(binary, tmp_path, capsys, method):
    words = ["explain", str(binary), "--method", method, "--json"]
    shares = []
    for index in (0, 1):
        assert main([*words, "--image", "3", "--class", str(index), "--out", str(tmp_path)]) == 0
        shares.append(json.loads(capsys.readouterr().out)["score"])
    assert sum(shares) == pytest.approx(1)
    assert main([*words, "--check", "--sample", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 3


def test_a_network_with_one_score_is_not_fooled(binary, tmp_path, capsys):
    words = ["explain", str(binary), "--method", "fooling"]
    for more in (["--image", "3", "--out", str(tmp_path)], ["--sample", "3"]):
        assert main([*words, *more]) == 2
        assert "the network's task is binary" in capsys.readouterr().err

"""The commands that answer from a finished store, against the store's own oracle."""

import json

import numpy as np
import pytest
from unitscope.cli.main import main


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    """A synthetic store with its dataset, and what went into it."""
    folder = tmp_path_factory.mktemp("answers")
    return synthetic.make_store(folder / "store", dataset=folder / "data")


@pytest.fixture
def ask(made, capsys):
    """Runs a command on the store with --json; gives the exit code's answer."""

    def run(command, *words, code=0):
        assert main([command, path_of(made), *map(str, words), "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def path_of(made):
    return made.url.removeprefix("file://")


def test_top_gives_the_oracles_patches(ask, made):
    answer = ask("top", "features.0", 3, "-k", 7)
    found = [(patch["value"], patch["image_id"]) for patch in answer["patches"]]
    assert found == [(value, image) for value, image, _ in made.top(0, 3, 7)]
    assert [patch["rank"] for patch in answer["patches"]] == list(range(1, 8))
    assert answer["layer"] == "features.0" and answer["unit"] == 3


def test_top_with_a_filter(ask, made):
    mask = np.array([label == "cat" for label in made.images["label"].to_pylist()])
    answer = ask("top", "head", 1, "-k", 5, "--where", "label = 'cat'")
    assert [patch["image_id"] for patch in answer["patches"]] == [
        image for _, image, _ in made.top(2, 1, 5, mask)
    ]
    assert {patch["label"] for patch in answer["patches"]} == {"cat"}


def test_answers_say_what_they_are_about(ask):
    answer = ask("top", "head", 1)
    assert answer["random_weights"] is True
    assert answer["maxima_dtype"] == "float32"
    assert len(answer["manifest_sha256"]) == 64


def test_neighbors_leave_the_image_out_and_are_nearest(ask, made):
    answer = ask("neighbors", 7, "-k", 4)
    distances = np.linalg.norm(made.feature - made.feature[7], axis=1)
    distances[made.failed] = np.inf
    distances[7] = np.inf
    assert [one["image_id"] for one in answer["neighbors"]] == list(np.argsort(distances, kind="stable")[:4])
    assert [one["distance"] for one in answer["neighbors"]] == pytest.approx(np.sort(distances)[:4], rel=1e-5)
    assert answer["exact"] is True and answer["metric"] == "l2"


def test_neighbors_with_a_filter(ask):
    answer = ask("neighbors", 7, "-k", 3, "--where", "label = 'cat'")
    assert [one["label"] for one in answer["neighbors"]] == ["cat"] * 3


def test_verify_finds_nothing_wrong_and_then_something(ask, synthetic, tmp_path, capsys):
    assert ask("verify")["ok"] is True
    synthetic.make_store(tmp_path / "store", images=40, failed=())
    (part,) = (tmp_path / "store" / "images").glob("*.parquet")
    data = bytearray(part.read_bytes())
    data[50] ^= 1
    part.write_bytes(data)
    assert main(["verify", str(tmp_path / "store")]) == 1
    assert "images/part-00000.parquet" in capsys.readouterr().out


def test_tables_for_people(made, capsys):
    assert main(["top", path_of(made), "features.0", "3", "-k", "2", "--where", "label = 'cat'"]) == 0
    out = capsys.readouterr().out
    assert "features.0 unit 3: activates for" in out
    assert "images where label = 'cat'" in out
    assert "random, not trained" in out
    assert len(out.strip().splitlines()[-3:]) == 3


def test_a_filter_that_keeps_nothing(made, capsys):
    assert main(["top", path_of(made), "features.0", "3", "--where", "label = 'cow'"]) == 0
    assert "No image matches" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["top", "{store}", "features.1", "3"], 2, "features.0"),
        (["top", "{store}", "features.0", "40"], 2, "0 to 39"),
        (["top", "{store}", "features.0", "3", "--where", "lable = 'cat'"], 2, "label"),
        (["top", "{store}/nothing", "features.0", "3"], 1, "no store"),
        (["neighbors", "{store}", "200"], 2, "199"),
        (["neighbors", "{store}", "5"], 2, "undecodable"),
        (["neighbors", "{store}", "nothing.jpg"], 2, "nothing.jpg"),
        (["verify", "{store}/nothing"], 1, "no store"),
        (["index", "{store}/nothing"], 1, "no store"),
    ],
)
def test_errors_name_what_is_allowed(made, capsys, words, code, said):
    assert main([word.replace("{store}", path_of(made)) for word in words]) == code
    out, err = capsys.readouterr()
    assert out == "" or words[0] == "verify"
    assert said in err and "Traceback" not in err

"""A user's own networks: what is found, what is refused, and that nothing of it stays behind."""

import random
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from unitscope.common.errors import ModelSpecError
from unitscope.common.frame import Frame
from unitscope.model.sources.fingerprint import fingerprint
from unitscope.model.sources.load import LoadedModel, load_model

NETWORK = """
from torch import nn

PREPROCESS = {"resize": 12, "crop": [8, 10], "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
CLASSES = ["cat", "dog", "owl"]

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 6 * 8, 3))
"""


@pytest.fixture
def write(tmp_path):
    """Writes Python files under the test's folder; gives the path of the last."""

    def write_files(**files: str) -> Path:
        path = tmp_path
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        return path

    return write_files


def refusal(spec: str, **options) -> str:
    with pytest.raises(ModelSpecError) as caught:
        load_model(spec, **options)
    return str(caught.value)


def test_everything_that_is_declared(write, tmp_path):
    path = write(net=NETWORK)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 6 * 8, 3))
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    model = load_model(f"{path}:make", weights=str(tmp_path / "w.safetensors"))
    assert isinstance(model, LoadedModel)
    assert model.preprocess.frame == Frame(12, (8, 10))
    assert model.input_size == (8, 10)
    assert model.classes == ("cat", "dog", "owl")
    assert (model.weights, model.random, model.spec) == ("w.safetensors", False, f"{path}:make")
    assert model.outputs == 3
    assert model.preprocess_source == "PREPROCESS in net.py"
    assert not any(module.training for module in model.network.modules())
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert model.fingerprint == fingerprint(network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, model.network.state_dict()[name])


def test_no_weights_are_an_error_that_says_what_to_write(write):
    path = write(net=NETWORK)
    said = refusal(f"{path}:make")
    assert "--weights FILE" in said and "@own" in said and "@random" in said


def test_random_weights_are_the_same_each_time_and_leave_no_trace(write):
    path = write(net=NETWORK)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    first = load_model(f"{path}:make@random")
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), np.random.get_state()[1].tolist())
    torch.manual_seed(99)
    second = load_model(f"{path}:make@random")
    assert first.fingerprint == second.fingerprint
    assert first.random and first.weights == "random, seed 0"


def test_numpy_and_python_draws_are_seeded_too(write):
    path = write(
        net=NETWORK
        + """
import random, numpy as np, torch

def drawn():
    network = make()
    with torch.no_grad():
        network[3].bias.copy_(torch.tensor([np.random.rand(), random.random(), 0.0]))
    return network
"""
    )
    assert load_model(f"{path}:drawn@random").fingerprint == load_model(f"{path}:drawn@random").fingerprint


def test_own_weights(write, tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "trained.pt")
    path = write(
        net=NETWORK
        + """
from pathlib import Path
import torch

def trained():
    network = make()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.25)
    return network

def new_head():
    network = trained()
    network[3] = nn.Linear(4 * 6 * 8, 3)
    return network
"""
    )
    model = load_model(f"{path}:trained@own")
    assert (model.weights, model.random) == ("own", False)
    said = refusal(f"{path}:new_head@own")
    assert "2 of 9 tensors change with the random seed (3.bias, 3.weight)" in said


def test_two_sets_of_weights(write):
    path = write(net=NETWORK)
    for tag in ("own", "random"):
        assert "two sets of weights" in refusal(f"{path}:make@{tag}", weights="w.safetensors")


def test_architecture_alone_needs_no_weights_and_no_preprocess(write):
    path = write(
        net="""
            from torch import nn
            def make(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            def pixels(): return nn.Conv2d(3, 4, 3)
        """
    )
    model = load_model(f"{path}:make", need_weights=False)
    assert model.random and model.input_size == (224, 224)
    assert "assumed" in model.preprocess_source
    assert load_model(f"{path}:pixels", need_weights=False).outputs is None
    assert "write PREPROCESS = {'resize': 256" in refusal(f"{path}:make@random")


def test_neighbours_are_imported_absolutely_and_relatively(write, tmp_path):
    path = write(
        service__app="WIDTH = 5",
        model__blocks="from service.app import WIDTH",
        beside="DEPTH = 2",
        net=NETWORK
        + """
from model.blocks import WIDTH
from .beside import DEPTH

def sized():
    import lazy
    return nn.Sequential(nn.Flatten(), nn.Linear(240, WIDTH * DEPTH + lazy.MORE))
CLASSES = None
""",
    )
    write(lazy="MORE = 1")
    path_before = list(sys.path)
    assert load_model(f"{path}:sized@random").outputs == 11
    assert sys.path == path_before
    assert not list(tmp_path.rglob("__pycache__"))


def test_each_repository_gets_its_own_neighbours(write):
    net = NETWORK.replace("def make():", "from utils import WIDTH\ndef make():").replace(
        "Linear(4 * 6 * 8, 3)", "Linear(192, WIDTH)"
    )
    net = net.replace('CLASSES = ["cat", "dog", "owl"]', "")
    one = write(one__utils="WIDTH = 5", one__net=net)
    two = write(two__utils="WIDTH = 7", two__net=net)
    assert load_model(f"{one}:make@random").outputs == 5
    assert load_model(f"{two}:make@random").outputs == 7
    assert load_model(f"{one}:make@random").outputs == 5


def test_a_neighbour_does_not_stay_in_the_place_of_another_module(write, monkeypatch):
    import json.tool

    monkeypatch.setitem(sys.modules, "utils", json.tool)
    path = write(utils="WIDTH = 3", net=NETWORK.replace("from torch", "from utils import WIDTH\nfrom torch"))
    assert load_model(f"{path}:make@random").outputs == 3
    assert sys.modules["utils"] is json.tool


def test_a_file_that_changes_is_read_anew(write):
    path = write(net=NETWORK)
    first = load_model(f"{path}:make@random")
    write(net=NETWORK.replace("owl", "eel"))
    assert first.classes != load_model(f"{path}:make@random").classes


def test_folders_with_spaces_and_at_signs(write, monkeypatch, tmp_path):
    write(**{"my models__v1@home__net": NETWORK})
    monkeypatch.chdir(tmp_path)
    assert load_model("my models/v1@home/net.py:make@random").outputs == 3


def test_what_is_printed_does_not_reach_stdout(write, capsys):
    path = write(
        net="print('importing')\n" + dedent(NETWORK) + "\ndef loud():\n    print('loud')\n    return make()\n"
    )
    load_model(f"{path}:loud@random")
    captured = capsys.readouterr()
    assert captured.out == "" and "importing" in captured.err and "loud" in captured.err


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("mak", "has no 'mak'; did you mean make"),
        ("PREPROCESS", "is a dict, not a factory"),
        ("instance", "is a network, not a factory"),
        ("text", "returned a str; it must return a torch.nn.Module"),
        ("needs", "missing a required argument: 'width'"),
        ("fails", "ZeroDivisionError: division by zero ("),
        ("exits", "SystemExit: 3"),
        ("pairs", "returns a tensor (8, 2, 3, 3) for 8 images; it must return scores"),
        ("dicts", "returns dict for 8 images; it must return scores"),
        ("wide", "CLASSES has 3 names, but the network gives 5 outputs"),
        ("misfit", "fails on images of its input size, 8x10"),
        ("lazy", "2 tensors have no values (1.weight, 1.bias)"),
    ],
)
def test_what_is_wrong_with_a_factory(write, factory, says):
    path = write(
        net=NETWORK
        + """
import sys
instance = make()
def text(): return "net"
def needs(width): return make()
def fails(): return 1 / 0
def exits(): sys.exit(3)
def pairs(): return nn.Sequential(nn.Conv2d(3, 2, 8), nn.Upsample((3, 3)))
class Dict(nn.Module):
    def forward(self, images): return {"out": images}
def dicts(): return Dict()
def wide(): return nn.Sequential(nn.Flatten(), nn.Linear(240, 5))
def misfit(): return nn.Sequential(nn.Flatten(), nn.Linear(7, 5))
def lazy(): return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
"""
    )
    assert says in refusal(f"{path}:{factory}@random")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all' ("),
        ("def make(:", "SyntaxError"),
        ("PREPROCESS = {'size': 3}\ndef make(): pass", "net.py: PREPROCESS has unknown keys size"),
        (dedent(NETWORK) + "CLASSES = [1, 2]", "CLASSES is [1, 2]; it must be a list of names"),
        (dedent(NETWORK) + "CLASSES = 'abc'", "CLASSES is 'abc'; it must be a list of names"),
        ("import sys\nsys.exit('usage: train.py')", "SystemExit: usage: train.py"),
    ],
)
def test_what_is_wrong_with_a_file(write, text, says):
    assert says in refusal(f"{write(net=text)}:make@random")


def test_missing_files_and_modules(write, tmp_path):
    write(net=NETWORK)
    assert f"there is no file {tmp_path}/nett.py; beside it: {tmp_path}/net.py" in refusal(
        f"{tmp_path}/nett.py:make"
    )
    assert "No module named 'no_such_package'" in refusal("no_such_package.net:make@random")


def test_modules_of_the_current_folder(write, monkeypatch, tmp_path):
    write(package_of_this_test____init__="", package_of_this_test__net=NETWORK)
    monkeypatch.chdir(tmp_path)
    path_before = list(sys.path)
    assert load_model("package_of_this_test.net:make@random").outputs == 3
    assert sys.path == path_before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "def make(width): return nn.Linear(1, 1)",
            r"missing a required argument: 'width'.*Give each parameter",
        ),
        ("def make(): return net(3).half()", r"weights are torch\.float16: .*network\.float\(\)"),
        ("def make(): return net(1)", r"takes 1 channels, and images come as RGB"),
        (
            "def make(): return nn.Sequential(torch.compile(net(3)))",
            r"whose 0 is the result of torch\.compile",
        ),
    ],
)
def test_what_to_do_about_a_network_that_does_not_run(body, message, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\nfrom torch import nn\n"
        'PREPROCESS = {"resize": 8, "crop": 8, "mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear"}\n'
        "def net(channels): return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
        + body
    )
    with pytest.raises(ModelSpecError, match=message):
        load_model(f"{path}:make@random")

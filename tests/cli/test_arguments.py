"""Arguments are checked before torch is imported; `layers` says what a sweep would refuse."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest
from unitscope.cli.main import main

PROGRAM = """
import sys
from unitscope.cli.main import main
code = main(sys.argv[1:])
print(code, "torch" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing", "store", "--model", "net.py:net@random"], "missing does not exist"),
        (["data", "store", "--model", "nothing.py:net@random"], "there is no file nothing.py"),
        (["data", "store", "--model", "alexnet"], "torchvision:alexnet"),
        (["data", "store", "--model", "net.py:net", "--weights", "none.pt"], "there is no such file"),
        (["data", "store", "--model", "net.py:net@own", "--classes", "none.txt"], "there is no such file"),
        (["data", "data/store", "--model", "net.py:net@own"], "lies in DATA"),
        (["data", "store", "--model", "net.py:net@own", "--device", "gpu"], "must be cpu, cuda"),
        (["data/*.tif", "store", "--model", "net.py:net@own"], "matches *.tif"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_told_without_torch(tmp_path, arguments, words):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.png").write_bytes(b"x")
    (tmp_path / "net.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "sweep", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert words in done.stderr
    assert done.stderr.splitlines()[-1].split()[0] in ("1", "2")
    assert done.stderr.splitlines()[-1].endswith("False")
    assert not (tmp_path / "store").exists()


@pytest.fixture
def network(tmp_path):
    text = """
        from torch import nn

        PREPROCESS = {"resize": 8, "crop": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}


        class Noisy(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

            def forward(self, x):
                return self.fc(nn.functional.dropout(self.conv(x).mean((2, 3)), 0.5, True))


        class Maps(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 3)

            def forward(self, x):
                return self.conv(x)


        def plain(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        def noisy(): return Noisy()
        def maps(): return Maps()
        """
    (tmp_path / "net.py").write_text(dedent(text))
    (tmp_path / "bare.py").write_text(dedent(text).replace("PREPROCESS =", "OTHER ="))
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("net.py:plain@random", []),
        ("net.py:plain", ["names no weights"]),
        ("bare.py:plain@random", ["no PREPROCESS"]),
        ("net.py:noisy@random", ["drawn by chance"]),
        ("net.py:maps@random", ["returns no scores"]),
    ],
)
def test_layers_says_what_a_sweep_refuses(network, spec, words, capsys):
    assert main(["layers", f"{network}/{spec}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for word in words:
        assert any(word in problem for problem in found["sweep_refuses"]), found["sweep_refuses"]
    if not words:
        assert found["sweep_refuses"] == []
    assert main(["layers", f"{network}/{spec}"]) == 0
    said = capsys.readouterr().out
    assert ("refuses this network" in said) == bool(words)
    assumed = "224x224 pixels (ImageNet's preprocessing, assumed"
    assert (assumed if "bare" in spec else "8x8 pixels (PREPROCESS in net.py)") in said

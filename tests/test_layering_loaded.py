"""The walls between the packages, held by looking at `sys.modules` after imports and after each command."""

import json
import subprocess
import sys
import time
from fnmatch import fnmatch

import pytest
from PIL import Image
from source_files import ROOT, files, module_of

# What is in no process that imports only these files: (files, files left out, libraries).
NEVER = {
    "common": (
        ("common/*",),
        (),
        {"numpy", "torch", "ray", "pyarrow", "fastapi", "faiss", "umap", "openTSNE"},
    ),
    "model": (("model/*",), (), {"ray", "fastapi", "uvicorn", "pyarrow", "faiss", "umap", "openTSNE"}),
    "index": (("index/*",), (), {"torch", "torchvision", "ray", "fastapi", "uvicorn"}),
    "a finished store": (
        ("index/store/store.py", "index/verify/verify.py"),
        (),
        {"torch", "faiss", "umap", "openTSNE", "numba", "sklearn", "scipy"},
    ),
    "jobs, but for Ray": (
        ("jobs/*",),
        ("jobs/ray/main.py", "jobs/ray/actors.py", "jobs/ray/cluster.py"),
        {"ray", "fastapi", "uvicorn", "umap", "openTSNE"},
    ),
    "service": (
        ("service/*",),
        ("service/live/worker.py",),
        {"torch", "torchvision", "timm", "ray", "umap", "openTSNE"},
    ),
    "cli": (
        ("cli/*",),
        ("cli/bars.py",),
        {"numpy", "torch", "ray", "faiss", "umap", "openTSNE", "pyarrow", "rich"},
    ),
}

HEAVY = {"torch", "ray", "faiss", "umap", "openTSNE", "pyarrow", "numpy", "fastapi", "rich"}
COMMANDS = ("layers", "sweep", "index", "atlas", "top", "neighbors", "explain", "verify", "serve", "demo")
HELP_SECONDS = 1.0

# What is in no process that ran this command on a store, after it ran.
RUNS = {
    "top": (("features.0", "3"), {"torch", "ray", "faiss", "umap", "openTSNE", "fastapi", "scipy"}),
    "verify": ((), {"torch", "ray", "faiss", "umap", "openTSNE", "fastapi", "scipy"}),
    "index": ((), {"torch", "ray", "umap", "openTSNE", "fastapi"}),
    "neighbors": (("7",), {"torch", "ray", "umap", "openTSNE", "fastapi"}),
    "atlas": (("--method", "pca"), {"torch", "ray", "fastapi"}),
}

# The commands that run a network, likewise. `sweep` is run without Ray; `{}` is a store that it made.
TORCH_RUNS = {
    "layers": (["{}/../model.py:tiny"], {"ray", "faiss", "umap", "openTSNE", "fastapi", "pyarrow"}),
    "sweep": (
        ["{}/../data", "{}/../other", "--model", "{}/../model.py:tiny@random", "--workers", "0"],
        {"ray", "faiss", "umap", "openTSNE", "fastapi"},
    ),
    "explain": (
        ["{}", "--image", "3", "--method", "saliency", "--unit", "0/1", "--out", "{}/../why"],
        {"ray", "faiss", "umap", "openTSNE", "fastapi"},
    ),
    "neighbors": (["{}", "{}/../data/3.png"], {"torch", "ray", "umap", "openTSNE", "fastapi"}),
}

NETWORK = """
from torch import nn

PREPROCESS = {"resize": 16, "crop": 16, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear"}

def tiny():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 2))
"""


@pytest.mark.parametrize("what", NEVER)
def test_importing_loads_nothing_from_behind_a_wall(what: str) -> None:
    chosen, left_out, never = NEVER[what]
    modules = [
        module_of(file)
        for file in files()
        if any(fnmatch(file, one) for one in chosen) and not any(fnmatch(file, one) for one in left_out)
    ]
    loaded = loaded_by(
        "import importlib\nfor name in " + repr(modules) + ":\n    importlib.import_module(name)"
    )
    assert loaded & never == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)], ids=" ".join
)
def test_help_is_quick_and_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by(running(arguments))
    assert loaded & HEAVY == set()


def test_help_takes_less_than_a_second() -> None:
    command = [sys.executable, "-P", "-m", "unitscope.cli.main", "top", "--help"]
    assert min(seconds_of(command) for _ in range(3)) < HELP_SECONDS


@pytest.mark.parametrize("command", RUNS)
def test_a_verb_loads_only_what_it_needs(command: str, store: str) -> None:
    arguments, never = RUNS[command]
    assert loaded_by(running([command, store, *arguments])) & never == set()


@pytest.mark.slow
@pytest.mark.parametrize("command", TORCH_RUNS)
def test_a_verb_that_runs_a_network_loads_only_what_it_needs(command: str, swept: str) -> None:
    arguments, never = TORCH_RUNS[command]
    assert loaded_by(running([command, *(one.replace("{}", swept) for one in arguments)])) & never == set()


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> str:
    """A small store that was really swept."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "data").mkdir()
    (folder / "model.py").write_text(NETWORK)
    for number in range(20):
        Image.new("RGB", (20, 18), (number * 12, 99, 255 - number * 12)).save(
            folder / "data" / f"{number}.png"
        )
    store = str(folder / "store")
    loaded_by(
        running(
            [
                "sweep",
                str(folder / "data"),
                store,
                "--model",
                f"{folder}/model.py:tiny@random",
                "--workers",
                "0",
            ]
        )
    )
    return store


@pytest.fixture(scope="module")
def store(synthetic, tmp_path_factory) -> str:
    """A small finished store."""
    folder = tmp_path_factory.mktemp("layering") / "store"
    synthetic.make_store(folder)
    return str(folder)


def running(arguments: list[str]) -> str:
    """Source that runs the command line."""
    return (
        "from unitscope.cli.main import main\n"
        "try:\n"
        f"    code = main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "assert code in (0, None), code\n"
    )


def loaded_by(source: str) -> set[str]:
    """The top-level names in `sys.modules` of a fresh process that ran `source`, outside the checkout's folder."""
    code = (
        source
        + "\nimport json, sys\nprint('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT.parent,
    )
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    return time.perf_counter() - start

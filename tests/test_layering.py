"""The walls between the packages (docs/architecture.md), held by reading every import and by looking at `sys.modules`.

The tables come first; a module that does not exist breaks no rule.
"""

import ast
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "model", "index", "jobs", "service", "cli")

# Who may import whom. Keys are files, the last that fits counts.
WHOM = {
    "common/*": {"common"},
    "model/*": {"model", "common"},
    "index/*": {"index", "common"},
    "jobs/*": {"jobs", "model", "index", "common"},
    "service/*": {"service", "index", "common"},
    "service/live/worker.py": {"service", "model", "index", "common"},
    "cli/*": set(PACKAGES),
}

# At the top of a file of cli/ (outside functions and `if TYPE_CHECKING`) only these.
CLI_TOP = {"cli", "common"}

# Where a library may be imported. The others may be imported anywhere but in common/
TORCH = ("model/*", "jobs/*", "service/live/worker.py")
LIBRARIES = {
    "ray": ("jobs/ray_workers.py",),
    "faiss": ("index/ann.py",),
    "umap": ("index/projection.py",),
    "openTSNE": ("index/projection.py",),
    "pynndescent": ("index/projection.py",),
    "torch": TORCH,
    "torchvision": TORCH,
    "torchcodec": TORCH,
    "timm": TORCH,
    "safetensors": TORCH,
    "pyarrow": ("index/*", "jobs/*", "service/*"),
    "fsspec": ("index/*",),
    "fastapi": ("service/*",),
    "starlette": ("service/*",),
    "uvicorn": ("service/*",),
    "rich": ("cli/*",),
}

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
        ("index/store.py", "index/verify.py"),
        (),
        {"torch", "faiss", "umap", "openTSNE", "numba", "sklearn", "scipy"},
    ),
    "jobs, but for Ray": (
        ("jobs/*",),
        ("jobs/ray_workers.py",),
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
VERBS = ("layers", "sweep", "index", "atlas", "top", "neighbors", "verify", "serve", "demo")
HELP_SECONDS = 1.0

# What is in no process that ran this verb on a store, after it ran.
RUNS = {
    "top": (("features.0", "3"), {"torch", "ray", "faiss", "umap", "openTSNE", "fastapi", "scipy"}),
    "verify": ((), {"torch", "ray", "faiss", "umap", "openTSNE", "fastapi", "scipy"}),
    "index": ((), {"torch", "ray", "umap", "openTSNE", "fastapi"}),
    "neighbors": (("7",), {"torch", "ray", "umap", "openTSNE", "fastapi"}),
    "atlas": (("--method", "pca"), {"torch", "ray", "fastapi"}),
}

# The verbs that run a network, likewise. `sweep` is run without Ray; `{}` is a store that it made.
TORCH_RUNS = {
    "layers": (["{}/../model.py:tiny"], {"ray", "faiss", "umap", "openTSNE", "fastapi", "pyarrow"}),
    "sweep": (
        ["{}/../data", "{}/../other", "--model", "{}/../model.py:tiny@random", "--workers", "0"],
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


def files() -> list[str]:
    """Every file of the packages, from the root."""
    return sorted(
        path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    )


def module_of(file: str) -> str:
    return "unitscope." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class Imports(ast.NodeVisitor):
    """Collects (line, dotted name, at the top) of a file's imports; relative ones begin with `unitscope.`."""

    def __init__(self, file: str) -> None:
        parts = ["unitscope", *Path(file).parts]
        self.package = parts[:-1]
        self.found: list[tuple[int, str, bool]] = []
        self.absolute: list[int] = []
        self.depth = 0

    def add(self, node: ast.AST, name: str) -> None:
        self.found.append((node.lineno, name, self.depth == 0))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(node, alias.name)
            if alias.name.split(".")[0] in ("unitscope", *PACKAGES):
                self.absolute.append(node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self.package[: len(self.package) - node.level + 1] if node.level else []
        module = [*base, *(node.module.split(".") if node.module else [])]
        if not node.level and module[0] in ("unitscope", *PACKAGES):
            self.absolute.append(node.lineno)
        for alias in node.names:
            self.add(node, ".".join([*module, alias.name]))

    def visit_Call(self, node: ast.Call) -> None:
        """`importlib.import_module("x")` and `__import__("x")` are imports too."""
        called = ast.unparse(node.func)
        if called.endswith("import_module") or called == "__import__":
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant):
                    self.add(node, str(argument.value))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        typing_only = ast.unparse(node.test).endswith("TYPE_CHECKING")
        self.depth += typing_only
        for child in node.body:
            self.visit(child)
        self.depth -= typing_only
        for child in node.orelse:
            self.visit(child)


def imports_of(file: str, source: str) -> Imports:
    imports = Imports(file)
    imports.visit(ast.parse(source))
    return imports


def broken_rules(file: str, source: str) -> Iterator[str]:
    """One line for each import of a file that breaks a rule."""
    imports = imports_of(file, source)
    allowed = next(whom for pattern, whom in reversed(WHOM.items()) if fnmatch(file, pattern))
    for line in imports.absolute:
        yield f"{file}:{line}: imports inside the packages are relative"
    for line, name, top in imports.found:
        first, _, rest = name.partition(".")
        if first == "unitscope":
            package = rest.split(".")[0]
            if package not in allowed:
                yield f"{file}:{line}: may import {sorted(allowed)}, not {package}"
            elif file.startswith("cli/") and top and package not in CLI_TOP:
                yield f"{file}:{line}: cli imports {package} only inside functions"
        elif first in LIBRARIES and not any(fnmatch(file, pattern) for pattern in LIBRARIES[first]):
            yield f"{file}:{line}: {first} may be imported in {LIBRARIES[first]} only"
        elif file.startswith("common/") and first not in sys.stdlib_module_names:
            yield f"{file}:{line}: common knows the standard library only, not {first}"


@pytest.mark.parametrize("file", files())
def test_imports_keep_the_walls(file: str) -> None:
    assert list(broken_rules(file, (ROOT / file).read_text())) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("index/store.py", "import torch"),
        ("index/store.py", "from ..model import load"),
        ("index/store.py", "from .. import jobs"),
        ("index/dataset/open.py", "from ...jobs.run import sweep"),
        ("index/store.py", "import unitscope.index.files"),
        ("index/store.py", "from index import files"),
        ("index/store.py", "def f():\n    import faiss"),
        ("index/ann_build.py", "import faiss"),
        ("model/load.py", "import pyarrow.parquet as pq"),
        ("model/load.py", "from importlib import import_module\nimport_module('ray')"),
        ("service/app.py", "from ..model.load import load_model"),
        ("service/app.py", "from ..jobs.run import sweep"),
        ("jobs/run.py", "from ..service.app import app"),
        ("jobs/run.py", "if True:\n    import ray"),
        ("common/errors.py", "import numpy"),
        ("cli/top.py", "from ..index.store import Store"),
    ],
)
def test_a_broken_wall_is_seen(file: str, source: str) -> None:
    assert list(broken_rules(file, source))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("index/ann.py", "import faiss"),
        ("service/live/worker.py", "import torch\nfrom ..model.load import load_model"),
        ("cli/top.py", "def run():\n    from ..index.store import Store"),
        ("cli/top.py", "if TYPE_CHECKING:\n    from ..index.store import Store"),
        ("index/dataset/open.py", "from ...common.errors import DatasetError\nfrom ..files import Folder"),
    ],
)
def test_an_allowed_import_is_none(file: str, source: str) -> None:
    assert list(broken_rules(file, source)) == []


def test_the_type_checker_sees_every_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["basedpyright"]
    assert settings["include"] == [f"build/typing/unitscope/{package}" for package in PACKAGES]


def test_index_init_is_empty() -> None:
    assert (ROOT / "index" / "__init__.py").read_text() == ""


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
    "arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)], ids=" ".join
)
def test_help_is_quick_and_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by(running(arguments))
    assert loaded & HEAVY == set()


def test_help_takes_less_than_a_second() -> None:
    command = [sys.executable, "-P", "-m", "unitscope.cli.main", "top", "--help"]
    assert min(seconds_of(command) for _ in range(3)) < HELP_SECONDS


@pytest.mark.parametrize("verb", RUNS)
def test_a_verb_loads_only_what_it_needs(verb: str, store: str) -> None:
    arguments, never = RUNS[verb]
    assert loaded_by(running([verb, store, *arguments])) & never == set()


@pytest.mark.slow
@pytest.mark.parametrize("verb", TORCH_RUNS)
def test_a_verb_that_runs_a_network_loads_only_what_it_needs(verb: str, swept: str) -> None:
    arguments, never = TORCH_RUNS[verb]
    assert loaded_by(running([verb, *(one.replace("{}", swept) for one in arguments)])) & never == set()


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

"""The walls between the packages (docs/architecture.md), held by reading every import; test_layering_loaded.py looks at
`sys.modules`.

The tables come first; a module that does not exist breaks no rule.
"""

import ast
import sys
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from source_files import PACKAGES, ROOT, files, module_of

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

# Inside the large packages: which packages, and files beside them, a package may import from the same top folder. What
# is not listed may be imported by none; a file at the root of a top folder may import all of that folder.
WINGS = {
    "index/caching": set(),
    "index/storage": {"caching"},
    "index/labels": {"compute"},
    "index/stats": set(),
    "index/where": {"compute", "labels"},
    "index/format": {"compute", "caching", "storage", "labels", "stats"},
    "index/datasets": {"compute", "storage", "labels", "format"},
    "index/store": {"compute", "caching", "storage", "labels", "stats", "where", "format", "datasets"},
    "index/neighbors": {"caching", "storage", "format", "store"},
    "index/merge": {"compute", "storage", "labels", "stats", "format"},
    "index/projection": {"neighbors"},
    "index/analysis": {"compute", "caching", "storage", "labels", "stats", "format", "store", "neighbors"},
    "index/atlas": {"storage", "format", "store", "neighbors", "projection", "analysis"},
    "index/overlays": {
        "compute",
        "caching",
        "storage",
        "labels",
        "stats",
        "where",
        "store",
        "projection",
        "analysis",
        "atlas",
    },
    "index/verify": {"compute", "storage", "labels", "format", "store", "neighbors", "merge", "atlas"},
    "service/schemas": set(),
    "service/stores": set(),
    "service/live": {"errors", "telemetry"},
    "service/http": {"errors", "telemetry", "schemas", "stores"},
    "service/client": {"errors", "paths", "schemas"},
    "service/queries": {"errors", "telemetry", "schemas", "stores", "live"},
    "service/params": {"schemas", "stores", "http", "live", "queries"},
    "service/api": {"schemas", "stores", "http", "live", "queries", "params"},
    "service/pages": {"errors", "paths", "schemas", "stores", "http", "queries", "params"},
    "service/web": set(),
    "jobs/ray": {"cores"},
    "jobs/planning": {"cores", "log"},
    "jobs/sweep": {"cores", "lock", "log", "planning", "ray"},
    "jobs/build": {"child", "cores", "lock", "planning", "ray", "sweep"},
    "jobs/explain": {"build"},
    "jobs/demo": {"child", "planning", "sweep", "build"},
    "model/running": set(),
    "model/layers": {"running"},
    "cli/commands": {"argument_types", "command", "output", "progress", "provenance"},
    "model/receptive_field": {"running", "layers"},
    "model/explain": {"layers", "running", "outputs"},
    "model/sources": {"running", "outputs"},
    "model/capture": {"outputs", "running", "layers", "sources"},
    "model/feature": {"outputs", "running", "layers", "receptive_field", "capture"},
    "model/checks": {"running", "layers", "sources", "capture", "feature"},
}

# At the top of a file of cli/ (outside functions and `if TYPE_CHECKING`) only these.
CLI_TOP = {"cli", "common"}

# Where a library may be imported. The others may be imported anywhere but in common/
TORCH = ("model/*", "jobs/*", "service/live/worker.py")
LIBRARIES = {
    "ray": ("jobs/ray/main.py", "jobs/ray/actors.py", "jobs/ray/cluster.py"),
    "faiss": ("index/neighbors/ivf.py",),
    "umap": ("index/projection/projection.py",),
    "openTSNE": ("index/projection/projection.py",),
    "pynndescent": ("index/projection/projection.py",),
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


def broken_wings(file: str, line: int, imported: str) -> Iterator[str]:
    """One line where a file of a package may not import this module, `index.store.store.Store`, of its top folder."""
    top, *inside = file.split("/")
    _, second, *_ = [*imported.split("."), ""]
    if len(inside) < 2 or second in ("", inside[0]):
        return
    allowed = WINGS.get(f"{top}/{inside[0]}", set())
    if second not in allowed:
        yield f"{file}:{line}: may import {sorted(allowed)} of {top}, not {second}"


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
            elif package == file.split("/", maxsplit=1)[0]:
                yield from broken_wings(file, line, rest)
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
        ("index/store/store.py", "import torch"),
        ("index/store/store.py", "from ...model import load"),
        ("index/store/store.py", "from ... import jobs"),
        ("index/datasets/open.py", "from ...jobs.run import sweep"),
        ("index/store/store.py", "import unitscope.index.storage.folder"),
        ("index/store/store.py", "from index import files"),
        ("index/store/store.py", "def f():\n    import faiss"),
        ("index/neighbors/build.py", "import faiss"),
        ("model/sources/load.py", "import pyarrow.parquet as pq"),
        ("model/sources/load.py", "from importlib import import_module\nimport_module('ray')"),
        ("service/app.py", "from ..model.load import load_model"),
        ("service/app.py", "from ..jobs.run import sweep"),
        ("jobs/sweep/run.py", "from ...service.app import app"),
        ("jobs/sweep/run.py", "if True:\n    import ray"),
        ("jobs/ray/pool.py", "import ray"),
        ("common/errors.py", "import numpy"),
        ("cli/commands/top.py", "from ...index.store import Store"),
        ("index/storage/packs.py", "from ..format.manifest import Manifest"),
        ("index/store/units.py", "from ..merge import units"),
        ("service/http/problems.py", "from ..pages.rendering import page"),
        ("service/pages/unit.py", "from ..api.units import router"),
        ("jobs/planning/views.py", "from ..sweep.shard import Shard"),
    ],
)
def test_a_broken_wall_is_seen(file: str, source: str) -> None:
    assert list(broken_rules(file, source))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("index/neighbors/ivf.py", "import faiss"),
        ("service/live/worker.py", "import torch\nfrom ...model.sources.load import load_model"),
        ("cli/commands/top.py", "def run():\n    from ...index.store import Store"),
        ("cli/commands/top.py", "if TYPE_CHECKING:\n    from ...index.store import Store"),
        (
            "index/datasets/open.py",
            "from ...common.errors import DatasetError\nfrom ..storage.folder import Folder",
        ),
    ],
)
def test_an_allowed_import_is_none(file: str, source: str) -> None:
    assert list(broken_rules(file, source)) == []


def test_every_package_has_walls() -> None:
    folders = {"/".join(Path(file).parts[:2]) for file in files() if len(Path(file).parts) > 2}
    assert folders == set(WINGS)


def test_no_circle_of_packages() -> None:
    """A file at the root of a top folder counts as a package of its own."""
    edges = edges_between(package_of)
    assert [package for package in edges if package in reached(package, edges)] == []


def test_no_circle_of_modules() -> None:
    edges = edges_between(str)
    assert [module for module in edges if module in reached(module, edges)] == []


def edges_between(part_of: Callable[[str], str]) -> dict[str, set[str]]:
    """Who imports whom, at any place in a file. part_of: what of a module's dotted name counts."""
    edges: dict[str, set[str]] = {}
    modules = {module_of(file) for file in files()}
    for file in files():
        for _, name, _ in imports_of(file, (ROOT / file).read_text()).found:
            module = name if name in modules else name.rpartition(".")[0]
            if module in modules:
                edges.setdefault(part_of(module_of(file)), set()).add(part_of(module))
    return edges


def package_of(module: str) -> str:
    """`unitscope.index.store` for the modules in it."""
    return ".".join(module.split(".")[:3])


def reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    """What can be reached from a package, itself only through others."""
    found: set[str] = set()
    left = edges.get(start, set()) - {start}
    while left:
        found |= left
        left = {after for package in left for after in edges.get(package, set())} - found
    return found


def test_a_circle_of_packages_is_seen() -> None:
    edges = {"a": {"a", "b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert [package for package in edges if package in reached(package, edges)] == ["a", "b", "c"]


def test_the_type_checker_sees_every_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["basedpyright"]
    assert settings["include"] == [f"build/typing/unitscope/{name}" for name in ("*.py", *PACKAGES)]


def test_index_init_is_empty() -> None:
    assert (ROOT / "index" / "__init__.py").read_text() == ""

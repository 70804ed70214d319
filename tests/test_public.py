"""The public surface: what each package exports in its `__all__`, and `docs/public.md`, which lists it."""

import importlib
import inspect
import subprocess
import sys

import pytest
from source_files import PACKAGES, ROOT, module_of

INTERNAL = {
    "cli",
    "cli/commands",
    "index",
    "index/merge",
    "jobs",
    "jobs/demo/scenes",
    "jobs/explain",
    "jobs/ray",
    "model/capture",
    "model/checks",
    "model/explain",
    "model/feature",
    "model/layers",
    "model/running",
    "service/api",
    "service/http",
    "service/live",
    "service/pages",
    "service/pages/rendering",
    "service/params",
    "service/queries",
    "service/queries/atlas",
    "service/stores",
}  # fmt: skip
"""Packages without a name for others."""

INITS = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py"))
FOLDERS = [path.parent.relative_to(ROOT).as_posix() for path in INITS]
PUBLIC = [folder for folder in FOLDERS if folder not in INTERNAL]
LOADED = """
import sys
for module in sys.argv[1].split(","):
    __import__(module)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def exported(folder: str):
    """The package, and the names in its `__all__`."""
    package = importlib.import_module(module_of(f"{folder}/__init__.py"))
    return package, getattr(package, "__all__", [])


def test_internal_packages_export_nothing() -> None:
    assert {folder for folder in FOLDERS if not exported(folder)[1]} == INTERNAL


@pytest.mark.parametrize("folder", PUBLIC)
def test_exported_names_exist_with_a_docstring(folder: str) -> None:
    package, names = exported(folder)
    assert names == sorted(set(names))
    for name in names:
        value = getattr(package, name)
        assert not name.startswith("_")
        assert value.__module__.startswith(f"{package.__name__}."), "a name is defined in its own package"
        assert value.__name__ == name
        assert (value.__doc__ or "").strip(), name
        assert inspect.isclass(value) or inspect.isfunction(value)


@pytest.mark.parametrize("folder", PUBLIC)
def test_a_lazy_name_is_none_of_a_module(folder: str) -> None:
    """The import system would put the module in its place, whichever was used first."""
    package, names = exported(folder)
    if hasattr(package, "__getattr__"):
        assert not {path.stem for path in (ROOT / folder).iterdir() if path.name != "__init__.py"} & set(
            names
        )
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = package.nothing_of_this_name


def test_lazy_packages_load_no_large_library() -> None:
    lazy = [
        module_of(f"{folder}/__init__.py") for folder in PUBLIC if hasattr(exported(folder)[0], "__getattr__")
    ]
    assert len(lazy) > 10
    found = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, ",".join(lazy)], capture_output=True, text=True, check=True
    )
    assert not {"torch", "faiss", "numba", "pyarrow", "numpy", "fastapi", "ray"} & set(found.stdout.split())


def test_the_list_of_public_names_is_that_of_the_packages() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "import list_modules; print(list_modules.render_public(), end='')"],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (ROOT / "docs" / "public.md").read_text() == made, "run `python docs/list_modules.py`"
    rows = [line for line in made.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(exported(folder)[1]) for folder in PUBLIC)
    assert not [row for row in rows if row.endswith("|  |")]

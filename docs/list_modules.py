"""Write `modules.md`, every module, and `public.md`, the names that packages export, with the first sentence of each
docstring. Run from any folder, without arguments.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "model", "index", "jobs", "service", "cli")
HEAD = """# Modules

Every module, with the first sentence of its docstring. `python docs/list_modules.py` writes this file;
[architecture.md](architecture.md) says how the packages work together.
"""
PUBLIC_HEAD = """# Public names

What each package exports in its `__all__`, with the first sentence of each name's docstring:
`from unitscope.index.store import Store`. `python docs/list_modules.py` writes this file. Everything else may change
without notice. Importing a package is cheap: where its modules load torch, faiss, numba or pyarrow, they are imported
when a name is first used (`common/lazy.py`).
"""


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring, on one line."""
    text = " ".join(docstring.split("\n\n", maxsplit=1)[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", text)[0]


def describe(file: Path) -> str:
    """Return the first sentence of a file's docstring; empty without one."""
    return first_sentence(ast.get_docstring(ast.parse(file.read_text())) or "")


def package_section(folder: Path) -> str:
    """Return the section of one package: its own sentence, and a table of its modules."""
    name = folder.relative_to(ROOT).as_posix()
    rows = [f"| `{file.name}` | {describe(file)} |" for file in sorted(folder.glob("*.py"))]
    rows = [row for row in rows if not row.startswith("| `__init__.py`")]
    table = ["", "| module | what it does |", "|---|---|", *rows] if rows else []
    return "\n".join([f"## {name}", "", describe(folder / "__init__.py"), *table, ""])


def package_folders() -> list[Path]:
    """Return every folder with an `__init__.py`, each package before those inside it."""
    return [
        file.parent for package in PACKAGES for file in sorted((ROOT / package).rglob("__init__.py"), key=str)
    ]


def render() -> str:
    """Return the whole of `modules.md`."""
    folders = sorted(
        package_folders(), key=lambda folder: (PACKAGES.index(folder.relative_to(ROOT).parts[0]), folder)
    )
    return "\n".join([HEAD, *map(package_section, folders)])


def exports(init: Path) -> dict[str, Path]:
    """Return the names in `__all__` of an `__init__.py`, each with the file that defines it; none without `__all__`."""
    tree = ast.parse(init.read_text())
    files = {
        alias.name: init.parent.joinpath(*(node.module or "").split(".")).with_suffix(".py")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    return {
        name: files[name]
        for node in tree.body
        if isinstance(node, ast.Assign) and is_all(node)
        for name in sorted(ast.literal_eval(node.value))
    }


def is_all(node: ast.Assign) -> bool:
    """Return whether a statement assigns `__all__`."""
    return [ast.unparse(target) for target in node.targets] == ["__all__"]


def sentence(name: str, file: Path) -> str:
    """Return the first sentence of the docstring of a class or function at the top of a file; empty without one."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return first_sentence(ast.get_docstring(node) or "")
    return ""


def public_section(folder: Path) -> str:
    """Return the public names of one package; empty where it exports nothing."""
    rows = [
        f"| `{name}` | {sentence(name, file)} |" for name, file in exports(folder / "__init__.py").items()
    ]
    package = ".".join(("unitscope", *folder.relative_to(ROOT).parts))
    table = ["| name | what it is |", "|---|---|", *rows]
    return "\n".join([f"## {package}", "", describe(folder / "__init__.py"), "", *table, ""] if rows else [])


def render_public() -> str:
    """Return the whole of `public.md`."""
    return "\n".join([PUBLIC_HEAD, *filter(None, map(public_section, package_folders()))])


if __name__ == "__main__":
    (ROOT / "docs" / "modules.md").write_text(render())
    (ROOT / "docs" / "public.md").write_text(render_public())

"""Write `modules.md`: every module with the first sentence of its docstring. Run from any folder, without arguments."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "model", "index", "jobs", "service", "cli")
HEAD = """# Modules

Every module, with the first sentence of its docstring. `python docs/list_modules.py` writes this file;
[architecture.md](architecture.md) says how the packages work together.
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
    """Return the whole file."""
    folders = sorted(
        package_folders(), key=lambda folder: (PACKAGES.index(folder.relative_to(ROOT).parts[0]), folder)
    )
    return "\n".join([HEAD, *map(package_section, folders)])


if __name__ == "__main__":
    (ROOT / "docs" / "modules.md").write_text(render())

"""Imports a user's Python file or module, and calls what is in it, as if it were run from its own folder.

A file is loaded under a private name, so that it takes nobody's place; what lies beside it can be imported by
absolute or relative names. Afterwards `sys.path` is as it was. Modules from beside the file stay in
`sys.modules` until the next file is loaded, because code may look them up later; those whose place they took
are put back.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from ..common.errors import ModelSpecError

T = TypeVar("T")

_PRIVATE = "_unitscope_user_"
# Never replaced by a user's module of the same name: two copies of these in one process do not work.
_KEPT = frozenset({"torch", "torchvision", "timm", "numpy", "PIL", "unitscope"}) | sys.stdlib_module_names

_MISSING = object()

_lock = threading.RLock()
_borrowed: dict[str, ModuleType] = {}


def import_file(path: Path) -> ModuleType:
    """The module in the file at `path` (absolute), read anew. Raises ModelSpecError with the cause."""
    package = _PRIVATE + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    with _lock:
        _forget(package)
        parent = ModuleType(package)
        parent.__path__ = [str(path.parent)]
        name = f"{package}.{path.stem.replace('.', '_')}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None  # the name ends in .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[package], sys.modules[name] = parent, module
        with importable(path.parent):
            run(f"importing {path}", lambda: spec.loader and spec.loader.exec_module(module))
    return module


def import_module(name: str) -> ModuleType:
    """The module of that dotted name, in the current folder or installed. Raises ModelSpecError."""
    with _lock:
        _forget("")
        folder = Path.cwd()
        with _first_on_path(folder):
            doing = f"importing {name} (in {folder} or installed)"
            return run(doing, lambda: importlib.import_module(name))


@contextlib.contextmanager
def importable(folder: Path) -> Generator[None, None, None]:
    """Inside the block what lies in `folder` comes first for imports, as for a script started there."""
    with _lock:
        hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_hidden_by(folder, name)}
        before = set(sys.modules)
        try:
            with _first_on_path(folder):
                yield
        finally:
            _borrowed.update(
                (name, sys.modules[name]) for name in set(sys.modules) - before if _lies_in(folder, name)
            )
            sys.modules.update(hidden)
            for name in hidden:
                _borrowed.pop(name, None)


def run(doing: str, action: Callable[[], T]) -> T:
    """What the user's code returns; what it prints goes to stderr, because stdout is for answers.

    Raises ModelSpecError, with the exception and its place, for whatever it raises.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return action()
    except ModelSpecError:
        raise
    except (Exception, SystemExit) as error:
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith("<frozen")
        ]
        place = (
            f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames[-1].filename != __file__ else ""
        )
        raise ModelSpecError(f"{doing} failed with {type(error).__name__}: {error}{place}") from error


@contextlib.contextmanager
def _first_on_path(folder: Path) -> Generator[None, None, None]:
    path, writes_bytecode = list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True  # leaves no trace in the user's folder
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = writes_bytecode


def _forget(package: str) -> None:
    """Drops what the last file brought in: another repository has modules of the same names."""
    for name in list(sys.modules):
        if sys.modules[name] is _borrowed.get(name, _MISSING) or (
            package and (name == package or name.startswith(f"{package}."))
        ):
            del sys.modules[name]
    _borrowed.clear()


def _is_hidden_by(folder: Path, name: str) -> bool:
    """Whether a module that was imported from elsewhere has the name of one in `folder`."""
    top = name.partition(".")[0]
    if top in _KEPT or top.startswith(_PRIVATE):
        return False
    there = (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()
    return there and not _lies_in(folder, name)


def _lies_in(folder: Path, name: str) -> bool:
    """Whether a module is directly in `folder`; what a virtual environment in it holds is not."""
    module = sys.modules.get(name)
    known = vars(module) if isinstance(module, ModuleType) else {}
    places = [known.get("__file__"), *(known.get("__path__") or [])]
    top = name.partition(".")[0]
    own = (folder / f"{top}.py", folder / top)
    return any(
        isinstance(place, str) and any(Path(place).is_relative_to(one) for one in own) for place in places
    )

"""Imports a user's Python file or module, and calls what is in it, as if it were run from its own folder.

A file is loaded under a private name, so that it takes nobody's place; what lies beside it, or in a folder that it puts
on `sys.path`, is imported by absolute or relative names. `UserImports` has that in force while the file is imported,
while its factory is called and while its network runs, and out of force otherwise: afterwards `sys.path` and
`sys.modules` are as they were, so two networks of one process may have modules of the same names.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterable
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from torch import nn

from ...common.errors import ModelSpecError

T = TypeVar("T")

_PRIVATE = "_unitscope_user_"
# Never replaced by a user's module of the same name: two copies of these in one process do not work.
_KEPT = frozenset({"torch", "torchvision", "timm", "numpy", "PIL", "unitscope"}) | sys.stdlib_module_names


class UserImports:
    """What the code of one user's file may import: `with imports.active(): factory()`.

    Any number of threads may be inside one object's `active`; those that come with another's wait until they have left.
    """

    def __init__(self, folder: Path) -> None:
        """folder: where the file lies; it comes first for imports, as for a script that is started there."""
        self._front, self._back = [str(folder)], list[str]()
        self._modules: dict[str, ModuleType] = {}
        self._hidden: dict[str, ModuleType] = {}
        self._path_before: list[str] = []
        self._begun_with, self._newest = 0, ""
        self._bytecode_before = False
        self._tops: frozenset[str] | None = None
        self._looked_at = -1

    @contextlib.contextmanager
    def active(self) -> Generator[None]:
        """Find the file's own modules inside the block."""
        _enter(self)
        try:
            yield
        finally:
            _leave(self)

    def watch(self, network: nn.Module) -> None:
        """Make this active whenever `network`, which the file's factory returned, runs; a copy of it too."""
        # Hooks, since a copy of the network keeps them, and they keep no reference to the network.
        network.register_forward_pre_hook(lambda *_: _enter(self), prepend=True)
        network.register_forward_hook(lambda *_: _leave(self), always_call=True)

    def switch_on(self) -> None:
        """Put the file's modules and folders in force; whoever calls this holds `_turn`."""
        if self._tops is None:
            self._tops = _importable_names([*self._front, *self._back])
            importlib.invalidate_caches()
        if self._looked_at != len(sys.modules):
            self._looked_at = len(sys.modules)
            names = [name for name in sys.modules if self._hides(name) and not self._owns(name)]
        else:
            names = [name for name in self._modules if name in sys.modules]
        self._hidden = {name: sys.modules.pop(name) for name in names}
        sys.modules.update(self._modules)
        self._begun_with, self._newest = len(sys.modules), next(reversed(sys.modules))
        self._path_before = list(sys.path)
        sys.path[:] = [*self._front, *self._path_before, *self._back]
        self._bytecode_before, sys.dont_write_bytecode = (
            sys.dont_write_bytecode,
            True,
        )  # no trace in the user's folder

    def switch_off(self) -> None:
        """Put back what was there before, and keep for the next time what the file has brought in meanwhile."""
        self._keep_path()
        if len(sys.modules) != self._begun_with:
            # By the order of their arrival: to compare thousands of names costs as much as a small network.
            new = takewhile(lambda name: name != self._newest, reversed(sys.modules))
            self._modules |= {name: sys.modules[name] for name in new if self._owns(name)}
        for name in self._modules:
            sys.modules.pop(name, None)
        sys.modules.update(self._hidden)
        sys.path[:] = self._path_before
        sys.dont_write_bytecode = self._bytecode_before

    def _keep_path(self) -> None:
        """Note what the file has put on sys.path: before everything else, or after it."""
        if sys.path == [*self._front, *self._path_before, *self._back]:
            return
        before = set(self._path_before)
        others = [index for index, entry in enumerate(sys.path) if entry in before]
        first = others[0] if others else len(sys.path)
        self._front = [str(Path(entry).absolute()) for entry in sys.path[:first]]
        self._back = [str(Path(entry).absolute()) for entry in sys.path[first:] if entry not in before]
        self._tops, self._looked_at = None, -1

    def _hides(self, name: str) -> bool:
        """Return whether a module that was imported from elsewhere has the name of one of the file's."""
        top = name.partition(".")[0]
        return top in (self._tops or ()) and top not in _KEPT and not top.startswith(_PRIVATE)

    def _owns(self, name: str) -> bool:
        """Return whether a module lies directly in one of the file's folders, and not in a virtual environment
        there.
        """
        if name.startswith(_PRIVATE):
            return False
        module = sys.modules.get(name)
        known = vars(module) if isinstance(module, ModuleType) else {}
        places = [known.get("__file__"), *(known.get("__path__") or [])]
        top = name.partition(".")[0]
        own = [Path(folder) / end for folder in (*self._front, *self._back) for end in (f"{top}.py", top)]
        return any(
            isinstance(place, str) and any(Path(place).is_relative_to(one) for one in own) for place in places
        )


_turn = threading.Condition()
_active: list[tuple[UserImports, int]] = []
"""Whose modules are in force: once for each time that they were entered, with the thread that did."""


def _enter(imports: UserImports) -> None:
    thread = threading.get_ident()
    with _turn:
        if _active and all(
            entered == (_active[0][0], thread) and entered[0] is not imports for entered in _active
        ):
            _end()  # this thread's last network ended by an exit in `forward`, after which no hook runs
        _turn.wait_for(lambda: not _active or _active[0][0] is imports)
        if not _active:
            imports.switch_on()
        _active.append((imports, thread))


def _leave(imports: UserImports) -> None:
    with _turn:
        entered = (imports, threading.get_ident())
        if entered in _active:
            if len(_active) > 1:
                _active.remove(entered)
            else:
                _end()


def _end() -> None:
    _active[0][0].switch_off()
    _active.clear()
    _turn.notify_all()


def import_file(path: Path, imports: UserImports) -> ModuleType:
    """Return the module in the file at `path` (absolute), read anew. Raises ModelSpecError with the cause."""
    package = _PRIVATE + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    with imports.active():
        for name in list(sys.modules):
            if name == package or name.startswith(f"{package}."):
                del sys.modules[name]
        parent = ModuleType(package)
        parent.__path__ = [str(path.parent)]
        name = f"{package}.{path.stem.replace('.', '_')}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None  # the name ends in .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[package], sys.modules[name] = parent, module
        run(f"importing {path}", lambda: spec.loader and spec.loader.exec_module(module))
    return module


def import_module(name: str, imports: UserImports) -> ModuleType:
    """Return the module of that dotted name, in the current folder or installed. Raises ModelSpecError."""
    doing = f"importing {name} (in {Path.cwd()} or installed)"
    with imports.active():
        return run(doing, lambda: importlib.import_module(name))


def run(doing: str, action: Callable[[], T]) -> T:
    """Return what the user's code returns; what it prints goes to stderr, because stdout is for answers.

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


def _importable_names(folders: Iterable[str]) -> frozenset[str]:
    """Return the top-level names of the modules and packages in these folders."""
    names: set[str] = set()
    for folder in folders:
        with contextlib.suppress(OSError):  # sys.path may name what is not there
            for entry in Path(folder).iterdir():
                if entry.suffix == ".py":
                    names.add(entry.stem)
                elif entry.suffix == "" and (entry / "__init__.py").is_file():
                    names.add(entry.name)
    return frozenset(names)

"""The stores that this user swept on this machine: for each its model and dataset, under the SHA-256 of its manifest.

A small file for each in `$XDG_STATE_HOME/unitscope/swept/` (`~/.local/state` without the variable), written when a
sweep is finished and readable by this user alone. A store cannot forge one: the file is outside every store, and holds
what was given to the sweep, not what a manifest says. So a store stays known when it is moved or copied, and a copy
whose manifest was changed is not.
"""

import contextlib
import hashlib
import importlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..storage.damaged import NONSENSE

VERSION = 1
_LARGEST = 1 << 20
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Remembered:
    """spec, weights, dataset: whole, as the sweep was given them. code: SHA-256 of each Python file that the spec
    names, by its path; empty for a library's network."""

    spec: str
    weights: str | None
    dataset: str | None
    code: dict[str, str]

    def changed(self) -> str | None:
        """Return what of the code is not as it was, in words; None where all of it is."""
        for path, sha256 in self.code.items():
            found = _sha256(path)
            if found is None:
                return f"{path} is gone or cannot be read"
            if found != sha256:
                return f"{path} has changed"
        place, colon, _ = self.spec.rpartition(":")
        module = place.partition("@")[0]
        if colon and not module.endswith(".py") and self.code:
            where = module_file(module)
            if where is None or str(where) not in self.code:
                return f"the module {module} is found at {where or 'no place'}, not where it was"
        return None


def remember(
    manifest: str, *, spec: str, weights: str | None, dataset: str | None, files: Sequence[str] = ()
) -> None:
    """Note that this user swept the store with this manifest hash. files: the Python files of the model's code.

    Raises OSError where the user's state folder cannot be written.
    """
    code = {path: digest for path in files if (digest := _sha256(path)) is not None}
    content = asdict(Remembered(spec, weights, dataset, code)) | {"version": VERSION}
    path = _file(manifest)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=1, sort_keys=True)
        aside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def recall(manifest: str) -> Remembered | None:
    """Return what was noted of the store with this manifest hash; None for one that this user did not sweep here."""
    try:
        path = _file(manifest)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return None  # somebody else may have written it
            content = json.loads(file.read(_LARGEST))
        if content.pop("version") != VERSION:
            return None
        return Remembered(**content)
    except (OSError, *NONSENSE):
        return None


def module_file(name: str) -> Path | None:
    """Return the file of a module that would be imported from the current folder or as installed; imports nothing."""
    path: list[str] | None = [str(Path.cwd()), *sys.path]
    importlib.invalidate_caches()
    parts = name.split(".")
    for number in range(len(parts)):
        full = ".".join(parts[: number + 1])
        found = next(
            (spec for finder in sys.meta_path if (spec := finder.find_spec(full, path)) is not None), None
        )
        if found is None:
            return None
        if number == len(parts) - 1:
            return Path(found.origin).absolute() if found.origin and found.has_location else None
        if found.submodule_search_locations is None:
            return None
        path = list(found.submodule_search_locations)
    return None


def _file(manifest: str) -> Path:
    if not manifest or not set(manifest) <= _HEX:
        raise ValueError(f"{manifest!r} is not a SHA-256")
    home = os.environ.get("XDG_STATE_HOME") or ""
    state = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    return state / "unitscope" / "swept" / f"{manifest}.json"


def _sha256(path: str) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None

"""A dataset that is only some of the files in a folder: several paths, or patterns with `*`, `?`, `[…]`, `**`, `{a,b}`.

    expand(["data/part-*.parquet"])       ("data", ("part-*.parquet",))
    expand(["photos/train", "photos/val"])  ("photos", ("train/**", "val/**"))

A path that exists is taken literally, whatever characters it has. The dataset's own path is then the folder that all of
them are in, and the patterns say which of its files belong to the dataset.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import bracex
from wcmatch import glob

from ...common.errors import UsageError
from ..storage.folder import Entry, Folder

_MAGIC = re.compile(r"[*?\[{]")
_FLAGS = glob.GLOBSTAR | glob.FORCEUNIX | glob.CASE


def expand(paths: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the path of a dataset, and the patterns of its files below it; no pattern for one plain path.

    Raises UsageError for a path that is not there, and for paths of different places.
    """
    if len(paths) == 1 and (_exists(paths[0]) or not _MAGIC.search(paths[0])):
        return paths[0], ()
    found = [_split(path) for given in paths for path in _braces(given)]
    bases = [base for base, _ in found]
    common = _common(bases)
    skipped = len(common)
    patterns = ["/".join([*map(glob.escape, base[skipped:]), pattern]) for base, pattern in found]
    return "/".join(common) or ("/" if bases[0][:1] == ("",) else "."), tuple(dict.fromkeys(patterns))


def _braces(path: str) -> list[str]:
    """Return `{a,b}` and `{000..012}`, as WebDataset writes shards, written out; the path itself if it exists."""
    if _exists(path):
        return [path]
    try:
        return list(bracex.expand(path))
    except bracex.ExpansionLimitException as error:
        raise UsageError(f"{path} stands for too many paths: {error}") from error


def _split(path: str) -> tuple[tuple[str, ...], str]:
    """Return the folders before the first pattern of a path, and what follows as a pattern."""
    parts = tuple(path.rstrip("/").split("/"))
    if _exists(path):
        pattern = glob.escape(parts[-1])
        return parts[:-1], f"{pattern}/**" if _is_folder(path) else pattern
    first = next((number for number, part in enumerate(parts) if _MAGIC.search(part)), None)
    if first is None:
        if "://" in path:  # a bucket has no folders to ask for
            return parts[:-1], f"{glob.escape(parts[-1])}/**" if path.endswith("/") else glob.escape(
                parts[-1]
            )
        raise UsageError(f"{path} does not exist")
    return parts[:first], "/".join(parts[first:])


def _common(bases: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Raise UsageError where there is no common folder."""
    common: list[str] = []
    for parts in zip(*bases, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    mixed = len({"://" in "/".join(base[:3]) for base in bases}) > 1
    absolute = len({base[:1] == ("",) for base in bases}) > 1
    url = bases[0][:1] and bases[0][0].endswith(":")
    if mixed or absolute or (url and len(common) < 3):
        shown = ", ".join("/".join(base) or "." for base in bases[:4])
        raise UsageError(
            f"DATA are paths in different places ({shown}): a dataset is in one folder or bucket"
        )
    return tuple(common)


def _exists(path: str) -> bool:
    return "://" not in path and Path(path).exists()


def _is_folder(path: str) -> bool:
    return Path(path).is_dir()


class SelectedFolder(Folder):
    """A folder of which only the files that match one of some patterns are listed."""

    def __init__(self, url: str, patterns: Sequence[str]) -> None:
        super().__init__(url)
        self._patterns = tuple(patterns)

    def __reduce__(self) -> tuple[Callable[..., Folder], tuple[Any, ...]]:
        return SelectedFolder, (self.url, self._patterns)

    def entries(self, prefix: str = "", *, hidden: bool = True) -> Iterator[Entry]:
        """Do the same as `Folder.entries`, of the files that match."""
        for start in _prefixes(self._patterns):
            narrower = max(start, prefix, key=len)
            if not (start.startswith(prefix) or prefix.startswith(start)):
                continue
            for entry in super().entries(narrower, hidden=hidden):
                if is_selected(entry.name, self._patterns):
                    yield entry


def is_selected(name: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a file's relative path, or a folder that it is in, matches one of the patterns."""
    folder = name.rpartition("/")[0]
    return _matches(name, patterns) or (bool(folder) and _is_folder_selected(folder, patterns))


@lru_cache(maxsize=4096)
def _is_folder_selected(folder: str, patterns: tuple[str, ...]) -> bool:
    return is_selected(folder, patterns)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return glob.globmatch(name, list(patterns), flags=_FLAGS)


def _prefixes(patterns: Sequence[str]) -> list[str]:
    """Return what the names that match begin with, in byte order, none of which is the beginning of another."""
    found: list[str] = []
    for prefix in sorted({_literal(pattern) for pattern in patterns}, key=str.encode):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


def _literal(pattern: str) -> str:
    """Return the text of a pattern before its first sign that stands for something else."""
    text = re.match(r"(?:\\.|[^\\*?\[{!(])*", pattern)
    plain = re.sub(r"\\(.)", r"\1", text[0] if text else "")
    return plain if not plain.endswith(("/.", "/..")) else str(PurePosixPath(plain).parent)

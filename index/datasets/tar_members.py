"""Reads the headers of one tar and groups members into samples, as WebDataset does. Nothing is unpickled.

A member's key is its path up to the first dot of its last component, and members of one key side by side are a sample.
Tars that were made otherwise are read by `WHOLE` (members of one key lie apart) or `LAST_DOT` (the names have dots of
their own, so that the first dot would make one sample of many images); `Look` tells which of them a tar asks for.
"""

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, BinaryIO, Literal, NamedTuple

import pyarrow as pa

from ...common.errors import DatasetError
from .base import is_text
from .kinds import IMAGES

_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]*)", re.DOTALL)
"""Key and extension: the last component is cut at its first dot."""
_LAST_DOT_KEY = re.compile(r"((?:.*/)?[^/]+)\.([^/.]*)", re.DOTALL)
"""The same, cut at its last dot."""

Grouping = Literal["runs", "whole", "last-dot"]
RUNS: Grouping = "runs"
"""Members of one key side by side are a sample."""
WHOLE: Grouping = "whole"
"""Members of one key are a sample, wherever they lie in the tar."""
LAST_DOT: Grouping = "last-dot"
"""As WHOLE, with keys up to the last dot."""

_FEW = 3
_MAX_LABEL_BYTES = 1 << 12
_MAX_JSON_BYTES = 16 << 20

NO_IMAGE = "samples without an image member: not listed"
FURTHER_IMAGES = "further image members of samples that have one: not listed"
TWICE = "images whose name occurs more than once in its tar: each is listed, with (2), (3) … after its name"
BAD_JSON = ".json members that are not a JSON object: their metadata is null"
BAD_LABEL = ".cls members that are not short text: their label is null"


@dataclass(frozen=True)
class Sample:
    """An image of a tar.

    offset: where its bytes begin, None where the member holds none (a link, a sparse file).
    """

    member: str
    offset: int | None
    size: int
    label: str | None
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


class _Member(NamedTuple):
    """A member of a tar. text: the content of .cls and .json members."""

    name: str
    key: str
    extension: str
    offset: int | None
    size: int
    text: bytes | None


@dataclass
class Look:
    """What tells how a tar is to be grouped, noted while it is read by `RUNS`."""

    _ended: set[int] = field(default_factory=set[int])
    _apart: bool = False
    _samples: int = 0
    _further: Counter[str] = field(default_factory=Counter[str])

    def run(self, members: list["_Member"]) -> None:
        """Note the members of one key that lie side by side."""
        key = hash(members[0].key)
        self._apart |= key in self._ended
        self._ended.add(key)
        names = {member.extension for member in members if _is_image(member)}
        self._samples += bool(names)
        for extension in sorted(names, key=lambda each: (each.count("."), each))[1:]:
            self._further[extension] += 1

    @property
    def grouping(self) -> Grouping:
        """Return the grouping that loses nothing of this tar.

        Samples of several images (`left.jpg`, `right.jpg`) have the same extensions again and again; where most
        further extensions occur once, they are parts of names: unless there are only a few of them among many samples.
        """
        lost = self._further.total()
        if 2 * len(self._further) > lost and (lost > _FEW or lost >= self._samples):
            return LAST_DOT
        return WHOLE if self._apart else RUNS


def samples(
    file: pa.NativeFile,
    where: str,
    ignored: Counter[str],
    *,
    grouping: Grouping = RUNS,
    look: Look | None = None,
) -> Iterator[Sample]:
    """Yield the samples in the order of the tar; `ignored` counts what is passed over, under the names above.

    Other groupings than RUNS hold the names of the whole tar. look: takes note of what is read, by RUNS.
    raises: DatasetError naming `where` for what is not a tar, or is cut off or damaged.
    """
    members = _members(file, where, _LAST_DOT_KEY if grouping == LAST_DOT else _KEY)
    groups = _runs(members, look) if grouping == RUNS else _by_key(members)
    names: Counter[str] = Counter()
    for group in groups:
        sample = _sample(group, ignored)
        if sample is None:
            continue
        if grouping != RUNS:
            names[sample.member] += 1
            if names[sample.member] > 1:
                ignored[TWICE] += 1
                sample = replace(sample, member=f"{sample.member} ({names[sample.member]})")
        yield sample


def _runs(members: Iterator["_Member"], look: Look | None) -> Iterator[list["_Member"]]:
    for _, group in groupby(members, key=lambda member: member.key):
        run = list(group)
        if look is not None:
            look.run(run)
            if len({member.extension for member in run}) < len(run):
                look.run(run[:1])  # a name that occurs twice side by side: as if the members lay apart
        yield run


def _by_key(members: Iterator["_Member"]) -> Iterator[list["_Member"]]:
    """Group of one key in the order of their first members; an extension that occurs again begins another group."""
    groups: dict[tuple[str, int], list[_Member]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for member in members:
        name = (member.key, member.extension)
        groups.setdefault((member.key, seen[name]), []).append(member)
        seen[name] += 1
    yield from groups.values()


def _members(file: pa.NativeFile, where: str, keys: re.Pattern[str]) -> Iterator[_Member]:
    try:
        # "r:" refuses a compressed tar, whose members have no offsets.
        with tarfile.open(
            fileobj=_as_binary(file), mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # pyright: ignore[reportAttributeAccessIssue]  # it would keep every header
                member = _member(info, file, keys)
                if member is not None:
                    yield member
            _check_end(file, tar.offset)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DatasetError(
            f"{where} is not an uncompressed tar, or is damaged or cut off ({error}). "
            "Make or fetch the file again."
        ) from error


def _member(info: tarfile.TarInfo, file: pa.NativeFile, keys: re.Pattern[str]) -> _Member | None:
    name = info.name.removeprefix("./")
    found = keys.fullmatch(name)
    if info.isdir() or found is None or _is_hidden(name):
        return None
    extension = found[2].lower()
    plain = info.isreg() and not info.issparse()
    wanted = {"cls": _MAX_LABEL_BYTES, "json": _MAX_JSON_BYTES}.get(extension)
    text = None
    if wanted is not None and plain and info.size <= wanted:
        file.seek(info.offset_data)
        text = bytes(file.read(info.size))
    return _Member(name, found[1], extension, info.offset_data if plain else None, info.size, text)


def _is_hidden(name: str) -> bool:
    """Return hidden files, and what WebDataset keeps for itself (`__meta__`)."""
    last = name.rpartition("/")[2]
    return name.startswith(".") or "/." in name or last.startswith("__")


def _check_end(file: pa.NativeFile, offset: int) -> None:
    """Check the end: tarfile takes a damaged header for the end of the tar: a real one is zeros, or the end of the
    file.
    """
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"byte {offset} is not a header of a member")


def _sample(members: list[_Member], ignored: Counter[str]) -> Sample | None:
    images = [member for member in members if _is_image(member)]
    if not images:
        ignored[NO_IMAGE] += 1
        return None
    ignored[FURTHER_IMAGES] += len(images) - 1
    fields = _fields(members, ignored)
    label = _label(members, ignored)
    if label is None and not any(member.extension == "cls" for member in members):
        label = _json_label(fields)
    image = next((member for member in images if "." not in member.extension), images[0])
    return Sample(image.name, image.offset, image.size, label, fields)


def _is_image(member: _Member) -> bool:
    return f".{member.extension.rpartition('.')[2]}" in IMAGES


def _label(members: list[_Member], ignored: Counter[str]) -> str | None:
    for member in members:
        if member.extension == "cls":
            try:
                return (member.text or b"").decode().strip() or None
            except UnicodeDecodeError:
                ignored[BAD_LABEL] += 1
    return None


def _json_label(fields: dict[str, Any]) -> str | None:
    """Return, without a .cls member, the field `label` (or `cls`) of the .json."""
    value = fields.get("label", fields.get("cls"))
    if isinstance(value, str | int):
        return json.dumps(value) if isinstance(value, bool) else str(value)
    return None


def _fields(members: list[_Member], ignored: Counter[str]) -> dict[str, Any]:
    for member in members:
        if member.extension == "json":
            try:
                found = json.loads(member.text or b"")
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict):
                return {name: _text_or_none(value) for name, value in found.items() if is_text(name)}
            ignored[BAD_JSON] += 1
    return {}


def _text_or_none(value: Any) -> Any:
    """Return JSON can spell half of a surrogate pair, which no column can hold: escaped."""
    if isinstance(value, str) and not is_text(value):
        return value.encode(errors="backslashreplace").decode()
    return value


def _as_binary(file: pa.NativeFile) -> BinaryIO:
    return file  # pyright: ignore[reportReturnType]  # it has read, seek and tell, which is all that tarfile calls

"""Reads the headers of one tar and groups members into samples, as WebDataset does. Nothing is unpickled."""

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from ...common.errors import DatasetError
from .kinds import IMAGES
from .records import is_text

_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]*)", re.DOTALL)
"""Key and extension: the last component is cut at its first dot."""

_MAX_LABEL_BYTES = 1 << 12
_MAX_JSON_BYTES = 16 << 20

NO_IMAGE = "samples without an image member: not listed"
FURTHER_IMAGES = "further image members of samples that have one: not listed"
BAD_JSON = ".json members that are no JSON object: their metadata is null"
BAD_LABEL = ".cls members that are no short text: their label is null"


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


def samples(file: pa.NativeFile, where: str, ignored: Counter[str]) -> Iterator[Sample]:
    """The samples in the order of the tar; `ignored` counts what is passed over, under the names above.

    raises: DatasetError naming `where` for what is no tar, or is cut off or damaged.
    """
    for _, group in groupby(_members(file, where), key=lambda member: member.key):
        sample = _sample(list(group), ignored)
        if sample is not None:
            yield sample


def _members(file: pa.NativeFile, where: str) -> Iterator[_Member]:
    try:
        # "r:" refuses a compressed tar, whose members have no offsets.
        with tarfile.open(
            fileobj=_as_binary(file), mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # pyright: ignore[reportAttributeAccessIssue]  # it would keep every header
                member = _member(info, file)
                if member is not None:
                    yield member
            _check_end(file, tar.offset)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DatasetError(
            f"{where} is no uncompressed tar, or is damaged or cut off ({error}). "
            "Make or fetch the file again."
        ) from error


def _member(info: tarfile.TarInfo, file: pa.NativeFile) -> _Member | None:
    name = info.name.removeprefix("./")
    found = _KEY.fullmatch(name)
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
    """Hidden files, and what WebDataset keeps for itself (`__meta__`)."""
    last = name.rpartition("/")[2]
    return name.startswith(".") or "/." in name or last.startswith("__")


def _check_end(file: pa.NativeFile, offset: int) -> None:
    """tarfile takes a damaged header for the end of the tar: a real one is zeros, or the end of the file."""
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"byte {offset} is no header of a member")


def _sample(members: list[_Member], ignored: Counter[str]) -> Sample | None:
    images = [member for member in members if f".{member.extension.rpartition('.')[2]}" in IMAGES]
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


def _label(members: list[_Member], ignored: Counter[str]) -> str | None:
    for member in members:
        if member.extension == "cls":
            try:
                return (member.text or b"").decode().strip() or None
            except UnicodeDecodeError:
                ignored[BAD_LABEL] += 1
    return None


def _json_label(fields: dict[str, Any]) -> str | None:
    """Without a .cls member, the field `label` (or `cls`) of the .json."""
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
    """JSON can spell half of a surrogate pair, which no column can hold: escaped."""
    if isinstance(value, str) and not is_text(value):
        return value.encode(errors="backslashreplace").decode()
    return value


def _as_binary(file: pa.NativeFile) -> BinaryIO:
    return file  # pyright: ignore[reportReturnType]  # it has read, seek and tell, which is all that tarfile calls

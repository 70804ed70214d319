"""`manifest.json`: what a finished store is made of. It is written last, so a folder that has one is whole.

It holds nothing that differs between two runs of one plan: times and hosts are in the log.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from ...common.errors import StoreDamagedError, StoreError, StoreNotFoundError
from ...common.frame import Exif, Frame
from ..storage.damaged import NONSENSE, describe
from ..storage.folder import Folder, MissingFileError
from ..storage.hashed_file import PartRecord
from ..storage.layer_names import folder_name
from .files import MANIFEST, WORK
from .manifest_checks import check_frame, check_parts
from .schema import FORMAT_VERSION

Json = dict[str, Any]
"""A JSON object."""


@dataclass(frozen=True)
class Manifest:
    """What a store was made from, with what, and every file of it.

    fingerprints: SHA-256 of `weights`, `preprocessing`, `dataset`, `labels` and `plan`.
    model: `spec`, `weights`, `random`, `classes` (names or null), `preprocess`, `input_size`
    [height, width], `feature`, and, where there are such, `averaged`: the layers whose mean is a further feature, and
    `guessed`: the operators behind which a layer's receptive field may be too large.
    frame: `resize` and `crop`, as in `Frame`. dataset: `path`, `kind`, ….
    options: `k`, `batch_size`, `maxima_dtype`, `feature_dtype`, `allow_nonfinite`, ….
    counts: `images`, `ok`, `layers`, `units`, `labels` (distinct ones of the dataset, which stores of older releases
    lack), and `errors`: the number of images with each status but `ok`.
    files: path → its record, of every file of the store but this one.
    """

    fingerprints: dict[str, str]
    model: Json
    frame: Json
    dataset: Json
    labels: Any
    options: Json
    software: dict[str, str]
    machine: Json
    counts: Json
    files: dict[str, PartRecord]
    format_version: int = FORMAT_VERSION

    @property
    def errors(self) -> dict[str, int]:
        """The number of images with each status but `ok`."""
        return dict(self.counts.get("errors", {}))

    @property
    def exif(self) -> Exif:
        """Whether the sweep turned images as their EXIF orientation says; releases that do not say ignored it."""
        return "apply" if self.dataset.get("exif") == "apply" else "ignore"

    @property
    def averaged_layers(self) -> tuple[str, ...]:
        """The layers whose mean over positions is kept as a further feature, in order of execution."""
        return tuple(layer["name"] for layer in self.model.get("averaged", ()))

    def guessed(self, layer: str) -> tuple[str, ...]:
        """Return the operators without a rule for which a layer's receptive field is never too small, but may be too
        large.
        """
        return tuple(self.model.get("guessed", {}).get(layer, ()))

    @property
    def preprocessing(self) -> Frame:
        """The geometry of the model's preprocessing."""
        return frame_from_json(self.frame)

    @property
    def hash(self) -> str:
        """SHA-256 of the manifest's bytes: two stores with the same hash hold the same bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def parts(self, table: str) -> list[PartRecord]:
        """Return the records of a table's files, in order."""
        records = (record for path, record in self.files.items() if path.startswith(f"{table}/"))
        return sorted(
            (one for one in records if one.path.count("/") == table.count("/") + 1), key=lambda one: one.path
        )

    def parts_of_layer(self, table: str, layer: str) -> list[PartRecord]:
        """Return the records of a layer's files in the table `maxima` or `layer_features`, in order.

        Older releases put a layer whose name holds slashes into folders within each other.
        """
        return self.parts(f"{table}/{folder_name(layer)}") or self.parts(f"{table}/{layer}")

    def to_bytes(self) -> bytes:
        """Return the file's content: the same manifest gives the same bytes."""
        content = asdict(self)
        content["files"] = {
            path: {"rows": record.rows, "bytes": record.bytes, "sha256": record.sha256}
            for path, record in self.files.items()
        }
        text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        return f"{text}\n".encode()

    def write(self, folder: Folder) -> None:
        """Publish the manifest: from here on the store is finished."""
        folder.publish(MANIFEST, self.to_bytes())

    @staticmethod
    def read(folder: Folder) -> "Manifest":
        """Return the manifest of the store in `folder`.

        Raises StoreNotFoundError where there is none, StoreError for a newer format, StoreDamagedError for nonsense.
        """
        try:
            data = folder.read(MANIFEST)
        except MissingFileError:
            raise StoreNotFoundError(_why_none(folder)) from None
        return Manifest.from_bytes(data, where=folder.path(MANIFEST))

    @staticmethod
    def from_bytes(data: bytes, where: str = MANIFEST) -> "Manifest":
        """Do the same as `read`, from the file's content; `where` is for messages."""
        try:
            content = json.loads(data)
            version = content["format_version"]
        except NONSENSE as error:
            raise StoreDamagedError(
                f"store damaged: {where} is not a manifest ({describe(error)}); sweep again into a new folder"
            ) from error
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise StoreError(
                f"{where} has store format version {version}; this Unitscope reads version {FORMAT_VERSION}: "
                "install a newer one"
            )
        try:
            check_parts(content)
            known = _known(content)
            known["files"] = _files(content["files"])
            manifest = Manifest(**known)
            check_frame(manifest.preprocessing)
        except NONSENSE as error:
            raise StoreDamagedError(
                f"store damaged: {where} lacks parts of a manifest ({describe(error)}); sweep again into a new folder"
            ) from error
        return manifest


def files_of(records: Iterable[PartRecord]) -> dict[str, PartRecord]:
    """Return path → record, in the order of the paths."""
    return {record.path: record for record in sorted(records, key=lambda record: record.path)}


def frame_to_json(frame: Frame) -> Json:
    """Return what `Manifest.frame` holds."""
    return {
        "resize": list(frame.resize) if isinstance(frame.resize, tuple) else frame.resize,
        "crop": list(frame.crop) if frame.crop is not None else None,
    } | ({} if frame.crop_rounding == "even" else {"crop_rounding": frame.crop_rounding})


def frame_from_json(content: Json) -> Frame:
    """Return the Frame that `frame_to_json` was given."""
    resize, crop = content["resize"], content["crop"]
    return Frame(
        resize=cast("tuple[int, int]", tuple(resize)) if isinstance(resize, list) else resize,
        crop=cast("tuple[int, int]", tuple(crop)) if crop is not None else None,
        crop_rounding=content.get("crop_rounding", "even"),
    )


def _why_none(folder: Folder) -> str:
    """Return what is there instead of a finished store, and what to do."""
    again = f"`unitscope sweep DATA {folder.url} --model SPEC`"
    if next(folder.list(f"{WORK}/"), None) is not None:
        return f"{folder.url} holds an unfinished sweep; run the same {again} again to finish it"
    if next(folder.entries(hidden=False), None) is not None:
        anew = "`unitscope sweep DATA STORE --model SPEC` makes one in a new folder"
        return f"{folder.url} is not a store: it has other files, but no {MANIFEST}; {anew}"
    return f"no store at {folder.url}: there is nothing there; {again} makes one"


def _known(content: Json) -> Json:
    """Return only the fields of this version."""
    names = {field.name for field in fields(Manifest)}
    return {name: value for name, value in content.items() if name in names}


def _files(content: Json) -> dict[str, PartRecord]:
    return files_of(
        PartRecord(path, int(entry["rows"]), int(entry["bytes"]), str(entry["sha256"]))
        for path, entry in content.items()
    )

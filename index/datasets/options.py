"""`DatasetOptions`: how a dataset is to be read, where it does not say so itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...common.frame import Exif


@dataclass(frozen=True)
class DatasetOptions:
    """label, image: the columns of a Parquet file that hold them; None finds them by their names and types.

    exif: whether EXIF orientation is applied; None does what is usual for the kind of dataset.
    image_root: the folder in which the paths of images given by path begin; None is the Parquet file's own.
    select: patterns of the files below the dataset's path that belong to it (`selection.py`); none for all.
    """

    label: str | None = None
    image: str | None = None
    image_root: str | None = None
    exif: Exif | None = None
    select: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what is not the default, for manifests."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return given | ({"select": list(self.select)} if self.select else {})

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> "DatasetOptions":
        """Read what `to_json` gave, from among other keys."""
        known: dict[str, Any] = {
            field.name: content[field.name] for field in fields(DatasetOptions) if field.name in content
        }
        known["select"] = tuple(known.get("select") or ())
        return DatasetOptions(**known)


DEFAULT = DatasetOptions()

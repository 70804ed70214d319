"""Files of a store on a local disk or in a bucket: read, written aside and renamed, packed."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .backend import Entry
    from .bucket import BucketFiles
    from .errors import MissingFileError, NoAccessError
    from .folder import Folder
    from .local import LocalFiles
    from .packs import Packs
else:
    __getattr__ = lazy(
        __name__,
        BucketFiles="bucket",
        Entry="backend",
        Folder="folder",
        LocalFiles="local",
        MissingFileError="errors",
        NoAccessError="errors",
        Packs="packs",
    )

__all__ = [
    "BucketFiles",
    "Entry",
    "Folder",
    "LocalFiles",
    "MissingFileError",
    "NoAccessError",
    "Packs",
]

"""Which files are what, by their extension, and the errors for what is no dataset of one kind."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ...common.errors import DatasetError
from ..files import Entry, Folder

PARQUET = frozenset({".parquet", ".pq"})
TAR = frozenset({".tar"})
# fmt: off
IMAGES = frozenset(
    {
        ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg",
        ".jpg", ".jpx", ".jxl", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".sgi",
        ".tif", ".tiff", ".webp",
    }
)
OTHERS = frozenset(
    {
        ".7z", ".arrow", ".avi", ".bin", ".bz2", ".ckpt", ".cls", ".csv", ".db", ".gz", ".h5",
        ".hdf5", ".html", ".idx", ".json", ".jsonl", ".lmdb", ".log", ".mat", ".md", ".mdb", ".mkv",
        ".mov", ".mp4", ".npy", ".npz", ".onnx", ".pdf", ".pkl", ".pt", ".pth", ".py", ".pyd",
        ".rar", ".record", ".rst", ".safetensors", ".sh", ".sqlite", ".tfrecord", ".tgz", ".toml",
        ".tsv", ".txt", ".xml", ".xz", ".yaml", ".yml", ".zip", ".zst",
    }
)
# fmt: on
"""Known to hold no image; a folder of nothing else is no dataset."""

ALLOWED = (
    "A dataset is a folder of images, a Parquet file or a folder of them (columns image and label, as "
    "Hugging Face has them), or a WebDataset .tar or a folder of them."
)
_HINTS = {
    ".arrow": "Save Arrow files as Parquet (datasets.Dataset.to_parquet).",
    ".gz": "Unpack compressed files first.",
    ".tgz": "Unpack compressed files first.",
    ".zst": "Unpack compressed files first.",
    ".xz": "Unpack compressed files first.",
    ".bz2": "Unpack compressed files first.",
    ".zip": "Unpack archives first.",
    ".rar": "Unpack archives first.",
    ".7z": "Unpack archives first.",
}


def extension(name: str) -> str:
    """The last extension in lower case, with its dot."""
    return PurePosixPath(name).suffix.lower()


def hint(extensions: Iterable[str]) -> str:
    """What is allowed, and what to do about these."""
    return " ".join([ALLOWED, *sorted({_HINTS[each] for each in extensions if each in _HINTS})])


def no_images(path: str, found: Counter[str]) -> DatasetError:
    """The error for a folder that holds no image; found: files for each extension."""
    if not found:
        return DatasetError(f"{path} holds no files (hidden ones are not counted). {ALLOWED}")
    listed = ", ".join(f"{count} {each or 'without extension'}" for each, count in found.most_common(5))
    return DatasetError(f"{path} holds no images (found: {listed}). {hint(found)}")


def mixed(folder: Folder, name: str, kind: str) -> DatasetError:
    """The error for a file that belongs to another kind of dataset than the folder's first files."""
    return DatasetError(
        f"{folder.path(name)} is a {extension(name)} file among {kind}: a dataset is of one kind. "
        f"Give the sub-folder or file that is meant, or move this one away. {ALLOWED}"
    )


def files_of(folder: Folder, extensions: frozenset[str], kind: str) -> Iterator[Entry]:
    """The files with these extensions; others are passed over, unless they belong to another kind."""
    clash = (PARQUET | TAR | IMAGES) - extensions
    for entry in folder.entries(hidden=False):
        found = extension(entry.name)
        if found in clash:
            raise mixed(folder, entry.name, kind)
        if found in extensions:
            yield entry

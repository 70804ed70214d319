"""Tell files apart by their extension, and make the errors for what is not a dataset of one kind."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ...common.errors import DatasetError
from ..storage.folder import Entry, Folder

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
        ".7z", ".arff", ".arrow", ".avi", ".bak", ".bat", ".bib", ".bin", ".bz2", ".c", ".cfg", ".ckpt",
        ".cls", ".conf", ".cpp", ".css", ".csv", ".dat", ".data", ".db", ".doc", ".docx", ".feather",
        ".flac", ".geojson", ".gz", ".h5", ".hdf5", ".htm", ".html", ".idx", ".ini", ".ipynb", ".js",
        ".json", ".jsonl", ".lmdb", ".lnk", ".lock", ".log", ".m", ".mat", ".md", ".md5", ".mdb", ".mkv",
        ".mov", ".mp3", ".mp4", ".names", ".npy", ".npz", ".odt", ".onnx", ".part", ".pb", ".pdf",
        ".pickle", ".pkl", ".pt", ".pth", ".py", ".pyc", ".pyd", ".rar", ".record", ".rst", ".rtf",
        ".safetensors", ".sh", ".sha1", ".sha256", ".sqlite", ".sqlite3", ".srt", ".tfrecord", ".tgz",
        ".tmp", ".toml", ".torrent", ".tsv", ".txt", ".url", ".wav", ".xls", ".xlsx", ".xml", ".xz",
        ".yaml", ".yml", ".zip", ".zst",
    }
)
# fmt: on
"""Known to hold no image; a folder of nothing else is not a dataset."""

_OTHER_NAMES = frozenset(
    {
        "authors", "changelog", "changes", "checksums", "citation", "copying", "desktop.ini", "dockerfile",
        "done", "icon\r", "index", "labels", "licence", "license", "makefile", "manifest", "md5sum",
        "md5sums", "metadata", "notice", "read_me", "readme", "sha256sum", "sha256sums", "thumbs.db",
        "version", "_success",
    }
)  # fmt: skip
"""Files without an extension, or whose name says what they are, in lower case."""

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
    """Return the last extension in lower case, with its dot."""
    return PurePosixPath(name).suffix.lower()


def is_no_image(name: str) -> bool:
    """Return whether a file of this name is known to hold no image: by its extension, or its whole name."""
    last = name.rpartition("/")[2].lower()
    return extension(name) in OTHERS or last in _OTHER_NAMES or last.startswith("readme.")


def hint(extensions: Iterable[str]) -> str:
    """Return what is allowed, and what to do about these."""
    return " ".join([ALLOWED, *sorted({_HINTS[each] for each in extensions if each in _HINTS})])


def no_images(path: str, found: Counter[str]) -> DatasetError:
    """Return the error for a folder that holds no image; found: files for each extension."""
    if not found:
        return DatasetError(f"{path} holds no files (hidden ones are not counted). {ALLOWED}")
    listed = ", ".join(f"{count} {each or 'without extension'}" for each, count in found.most_common(5))
    return DatasetError(f"{path} holds no images (found: {listed}). {hint(found)}")


def mixed(folder: Folder, name: str, kind: str) -> DatasetError:
    """Return the error for a file that belongs to another kind of dataset than the folder's first files."""
    return DatasetError(
        f"{folder.path(name)} is a {extension(name)} file among {kind}: a dataset is of one kind. "
        f"Give the sub-folder or file that is meant, or move this one away. {ALLOWED}"
    )


def files_of(
    folder: Folder, extensions: frozenset[str], kind: str, *, sidecars: frozenset[str] = frozenset()
) -> Iterator[Entry]:
    """Yield the files with these extensions; others are passed over, unless they belong to another kind.

    sidecars: extensions of another kind's files that may lie beside a file that is named alike but for it.
    """
    clash = (PARQUET | TAR | IMAGES) - extensions
    waiting: dict[str, str] = {}
    stems: set[str] = set()
    for entry in folder.entries(hidden=False):
        found = extension(entry.name)
        if found in sidecars:
            waiting[stem(entry.name)] = entry.name
        elif found in clash:
            raise mixed(folder, entry.name, kind)
        if found in extensions:
            stems.add(stem(entry.name))
            yield entry
    for name in sorted(waiting.keys() - stems):
        raise mixed(folder, waiting[name], kind)


def stem(name: str) -> str:
    """Return the path without its last extension."""
    return name[: len(name) - len(extension(name))]

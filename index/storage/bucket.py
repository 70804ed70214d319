"""Files under a bucket prefix (S3, GCS, any fsspec URL): the raw operations behind `Folder`, without retries."""

import errno
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import pyarrow as pa

from ...common.errors import UsageError
from .backend import Entry
from .errors import attempt

_INSTALL = {
    "s3": "pip install 'unitscope[s3]'",
    "s3a": "pip install 'unitscope[s3]'",
    "gs": "pip install 'unitscope[gcs]'",
    "gcs": "pip install 'unitscope[gcs]'",
}
_READ_AHEAD = 1 << 20


class BucketFiles:
    """One prefix of one bucket."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._protocol = url.partition("://")[0]
        self._system, self._root = _connect(url, self._protocol)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def local_path(self, name: str) -> Path | None:
        del name
        return None

    def refused(self, name: str) -> str | None:
        """Return None: a bucket has no links."""
        del name
        return None

    def read(self, name: str, offset: int, length: int | None) -> bytes:
        if length == 0:
            return b""
        end = None if length is None else offset + length
        try:
            return bytes(self._system.cat_file(self._path(name), start=offset or None, end=end))
        except OSError as error:
            # S3 refuses a range that begins past the end, where a disk gives nothing.
            if offset and error.errno == errno.EINVAL and offset >= (self.entry(name).size or 0):
                return b""
            raise

    def open(self, name: str) -> pa.NativeFile:
        file = self._system.open(self._path(name), "rb", block_size=_READ_AHEAD, cache_type="readahead")
        return pa.PythonFile(file, "r")

    def entry(self, name: str) -> Entry:
        found = self._system.info(self._path(name))
        if found["type"] != "file":
            raise FileNotFoundError(self._path(name))
        return Entry(name, int(found["size"]), _etag(found))

    def entries(self, prefix: str, *, hidden: bool) -> Iterator[Entry]:
        found = self._paged(prefix) if self._protocol in {"s3", "s3a"} else self._by_folder(prefix)
        for entry in found:
            name = entry.name
            if not name or name.endswith("/"):  # a folder's own marker
                continue
            if not hidden and (name.startswith(".") or "/." in name):
                continue
            yield entry

    @contextmanager
    def aside(self, name: str) -> Generator[Path]:
        """Return a local file that `commit` uploads."""
        del name
        with tempfile.TemporaryDirectory(prefix="unitscope-") as folder:
            yield Path(folder) / "aside"

    def flush(self, file: BinaryIO) -> None:
        file.flush()

    def commit(self, aside: Path, name: str, *, new: bool) -> bool:
        """Upload the file; False where `new` and the name is taken.

        S3 is asked with If-None-Match, GCS with ifGenerationMatch, through fsspec's mode "create".
        """
        path = self._path(name)
        try:
            if new:
                self._system.put_file(str(aside), path, mode="create")
            else:
                self._system.put_file(str(aside), path)
        except FileExistsError:
            return False
        return True

    def remove(self, name: str) -> None:
        try:
            self._system.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def remove_tree(self, name: str) -> None:
        batch: list[str] = []
        for entry in self.entries(f"{name}/", hidden=True):
            batch.append(self._path(entry.name))
            if len(batch) == 1000:
                self._system.rm(batch)
                batch = []
        if batch:
            self._system.rm(batch)

    def clean_temporary(self, *, living: bool) -> None:
        """Do nothing: an upload appears whole or not at all: there is nothing to remove."""

    def _paged(self, prefix: str) -> Iterator[Entry]:
        """Return S3 lists all keys under a prefix in UTF-8 byte order, page by page."""
        bucket, _, key = self._path(prefix).partition("/")
        skip = len(self._root.partition("/")[2])
        skip += 1 if skip else 0
        more: dict[str, Any] = {}
        while True:
            page = attempt(
                f"{self.url}/{prefix}",
                lambda more=more: self._system.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, **more),
            )
            for found in page.get("Contents", []):
                yield Entry(found["Key"][skip:], int(found["Size"]), _etag(found))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _by_folder(self, prefix: str) -> Iterator[Entry]:
        """Return other systems are asked folder by folder; a folder sorts as its name with a slash."""
        stack = [iter(self._names(prefix.rpartition("/")[0]))]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
                continue
            name, entry = found
            if name.endswith("/"):
                if name.startswith(prefix) or prefix.startswith(name):
                    stack.append(iter(self._names(name.removesuffix("/"))))
            elif name.startswith(prefix):
                yield entry

    def _names(self, folder: str) -> list[tuple[str, Entry]]:
        """Return the sorted names below a folder, those of folders with a slash at the end."""

        def ls() -> list[dict[str, Any]]:
            try:
                return self._system.ls(self._path(folder) if folder else self._root, detail=True)
            except FileNotFoundError:
                return []

        skip = len(self._root) + 1
        named: list[tuple[str, Entry]] = []
        for found in attempt(f"{self.url}/{folder}", ls):
            name = str(found["name"])[skip:].rstrip("/")
            if found["type"] == "directory":
                named.append((f"{name}/", Entry(f"{name}/", None)))
            elif name and name != folder:
                named.append((name, Entry(name, int(found["size"]), _etag(found))))
        return sorted(named, key=lambda pair: pair[0].encode())


def _etag(found: dict[str, Any]) -> str | None:
    etag = found.get("ETag") or found.get("etag") or found.get("generation")
    return None if etag is None else str(etag).strip('"')


def _connect(url: str, protocol: str) -> tuple[Any, str]:
    """Return (file system, root path without a slash at the end).

    raises: UsageError for an unknown protocol, or one whose library is not installed.
    """
    try:
        # Listings are not cached: another worker's commit must be seen at once.
        system, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        install = _INSTALL.get(protocol, f"install fsspec's library for {protocol}://")
        raise UsageError(
            f"{url}: the library for {protocol}:// is not installed ({error}). Do: {install}"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{url}: {error}. Give a local path, s3://bucket/prefix or gs://bucket/prefix."
        ) from error
    return system, str(root).rstrip("/")

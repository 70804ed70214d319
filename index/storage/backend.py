"""What a listing says about one file, the same for disks and buckets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a folder.

    name: relative POSIX path; bytes of a local name that are not UTF-8 stand as surrogate escapes.
    size: bytes, or None for what is not a regular file (a socket, a pipe, a device, a broken link).
    etag: the bucket's own word for the content, None on local disks.
    """

    name: str
    size: int | None
    etag: str | None = None

"""Templates as they were compiled by an earlier start of the service: that takes a third of a second."""

from contextlib import suppress
from importlib import metadata

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket

_RELEASES = "_".join(metadata.version(name) for name in ("unitscope", "jinja2"))


class _Compiled(FileSystemBytecodeCache):
    """In a folder of the user's own among the temporary ones; each file is bound to its template's text."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Leave the bucket empty where nothing can be read."""
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Do without where nothing can be written."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def compiled_before() -> FileSystemBytecodeCache | None:
    """Return None where there is no folder that others cannot write to."""
    try:
        return _Compiled(pattern=f"unitscope_{_RELEASES}_%s.cache")
    except (OSError, RuntimeError):
        return None

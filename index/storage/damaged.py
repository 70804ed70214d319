"""Turns whatever a damaged or crafted file makes its reader raise into one error: the store is damaged."""

import struct
from collections.abc import Generator
from contextlib import contextmanager

import pyarrow as pa

from ...common.errors import StoreDamagedError, UnitscopeError
from .errors import MissingFileError, NoAccessError

NONSENSE: tuple[type[Exception], ...] = (
    pa.ArrowException,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    EOFError,
    RecursionError,
    MemoryError,
    AssertionError,
    struct.error,
)
"""Raised by readers whose file is of their kind, but not what they were written for."""
_SHOWN = 300


@contextmanager
def reading(where: str, remedy: str = "") -> Generator[None]:
    """Raise StoreDamagedError for whatever reading `where` raises, but for our own errors.

    where: the file, as messages name it. remedy: what to do; by default to ask `verify`.
    """
    try:
        yield
    except (MissingFileError, FileNotFoundError) as error:
        raise damaged(where, "it is missing", remedy) from error
    except NoAccessError:
        raise
    except UnitscopeError:
        raise
    except (*NONSENSE, OSError) as error:
        raise damaged(where, describe(error), remedy) from error


def damaged(where: str, why: str, remedy: str = "") -> StoreDamagedError:
    """Return the error for a file that cannot be used."""
    then = remedy or "`unitscope verify STORE` lists what is damaged"
    return StoreDamagedError(f"store damaged: {where} cannot be read ({why}); {then}")


def describe(error: BaseException) -> str:
    """Return what an exception says, on one short line."""
    text = " ".join(str(error).split())[:_SHOWN]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

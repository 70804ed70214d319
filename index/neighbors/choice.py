"""Which index the features get: pure functions of rows, width and memory."""

from dataclasses import dataclass
from typing import Literal

FLAT_BYTES = 16 << 20
"""Up to here an exact pass over the features takes about a millisecond, and no index is needed."""
MOST_DIMENSIONS = 256
DEFAULT_MEMORY = 4 << 30
"""Bytes that the codes of an index may take in memory."""
_TRAINING_ROWS_PER_LIST = 64
_HNSW_LISTS = 8192
"""From here on the lists themselves are found by a graph instead of by trying each."""


@dataclass(frozen=True)
class AnnChoice:
    """kind: "flat" (exact search) or "ivf" (PCA, inverted lists, quantised codes, exact re-ranking).

    lists: inverted lists. training: rows that they are learned from. dimensions: the PCA dimensions among which
    the build chooses by measuring; ascending.
    """

    kind: Literal["flat", "ivf"]
    lists: int = 0
    training: int = 0
    dimensions: tuple[int, ...] = ()


def choose(rows: int, width: int) -> AnnChoice:
    """Return the type of index for `rows` features of `width` numbers."""
    if rows * width * 4 <= FLAT_BYTES or rows < 4096:
        return AnnChoice("flat")
    lists = 1 << (int(4 * rows**0.5).bit_length() - 1)  # about 4 sqrt(rows), as FAISS's guidelines have it
    sizes = [size for size in (32, 64, 96, 128, 192, MOST_DIMENSIONS) if size < width]
    if width <= MOST_DIMENSIONS:
        sizes.append(width)
    return AnnChoice("ivf", lists, min(rows, _TRAINING_ROWS_PER_LIST * lists), tuple(sizes))


def factory(choice: AnnChoice, rows: int, dimensions: int, memory: int = DEFAULT_MEMORY) -> str:
    """Return the FAISS factory string: the finest code that fits into `memory` bytes, or else the smallest."""
    coarse = f"IVF{choice.lists}" + ("_HNSW32" if choice.lists >= _HNSW_LISTS else "")
    if rows * dimensions <= memory:
        return f"{coarse},SQ8"
    if rows * dimensions // 2 <= memory or dimensions % 4:
        return f"{coarse},SQ4"
    return f"{coarse},PQ{dimensions // 4}"

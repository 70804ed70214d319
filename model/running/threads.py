"""How many threads of torch one operation is computed by."""

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def intra_op_threads(count: int) -> Generator[None]:
    """Compute each operation by so many threads; with one, sums are always made in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

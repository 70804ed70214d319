"""Arrow record batches, cut anew into blocks of so many rows."""

from collections.abc import Iterable, Iterator

import pyarrow as pa


def regroup(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[list[pa.RecordBatch]]:
    """Yield the same rows in blocks of exactly `rows` rows, but for the last, without a copy."""
    block: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        offset = 0
        while offset < batch.num_rows:
            piece = batch.slice(offset, rows - held)
            block.append(piece)
            offset += piece.num_rows
            held += piece.num_rows
            if held == rows:
                yield block
                block, held = [], 0
    if block:
        yield block

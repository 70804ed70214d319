"""The `top` column of units.parquet: a unit's top-k patches with their boxes in the original images."""

import numpy as np
import pyarrow as pa

from ...common.errors import StoreDamagedError
from ...common.frame import Frame
from ..stats.topk import TopK
from .boxes import patches
from .columns import Columns
from .layer_row import LayerRow
from .schema import PATCH_TYPE


def top_column(
    top: TopK, layer: LayerRow, frame: Frame, images: Columns, *, units: np.ndarray
) -> pa.ListArray:
    """Return (rows,) list<PATCH_TYPE>: the patches of a selection, with their boxes in the original images.

    units: (rows,) integer, the unit of each row of `top`.
    """
    there = top.image_ids >= 0
    ids, flat = top.image_ids[there], top.positions[there]
    widths, heights = _sizes(ids, images, layer)
    where = patches(flat, layer, frame, widths, heights, units=units[np.nonzero(there)[0]])
    columns = [top.values[there], ids, where.y, where.x, *where.boxes.T, *where.views.T]
    structs = pa.StructArray.from_arrays(
        [pa.array(np.ascontiguousarray(column)) for column in columns], fields=list(PATCH_TYPE)
    )
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs)


def _sizes(ids: np.ndarray, images: Columns, layer: LayerRow) -> tuple[np.ndarray, np.ndarray]:
    """Return (patches,) int32 widths and heights of the patches' images, each looked up once. Raises
    StoreDamagedError.
    """
    encoded = pa.array(ids).dictionary_encode()
    distinct, place = encoded.dictionary.to_numpy(), encoded.indices.to_numpy()
    widths, heights = (images.take(name, distinct) for name in ("width", "height"))
    if widths.null_count or heights.null_count:
        unknown = distinct[widths.is_null().to_numpy() | heights.is_null().to_numpy()]
        raise StoreDamagedError(
            f"image {unknown[0]} has a maximum in {layer.layer}, but images/ has no size of it"
        )
    return widths.to_numpy()[place], heights.to_numpy()[place]

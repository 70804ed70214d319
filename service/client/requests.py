"""Makes questions: addresses with their parts quoted, and readers of answers as JSON, Arrow and pictures."""

import io
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import numpy as np
from PIL import Image
from pydantic import BaseModel

from ..schemas import arrow as arrow_answers
from ..schemas.base import Table
from .endpoint import Paged
from .exchange import Fetch, Parameter, Question
from .rows import Rows

A = TypeVar("A", bound=Table)
M = TypeVar("M", bound=BaseModel)
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the original image; x1 and y1 are outside."""
Corners = Sequence[tuple[float, float]]
"""x, y of the corners of a polygon on a map, at least three."""
ImageLike = bytes | str | PathLike[str] | Image.Image
"""An image file's bytes or path, or an image."""


def one(answer: type[M], path: str, **parameters: Parameter) -> Question[M]:
    """Build one for an answer that is not a table."""

    def read(response: httpx.Response, _: Fetch) -> M:
        return answer.model_validate_json(response.content)

    return Question(path, read, parameters, accept="application/json")


def table(answer: type[A], path: str, **parameters: Parameter) -> Question[Rows[A, Any]]:
    """Build one for a table."""
    return Question(path, _rows(answer), parameters, accept=arrow_answers.MEDIA_TYPE)


def posted(
    answer: type[A],
    path: str,
    parameters: Mapping[str, Parameter],
    *,
    json: Any = None,
    content: bytes | None = None,
) -> Question[Rows[A, Any]]:
    """Build one for a table, about what is in the request's body."""
    return Question(path, _rows(answer), parameters, "POST", arrow_answers.MEDIA_TYPE, json, content)


def paged(answer: type[A], path: str, **parameters: Parameter) -> Paged[A, Any]:
    """Build one for a table in pages."""
    return Paged(lambda cursor, limit: table(answer, path, **parameters, cursor=cursor, limit=limit))


def picture(path: str, **parameters: Parameter) -> Question[Image.Image]:
    """Build one for a picture."""
    return Question(path, lambda response, _: read_picture(response), parameters, accept="image/*")


def read_picture(response: httpx.Response) -> Image.Image:
    """Return the picture of an answer. Raises ValueError for what is none."""
    try:
        image = Image.open(io.BytesIO(response.content))
        image.load()
    except OSError as error:
        raise ValueError(f"it is not a picture: {error}") from error
    return image


def array(path: str, **parameters: Parameter) -> Question[np.ndarray]:
    """Build one for a NumPy file."""

    def read(response: httpx.Response, _: Fetch) -> np.ndarray:
        return np.load(io.BytesIO(response.content), allow_pickle=False)

    return Question(path, read, parameters, accept="application/octet-stream")


def _rows(answer: type[A]) -> Any:
    def read(response: httpx.Response, fetch: Fetch) -> Rows[A, Any]:
        return Rows.read(answer, response, fetch)

    return read


def part(text: str) -> str:
    """Return a part of an address."""
    return quote(text, safe="")


def box_text(box: Box) -> str:
    """Return a box as addresses hold it."""
    return ",".join(str(int(edge)) for edge in box)


def corners_text(corners: Corners) -> str:
    """Return a polygon as addresses hold it: a ten-thousandth of a cell is as fine as it goes."""
    return ";".join(f"{x:.4f},{y:.4f}" for x, y in corners)


def file_of(image: ImageLike) -> bytes:
    """Return the bytes of an image file; an image becomes a PNG."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, Image.Image):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()
    return Path(image).read_bytes()


API = "/api/v1/stores"


class StorePath:
    """The addresses of a store. name: as the service lists it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = f"{API}/{part(name)}"

    def layer_path(self, layer: str) -> str:
        """Return the path of a layer."""
        return f"{self.path}/layers/{part(layer)}"

    def unit_path(self, layer: str, unit: int) -> str:
        """Return the path of a unit."""
        return f"{self.layer_path(layer)}/units/{unit}"

    def image_path(self, image_id: int) -> str:
        """Return the path of an image."""
        return f"{self.path}/images/{image_id}"

    def atlas_path(self, name: str) -> str:
        """Return the path of an atlas."""
        return f"{self.path}/atlases/{part(name)}"

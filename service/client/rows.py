"""The rows of an answer, as the client gives them: a sequence, Arrow, pandas, and pictures in a notebook."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import httpx
import pyarrow as pa
from pydantic import BaseModel

from ..schemas import arrow as arrow_answers
from ..schemas.base import Table
from .exchange import Fetch

if TYPE_CHECKING:
    import pandas as pd

A = TypeVar("A", bound=Table)
R = TypeVar("R", bound=BaseModel)

SHOWN = 60
"""Rows that a notebook shows; a picture is fetched for each."""
_PICTURES = ("crop", "picture", "thumb")
"""Fields with the address of a picture, the best first."""


class Rows(Sequence[R], Generic[A, R]):
    """The rows of one answer; a slice is a list of them. answer: all of it. arrow: the rows, with what else it says.

    In a notebook it shows itself, with a picture of each row that has one.
    """

    def __init__(self, answer: A, arrow: pa.Table, fetch: Fetch) -> None:
        self.answer = answer
        self.arrow = arrow
        self._fetch = fetch

    @staticmethod
    def read(answer: type[A], response: httpx.Response, fetch: Fetch) -> "Rows[A, Any]":
        """Raise ValueError for a response that is no such table."""
        with pa.ipc.open_stream(response.content) as stream:
            table = stream.read_all()
        return Rows(arrow_answers.from_table(answer, table), table, fetch)

    def joined(self, others: Sequence["Rows[A, R]"]) -> "Rows[A, R]":
        """Return these rows and those of the pages after them."""
        if not others:
            return self
        rows = [row for page in (self, *others) for row in page.rows]
        last: dict[str, Any] = {"next": getattr(others[-1].answer, "next", None)}
        answer = self.answer.model_copy(update={self.answer.ROWS: rows, **last})
        columns = pa.concat_tables([self.arrow, *(page.arrow for page in others)])
        facts = answer.model_dump(mode="json", exclude={self.answer.ROWS})
        arrow = columns.replace_schema_metadata({arrow_answers.FACTS: json.dumps(facts).encode()})
        return Rows(answer, arrow, self._fetch)

    @property
    def rows(self) -> list[R]:
        """As a list."""
        return getattr(self.answer, self.answer.ROWS)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> list[R]: ...
    def __getitem__(self, index: int | slice) -> R | list[R]:
        return self.rows[index]

    def __repr__(self) -> str:
        return f"<{len(self)} {self.answer.ROWS}: {_facts(self.answer)}>"

    def to_pandas(self) -> "pd.DataFrame":
        """Return one column for each field of the rows. Needs pandas (`pip install 'unitscope[pandas]'`)."""
        frame = self.arrow.to_pandas()
        for column in self.arrow.schema:
            if column.metadata == arrow_answers.ENCODED:
                frame[column.name] = frame[column.name].map(json.loads, na_action="ignore")
        return frame

    def _repr_html_(self) -> str:
        """Draw it for notebooks."""
        shown = self.rows[:SHOWN]
        more = len(self) - len(shown)
        body = _pictures(shown, self._fetch) if shown and _picture_of(shown[0]) else _table(shown)
        rest = f"<p>… and {more:,} more</p>" if more else ""
        return f"<div>{_warning(self.answer)}<p><small>{escape(_facts(self.answer))}</small></p>{body}{rest}</div>"


def picture_address(row: BaseModel) -> str | None:
    """Return where the picture that shows a row best is: of a patch its view, of an image its thumbnail."""
    return _picture_of(row)


def _picture_of(row: BaseModel) -> str | None:
    for name in _PICTURES:
        address = getattr(row, name, None)
        if isinstance(address, str):
            return address
    return None


def _facts(answer: Table) -> str:
    """Return what the answer says beside its rows, on a line; of its provenance only what makes it less than exact."""
    said = {name: getattr(answer, name) for name in type(answer).model_fields if name not in _UNSAID}
    return ", ".join(
        f"{name} {_text(value)}"
        for name, value in said.items()
        if name != answer.ROWS
        and value is not None
        and not isinstance(value, BaseModel)
        and _USUAL.get(name) != value
    )


_UNSAID = frozenset({"manifest", "weights", "random", "next"})
_USUAL = {"maxima_dtype": "float32", "feature_dtype": "float32", "precision": "exact"}


def _warning(answer: Table) -> str:
    """Return what keeps an answer from being true of a trained model."""
    if not getattr(answer, "random", False):
        return ""
    return "<p><strong>Random weights: nothing here says anything about a trained model.</strong></p>"


def _pictures(rows: Sequence[BaseModel], fetch: Fetch) -> str:
    figures = "".join(
        f'<figure style="margin:0;width:112px">{_image(row, fetch)}'
        f'<figcaption style="font-size:11px;line-height:1.3">{_caption(row)}</figcaption></figure>'
        for row in rows
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{figures}</div>'


def _image(row: BaseModel, fetch: Fetch) -> str:
    address = _picture_of(row)
    found = _data_uri(fetch(address)) if address else None
    look = "width:112px;height:112px;object-fit:contain;background:#808080"
    if found is None:
        return f'<div style="{look}"></div>'
    return f'<img alt="" style="{look}" src="{found}">'


def _data_uri(picture: bytes | None) -> str | None:
    """Return None for what is not a picture: its kind is told from its own first bytes."""
    for start, kind in _KINDS.items():
        if picture and picture.startswith(start):
            return f"data:image/{kind};base64,{b64encode(picture).decode()}"
    return None


_KINDS = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n": "png", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}


_NUMBERS = ("value", "distance", "correlation", "max", "loss")


def _caption(row: BaseModel) -> str:
    """Return what a person looks for first, each on its line."""
    said = row.__dict__
    numbers = [f"#{said['rank']}"] if said.get("rank") is not None else []
    numbers += [f"{name} {_text(said[name])}" for name in _NUMBERS if said.get(name) is not None]
    thing = [f"{name.removesuffix('_id')} {said[name]}" for name in ("image_id", "unit") if name in said][:1]
    label = said.get("label_class") or said.get("label")
    label = label or ", ".join(one.label_class or one.label for one in said.get("labels") or ())
    lines = [" ".join(numbers), *thing, label]
    lines += [f"→ {one.predicted_class or one.predicted}" for one in said.get("predictions") or ()]
    if said.get("predicted_class") and said["predicted_class"] != label:
        lines.append(f"→ {said['predicted_class']}")
    return "<br>".join(escape(str(line)) for line in lines if line)


def _table(rows: Sequence[BaseModel]) -> str:
    if not rows:
        return "<p>none</p>"
    names = list(type(rows[0]).model_fields)
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(_text(getattr(row, name)))}</td>' for name in names)}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

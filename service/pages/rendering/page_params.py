"""What the addresses of pages may hold: the parameters that several pages share."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator, Field

from ...stores.urls import BOX_PATTERN


def _blank(value: Any) -> Any:
    return None if value == "" else value


EMPTY = BeforeValidator(_blank)
"""A form sends its empty fields too: they ask for nothing."""

HowMany = Annotated[int, Query(ge=1, le=200)]
Start = Annotated[int, Query(ge=0, le=2**53, description="place in the list, from 0")]
Where = Annotated[Annotated[str, Field(max_length=4000)] | None, EMPTY, Query(description="a filter")]
Share = Annotated[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None, EMPTY, Query()]
Name = Annotated[Annotated[str, Field(max_length=1000)] | None, EMPTY, Query()]
UnitNumber = Annotated[Annotated[int, Field(ge=0, le=2**31)] | None, EMPTY, Query()]
BoxText = Annotated[
    Annotated[str, Field(pattern=BOX_PATTERN)] | None, EMPTY, Query(description="x0,y0,x1,y1 in pixels")
]
Pixel = Annotated[Annotated[int, Field(ge=-(10**8), le=10**8)] | None, EMPTY, Query()]

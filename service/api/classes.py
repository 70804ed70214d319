"""The API's classes, and what is noteworthy in a store."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ...index.analysis.classes import ClassSort
from ..http.openapi import TABLE
from ..http.responses import answer
from ..http.strict_params import StrictRoute
from ..params.common import Cursor, Limit, Order, StoreName, is_descending
from ..queries import classes as class_queries
from ..schemas.classes import ClassesAnswer, OneClassAnswer, OverviewAnswer

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)


@router.get("/{store}/overview", response_model=OverviewAnswer, responses=TABLE)
def overview(request: Request, store: StoreName) -> Response:
    """Return what is noteworthy: dead units, weakest classes, worst confusions, most selective units, failed images."""
    return answer(request, store, class_queries.overview)


@router.get("/{store}/classes", response_model=ClassesAnswer, responses=TABLE)
def list_classes(
    request: Request,
    store: StoreName,
    *,
    sort: Annotated[
        ClassSort, Query(description="equal ones by label, those without a value last")
    ] = "label",
    order: Order = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Return the classes: the labels of the dataset, with how well each is recognised, a page at a time."""
    return answer(
        request,
        store,
        lambda served: class_queries.classes(
            served, sort=sort, descending=is_descending(order), cursor=cursor, limit=limit
        ),
    )


@router.get("/{store}/classes/{label:label}", response_model=OneClassAnswer, responses=TABLE)
def one_class(
    request: Request,
    store: StoreName,
    label: Annotated[str, Path(max_length=1000, description="as the dataset writes it; it may hold slashes")],
) -> Response:
    """Return one class: its confusions, most selective units, hardest and most typical images."""
    return answer(request, store, lambda served: class_queries.one_class(served, label))


@router.get("/{store}/class", response_model=OneClassAnswer, responses=TABLE)
def class_of_label(
    request: Request,
    store: StoreName,
    label: Annotated[
        str, Query(max_length=1000, description="any, also those that no path can end with: `..`")
    ],
) -> Response:
    """Return the same, by a label in the query."""
    return answer(request, store, lambda served: class_queries.one_class(served, label))


@router.get("/{store}/label-indices/{label_index}/class", response_model=OneClassAnswer, responses=TABLE)
def class_of_index(
    request: Request, store: StoreName, label_index: Annotated[int, Path(ge=0, le=2**31 - 1)]
) -> Response:
    """Return the same, of the class that the model has under a number; of several labels the first."""
    return answer(request, store, lambda served: class_queries.class_of_index(served, label_index))

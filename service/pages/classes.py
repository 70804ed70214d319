"""What the pages of the classes show."""

from collections.abc import Mapping

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from ...index.analysis.classes import ClassSort
from ..queries import classes as class_queries
from ..schemas.classes import ClassesAnswer
from ..stores.registry import ServedStore
from .rendering.page import page
from .rendering.sections import given, soon
from .rendering.urls import images_url, label_is

SHOWN = 100
SORTS = {
    "label": "label",
    "accuracy": "accuracy",
    "images": "images",
    "mean_loss": "mean loss",
}


def classes(
    request: Request,
    served: ServedStore,
    *,
    sort: ClassSort,
    descending: bool | None,
    cursor: str | None,
    asked: Mapping[str, object],
) -> Response:
    """Return the classes, a page at a time. asked: the parameters of the address. Raises UsageError."""
    answer: ClassesAnswer = class_queries.classes(
        served, sort=sort, descending=descending, cursor=cursor, limit=SHOWN
    )
    return page(
        request,
        "classes.html",
        **given(served),
        classes=answer,
        labels=int(served.store.manifest.counts.get("labels", 0)),
        sort=sort,
        sorts=SORTS,
        order=asked.get("order"),
        asked=asked,
        cursor=cursor,
    )


def one_class(request: Request, served: ServedStore, label: str, *, typical: bool) -> Response:
    """Return one class. typical: wait for its most typical images. Raises NotFoundError.

    In a store with too many labels to keep anything by class: the images of the label.
    """
    facts = served.analysis.classes
    if not facts.rows() and int(served.store.manifest.counts.get("labels", 0)):
        return RedirectResponse(images_url(served.name, where=label_is(label)), 303)
    facts.find(label)
    found = soon(lambda: facts.typical(label, class_queries.IMAGES), wait=typical)
    answer = class_queries.one_class(served, label, typical=found is not None)
    rows = facts.ordered("accuracy", descending=True)
    known = [row for row in rows if row.accuracy is not None]
    rank = None
    if answer.accuracy is not None:
        rank = 1 + sum(row.accuracy > answer.accuracy for row in known if row.accuracy is not None)
    labels = {row.label_index: row.label for row in facts.rows()}
    return page(
        request,
        "class.html",
        **given(served),
        one=answer,
        rank=rank,
        ranked=len(known),
        labels=labels,
        known=found is not None,
    )

"""The pages: one for each question, made on the server. Each view is an address that can be sent to a colleague."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates

from ..common.errors import UnitscopeError
from . import ask
from .atlas_answers import describe_atlas, grid
from .problems import status_of
from .registry import Registry, ServedStore

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parent / "templates")
PATCHES = 24
NEIGHBORS = 24
GRID_CELLS = 40
UNITS_SHOWN = 60


def _number(value: float | None, digits: int = 3) -> str:
    """A number for people: `digits` significant digits, thousands apart; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.{digits}g}"


templates.env.filters["number"] = _number
templates.env.filters["part"] = lambda text: quote(str(text), safe="")


def _page(request: Request, name: str, **values: Any) -> HTMLResponse:
    return templates.TemplateResponse(request, name, values)


def _served(request: Request, store: str) -> ServedStore:
    registry: Registry = request.app.state.registry
    return registry.get(store)


def _failed(request: Request, error: UnitscopeError, **values: Any) -> HTMLResponse:
    """A page that says why there is no answer, and what to do."""
    status, title = status_of(error)
    response = _page(request, "problem.html", title=title, detail=str(error), **values)
    response.status_code = status
    return response


@router.get("/")
def home(request: Request) -> Response:
    """The stores; with one alone, its page."""
    registry: Registry = request.app.state.registry
    names = registry.names()
    if len(names) == 1:
        return RedirectResponse(f"/stores/{quote(names[0])}")
    return _page(request, "home.html", stores=[ask.describe(registry.get(name)) for name in names])


@router.get("/stores/{store}")
def overview(request: Request, store: str) -> Response:
    """What was swept, and the three questions."""
    try:
        served = _served(request, store)
        return _page(request, "overview.html", store=ask.describe(served), layers=ask.layers(served))
    except UnitscopeError as error:
        return _failed(request, error)


@router.get("/stores/{store}/go")
def go(request: Request, store: str, unit: Annotated[str, Query(max_length=400)] = "") -> Response:
    """ "features.10 17" as typed by a person, as an address."""
    try:
        layer, number = ask.parse_unit(_served(request, store).store, unit)
        return RedirectResponse(f"/stores/{quote(store)}/units/{quote(layer, safe='')}/{number}")
    except UnitscopeError as error:
        return _failed(request, error, store_name=store)


@router.get("/stores/{store}/layers/{layer}")
def layer_page(
    request: Request, store: str, layer: str, start: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """The units of a layer, each with its best patch."""
    try:
        served = _served(request, store)
        units = ask.units(served, layer, after=start, limit=UNITS_SHOWN)
        row = served.store.layer(layer)
        return _page(
            request,
            "layer.html",
            store=ask.describe(served),
            layer=row,
            units=units,
            start=start,
            shown=UNITS_SHOWN,
        )
    except UnitscopeError as error:
        return _failed(request, error, store_name=store)


@router.get("/stores/{store}/units/{layer}/{unit}")
def unit_page(
    request: Request,
    store: str,
    layer: str,
    unit: int,
    where: Annotated[str | None, Query(max_length=4000)] = None,
    k: Annotated[int, Query(ge=1, le=200)] = PATCHES,
) -> Response:
    """Which patches fire this unit?"""
    try:
        served = _served(request, store)
        store_answer, row = ask.describe(served), served.store.layer(layer)
        statistics = ask.unit(served, layer, unit)
        problem, found = None, None
        try:
            found = ask.patches(served, layer, unit, k=k, where=where)
        except UnitscopeError as error:
            problem = str(error)
        columns = served.store.images_schema.names
        page = _page(
            request,
            "unit.html",
            store=store_answer,
            layer=row,
            unit=statistics,
            found=found,
            where=where or "",
            problem=problem,
            columns=columns,
        )
        page.status_code = 200 if problem is None else 422
        return page
    except UnitscopeError as error:
        return _failed(request, error, store_name=store)


@router.get("/stores/{store}/neighbors")
def neighbors_page(
    request: Request,
    store: str,
    image: Annotated[int, Query(ge=0, le=2**62)] = 0,
    where: Annotated[str | None, Query(max_length=4000)] = None,
    k: Annotated[int, Query(ge=1, le=200)] = NEIGHBORS,
) -> Response:
    """What does the model find like this image?"""
    try:
        served = _served(request, store)
        shown = ask.image(served, image)
        problem, found = None, None
        try:
            found = ask.neighbors_of_image(served, image, k=k, metric=None, where=where, exact=False)
        except UnitscopeError as error:
            problem = str(error)
        page = _page(
            request,
            "neighbors.html",
            store=ask.describe(served),
            image=shown,
            found=found,
            where=where or "",
            problem=problem,
        )
        page.status_code = 200 if problem is None else 422
        return page
    except UnitscopeError as error:
        return _failed(request, error, store_name=store)


@router.get("/stores/{store}/atlas")
@router.get("/stores/{store}/atlas/{atlas}")
def atlas_page(
    request: Request,
    store: str,
    atlas: str | None = None,
    row: Annotated[int, Query(ge=0, le=100_000)] = 0,
    column: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:
    """What does the whole dataset look like to the model?"""
    try:
        served = _served(request, store)
        name = atlas or next(iter(served.atlases()), "umap")
        window = (row, row + GRID_CELLS), (column, column + GRID_CELLS)
        cells = grid(served, name, *window)
        return _page(
            request,
            "atlas.html",
            store=ask.describe(served),
            atlas=describe_atlas(served, name),
            grid=cells,
            row=row,
            column=column,
            step=GRID_CELLS // 2,
            cells=GRID_CELLS,
        )
    except UnitscopeError as error:
        return _failed(request, error, store_name=store)

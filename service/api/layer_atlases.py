"""The API's atlases of single layers: of its units, and of its activations at single positions."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ...index.layer_atlas import LayerAtlas
from ..answers.atlases import TilesAnswer, ViewName
from ..answers.layer_atlases import ItemPlacesAnswer, Kind, LayerAtlasAnswer, LayerCellAnswer
from ..fresh import Version
from ..http.answering import answer_from, picture_from
from ..questions import layer_atlases as questions
from ..questions import tiles as tile_answers
from ..registry import ServedStore
from .parameters import TABLE, ImageId, LayerName, Number, StoreName
from .parameters import pictures as described
from .tiles import Along, AtlasVersion, LevelOfScatter, Place, View

router = APIRouter(prefix="/api/v1/stores/{store}/layers/{layer}/atlases")

KindOfMap = Annotated[
    Kind,
    Path(
        description="`units`: the layer's units, laid out by how they fire over the dataset; `activations`: its "
        "activations at single positions of the images, averaged over the cells of the nearest grid"
    ),
]
Found = Version[Version[LayerAtlas]]


def _versioned(served: ServedStore, layer: str, kind: Kind, v: str | None) -> Found:
    """For answers that hold addresses with the atlas's version."""
    found = questions.layer_atlas_of(served, layer, kind, v)
    return Version(found, found.digest, found.stamp)


@router.get("/{kind}", response_model=LayerAtlasAnswer, responses=TABLE)
def layer_atlas(
    request: Request, store: StoreName, layer: LayerName, kind: KindOfMap, v: AtlasVersion = None
) -> Response:
    """How a layer's atlas was made, and how good it is."""

    def make(served: ServedStore, found: LayerAtlas) -> LayerAtlasAnswer:
        return questions.describe(served, found, kind)

    return answer_from(request, store, lambda served: questions.layer_atlas_of(served, layer, kind, v), make)


@router.get("/{kind}/tiles/{grid}", response_model=TilesAnswer, responses=TABLE)
def layer_tiles(
    request: Request, store: StoreName, layer: LayerName, kind: KindOfMap, grid: View, v: AtlasVersion = None
) -> Response:
    """How a view is cut into tiles, at how many sizes."""

    def make(served: ServedStore, found: Version[LayerAtlas]) -> TilesAnswer:
        return questions.tiles(served, found, kind, grid)

    return answer_from(request, store, lambda served: _versioned(served, layer, kind, v), make)


@router.get(
    "/{kind}/tiles/{grid}/{level}/{column}_{row}.jpg",
    response_class=Response,
    responses=described("image/jpeg"),
)
def layer_tile(
    request: Request,
    store: StoreName,
    layer: LayerName,
    kind: KindOfMap,
    grid: View,
    level: Place,
    *,
    column: Place,
    row: Place,
    v: AtlasVersion = None,
) -> Response:
    """A piece of the view, of 256 x 256 pixels at most."""
    return picture_from(
        request,
        store,
        lambda served: questions.layer_atlas_of(served, layer, kind, v),
        lambda served, found: tile_answers.tile(served, found.atlas, grid, level, (column, row)),
    )


@router.get("/{kind}/at", response_model=LayerCellAnswer, responses=TABLE)
def layer_cell_at(
    request: Request,
    store: StoreName,
    layer: LayerName,
    kind: KindOfMap,
    *,
    x: Along,
    y: Along,
    grid: ViewName = "nearest",
    level: LevelOfScatter = None,
    v: AtlasVersion = None,
) -> Response:
    """What a view shows at a place."""

    def make(served: ServedStore, found: Version[LayerAtlas]) -> LayerCellAnswer:
        return questions.at(served, found, kind, grid, place=(x, y), level=level)

    return answer_from(request, store, lambda served: _versioned(served, layer, kind, v), make)


@router.get("/{kind}/where", response_model=ItemPlacesAnswer, responses=TABLE)
def layer_item_where(
    request: Request,
    store: StoreName,
    layer: LayerName,
    kind: KindOfMap,
    item: ImageId,
    v: AtlasVersion = None,
) -> Response:
    """Where a unit or a sample is in each view."""

    def make(served: ServedStore, found: LayerAtlas) -> ItemPlacesAnswer:
        return questions.where(served, found, kind, item)

    return answer_from(request, store, lambda served: questions.layer_atlas_of(served, layer, kind, v), make)


@router.get(
    "/activations/samples/{sample}/picture", response_class=Response, responses=described("image/jpeg")
)
def sample_picture(
    request: Request, store: StoreName, layer: LayerName, sample: Number, v: AtlasVersion = None
) -> Response:
    """What a sampled position sees."""
    return picture_from(
        request,
        store,
        lambda served: questions.layer_atlas_of(served, layer, "activations", v),
        lambda served, found: questions.sample_picture(found, sample),
    )

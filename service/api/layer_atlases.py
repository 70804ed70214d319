"""The API's atlases of single layers: of its units, and of its activations at single positions."""

from fastapi import APIRouter, Request, Response

from ..http.openapi import TABLE
from ..http.openapi import pictures as described
from ..http.responses import picture_from
from ..http.strict_params import StrictRoute
from ..params.atlas import AskedLayerAtlas, AskedSpot, AskedTile, AtlasVersion, View
from ..params.common import ImageId, LayerName, Number, StoreName
from ..queries import layer_atlases as questions
from ..queries.tiles import tile
from ..schemas.atlases import ItemPlacesAnswer, LayerAtlasAnswer, LayerCellAnswer, TilesAnswer

router = APIRouter(prefix="/api/v1/stores/{store}/layers/{layer:layer}/atlases", route_class=StrictRoute)


@router.get("/{kind}", response_model=LayerAtlasAnswer, responses=TABLE)
def layer_atlas(asked: AskedLayerAtlas) -> Response:
    """Return how a layer's atlas was made, and how good it is."""
    return asked.answer(lambda served, found: questions.describe(served, found, asked.kind))


@router.get("/{kind}/tiles/{grid}", response_model=TilesAnswer, responses=TABLE)
def layer_tiles(asked: AskedLayerAtlas, grid: View) -> Response:
    """Return how a view is cut into tiles, at how many sizes."""
    return asked.answer_versioned(lambda served, found: questions.tiles(served, found, asked.kind, grid))


@router.get(
    "/{kind}/tiles/{grid}/{level}/{column}_{row}.jpg",
    response_class=Response,
    responses=described("image/jpeg"),
)
def layer_tile(asked: AskedLayerAtlas, place: AskedTile) -> Response:
    """Return a piece of the view, of 256 x 256 pixels at most."""
    return asked.picture(lambda served, found: tile(served, found.atlas, place))


@router.get("/{kind}/at", response_model=LayerCellAnswer, responses=TABLE)
def layer_cell_at(asked: AskedLayerAtlas, spot: AskedSpot) -> Response:
    """Return what a view shows at a place."""
    return asked.answer_versioned(lambda served, found: questions.at(served, found, asked.kind, spot))


@router.get("/{kind}/where", response_model=ItemPlacesAnswer, responses=TABLE)
def layer_item_where(asked: AskedLayerAtlas, item: ImageId) -> Response:
    """Return where a unit or a sample is in each view."""
    return asked.answer(lambda served, found: questions.where(served, found, asked.kind, item))


@router.get(
    "/activations/samples/{sample}/picture", response_class=Response, responses=described("image/jpeg")
)
def sample_picture(
    request: Request, store: StoreName, layer: LayerName, sample: Number, v: AtlasVersion = None
) -> Response:
    """Return what a sampled position sees."""
    return picture_from(
        request,
        store,
        lambda served: questions.layer_atlas_of(served, layer, "activations", v),
        lambda served, found: questions.sample_picture(found, sample),
    )

"""What the network of a store is asked."""

from typing import NamedTuple

import httpx
import numpy as np
from PIL import Image

from ..schemas.live import FRAME_HEADER, FilterScale, FrameFacts, LiveAnswer, Scale
from .endpoint import asks
from .exchange import Fetch, Parameter, Question
from .requests import ImageLike, StorePath, array, file_of, part, picture, read_picture
from .requests import one as one_answer


class Frame(NamedTuple):
    """What the network makes of an image of your own: a picture of the maps, the prediction, and where cells are."""

    picture: Image.Image
    facts: FrameFacts


class LiveQuestions(StorePath):
    """Part of what a store is asked."""

    @asks
    def live(self) -> Question[LiveAnswer]:
        """Return how the model worker is; asking does not start it."""
        return one_answer(LiveAnswer, f"{self.path}/live")

    @asks
    def maps(
        self,
        image_id: int,
        layer: str,
        *,
        unit: int | None = None,
        scale: Scale | None = None,
        zoom: int | None = None,
    ) -> Question[Image.Image]:
        """Return the activation maps of an image: a mosaic of every unit's; of one unit, coloured, over the model's
        input.
        """
        address = f"{self.image_path(image_id)}/maps/{part(layer)}"
        return picture(address, unit=unit, scale=scale, zoom=zoom)

    @asks
    def map_values(self, image_id: int, layer: str, *, unit: int | None = None) -> Question[np.ndarray]:
        """Return the same as numbers: (units, height, width) float32, or (height, width) of one unit."""
        return array(f"{self.image_path(image_id)}/maps/{part(layer)}/array", unit=unit)

    @asks
    def filters(
        self,
        layer: str,
        *,
        unit: int | None = None,
        scale: FilterScale | None = None,
        zoom: int | None = None,
    ) -> Question[Image.Image]:
        """Return the filters of a layer that reads the image, in colour; of a deeper one, a unit's planes in gray."""
        return picture(f"{self.layer_path(layer)}/filters", unit=unit, scale=scale, zoom=zoom)

    @asks
    def frame(
        self,
        image: ImageLike,
        layer: str,
        *,
        unit: int | None = None,
        scale: Scale | None = None,
        zoom: int | None = None,
        overlay: bool | None = None,
    ) -> Question[Frame]:
        """Return the activation maps of an image of your own, such as a camera's, and what the network takes it for."""
        shown: dict[str, Parameter] = {
            "layer": layer,
            "unit": unit,
            "scale": scale,
            "zoom": zoom,
            "overlay": overlay,
        }

        def read(response: httpx.Response, _: Fetch) -> Frame:
            facts = FrameFacts.model_validate_json(response.headers[FRAME_HEADER])
            return Frame(read_picture(response), facts)

        address = f"{self.path}/live/maps"
        return Question(address, read, shown, "POST", "image/*", content=file_of(image))

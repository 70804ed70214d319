"""Where the API answers for the things of one store."""

from .requests import part

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

    def layer_atlas_path(self, layer: str, kind: str) -> str:
        """Return the path of one of a layer's own atlases."""
        return f"{self.layer_path(layer)}/atlases/{kind}"

"""What an explanation is made from: a store, its network, and an image as the network sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ...common.errors import LayerError, NotFoundError, UsageError
from ...index.datasets.decode import decode
from ...index.datasets.exif import marked
from ...index.store.store import Store
from ...index.store.trust import model_source
from ...model.explain.target import Target
from ...model.layers.layers import Layer, list_layers
from ...model.outputs import OutputKind, output_kind
from ...model.sources.load import LoadedModel
from ..build.swept_model import load_swept


@dataclass(frozen=True)
class Subject:
    """A store and its network. model: loaded, and compared with the store by its fingerprints."""

    store: Store
    model: LoadedModel

    @staticmethod
    def open(store: Store) -> "Subject":
        """Load the network of a store. Raises ModelNotAllowedError, UnitscopeError for another network."""
        source = model_source(store.manifest, store.trust)
        model = load_swept(source.spec, source.weights, fingerprints=store.manifest.fingerprints)
        return Subject(store, model)

    @property
    def output(self) -> OutputKind:
        """What the network's scores are, as the store says."""
        return output_kind(self.store.manifest.model.get("output"), self.model.outputs)

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """All layers by name, in order of execution; the network runs to find them."""
        found = list_layers(self.model.network, self.model.input_size).swept
        return {layer.name: layer for layer in found}

    def layer(self, name: str) -> Layer:
        """Return a layer of the store. Raises LayerError."""
        row = self.store.layer(name)
        layer = self.layers.get(name)
        if layer is None or layer.units != row.units:
            raise LayerError(f"the network has no layer {name} such as the store's: its code has changed")
        return layer

    def last_map(self) -> Layer:
        """Return the last layer of the store that has several positions. Raises LayerError where there is none."""
        for row in reversed(self.store.layers):
            if row.height * row.width > 1:
                return self.layer(row.layer)
        raise LayerError("no layer of the store has a map: name one of the network's with --layer")

    def pixels(self, image_ids: Sequence[int]) -> Tensor:
        """Return (n, 3, height, width) float32 from 0 to 1: what the network sees of some images, not normalised.

        Raises NotFoundError, DatasetNotAllowedError, ImageError, StoreDamagedError.
        """
        for image_id in image_ids:
            if not 0 <= image_id < self.store.images_count:
                raise NotFoundError(
                    f"no image {image_id}: they are numbered 0 to {self.store.images_count - 1}"
                )
        exif = self.store.manifest.exif
        images = [
            self.model.preprocess.fit(torch.from_numpy(decode(marked(data, exif))).permute(2, 0, 1))
            for data in self.store.pixels_of(image_ids)
        ]
        return torch.stack([image.contiguous() for image in images]).float() / 255

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return the network's input of pixels from 0 to 1; gradients flow through it."""
        mean, std = (
            torch.tensor(triple, dtype=pixels.dtype, device=pixels.device)[:, None, None]
            for triple in (self.model.preprocess.mean, self.model.preprocess.std)
        )
        return (pixels - mean) / std

    def class_index(self, name: str) -> int:
        """Return the number of a class by its name or number. Raises UsageError."""
        names = self.store.classes or self.model.classes
        outputs = 2 if self.output.task == "binary" else self.model.outputs
        if names is not None and name in names:
            return list(names).index(name)
        if name.isdecimal() and (outputs is None or int(name) < outputs):
            return int(name)
        known = (
            f"it has {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
            if names
            else "it has no names"
        )
        raise UsageError(
            f"{name!r} is not a class of the network: {known}, and numbers from 0 to {(outputs or 1) - 1}"
        )

    def target(self, *, class_index: int | None = None, layer: Layer | None = None, unit: int = 0) -> Target:
        """Return a class, or a unit of a layer, as a target."""
        if layer is not None:
            self.store.check_unit(layer.name, unit)
            return Target([unit], layer=layer)
        return Target([class_index or 0], output=self.output)

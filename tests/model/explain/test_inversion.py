"""Feature inversion: what a layer keeps of an image comes back."""

import pytest
import torch
from explain_cases import small
from unitscope.model.explain.inversion import invert, total_variation
from unitscope.model.layers.layers import list_layers


def test_an_invertible_layer_gives_the_image_back():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.Flatten(), torch.nn.LazyLinear(2)
    )
    pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    network(pixels)
    layer = list_layers(network.eval(), (8, 8)).swept[0]

    def made():
        return invert(network, lambda some: some * 2 - 1, pixels, layer, steps=300, variation=0)

    found = made()
    assert float(found.feature_error.max()) < 0.05
    assert found.losses[-1] < 0.05 * found.losses[0]
    assert torch.equal(
        found.images, invert(network, lambda some: some * 2 - 1, pixels, layer, steps=300, variation=0).images
    )


def test_an_image_is_found_by_itself():
    network = small(dtype=torch.float32)
    layer = list_layers(network, (12, 12)).swept[0]
    pixels = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    whole = invert(network, lambda some: some, pixels, layer, steps=20)
    alone = invert(network, lambda some: some, pixels[1:2], layer, steps=20)
    assert torch.allclose(whole.images[1], alone.images[0], atol=1e-4)


def test_total_variation_counts_neighbours():
    image = torch.zeros(1, 1, 2, 3)
    image[0, 0, 0, 0] = 2
    assert total_variation(image).tolist() == pytest.approx([4.0])

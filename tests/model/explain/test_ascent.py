"""Synthesised images: the target rises, regularisers do what they say, and a batch is as good as one by one."""

import pytest
import torch
from explain_cases import small
from unitscope.model.explain.ascent import PRESETS, Preset, ascend, maco, spectrum_of
from unitscope.model.explain.occlusion import blurred
from unitscope.model.explain.target import Target
from unitscope.model.layers.layers import list_layers

SIZE = (12, 12)


def plain(pixels):
    return pixels * 2 - 1


@pytest.fixture(scope="module")
def network():
    return small(dtype=torch.float32)


@pytest.fixture(scope="module")
def first(network):
    return list_layers(network, SIZE).swept[0]


@pytest.fixture(scope="module")
def natural():
    noise = torch.rand(40, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    return (0.5 + 2 * (blurred(noise, 1.5) - 0.5)).clamp(0, 1)


@pytest.mark.parametrize("name", [*PRESETS])
def test_every_preset_raises_the_target(network, name):
    preset = Preset(**{**vars(PRESETS[name]), "steps": 60})
    found = ascend(network, plain, Target([0, 3]), SIZE, preset)
    assert found.images.shape == (2, 3, *SIZE)
    assert float(found.images.min()) >= 0 and float(found.images.max()) <= 1
    assert len(found.curve) == 60
    assert max(found.curve) > found.curve[0]


def test_plain_ascent_is_the_loop_of_its_definition(network):
    preset = Preset(steps=3, step=5, decay=0.1, blur=0.7, every=2)
    found = ascend(network, plain, Target([2]), SIZE, preset, seeds=[4])
    offsets = torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(4))[None] * 10 / 255
    for step in range(3):
        pixels = (0.5 + offsets).clamp(0, 1).requires_grad_()
        slope = torch.autograd.grad(network(plain(pixels))[0, 2], pixels)[0]
        offsets = (pixels.detach() - 0.5 + 5 / 255 * slope / slope.square().mean().sqrt()) * 0.9
        if step % 2 == 0:
            offsets = blurred(offsets, 0.7)
    assert torch.allclose(found.images, (0.5 + offsets).clamp(0, 1), atol=1e-6)


@pytest.mark.parametrize("kind", ["norm", "contribution"])
def test_the_smallest_pixels_are_of_the_mean_colour(network, kind):
    preset = Preset(steps=2, **{f"small_{kind}": 0.5})
    found = ascend(network, plain, Target([1]), SIZE, preset, mean=(0.2, 0.4, 0.6))
    grey = (found.images == torch.tensor([0.2, 0.4, 0.6])[None, :, None, None]).all(1)
    assert grey.float().mean() == pytest.approx(0.5, abs=0.02)


def test_units_and_seeds_in_a_batch_are_as_alone(network, first, natural):
    spectrum = spectrum_of(natural)
    for made in (
        lambda units, seeds: ascend(
            network, plain, Target(units, layer=first), SIZE, Preset(steps=5), seeds=seeds
        ),
        lambda units, seeds: maco(
            network, plain, Target(units, layer=first), spectrum, 12, steps=5, seeds=seeds
        ),
    ):
        whole = made([1, 4], [0, 7])
        assert len(whole.images) == 4
        for place, (unit, seed) in enumerate([(1, 0), (1, 7), (4, 0), (4, 7)]):
            alone = made([unit], [seed])
            assert torch.allclose(whole.images[place], alone.images[0], atol=1e-4)
        assert not torch.allclose(whole.images[0], whole.images[1], atol=1e-2)


def test_a_unit_is_read_in_the_middle(network, first):
    found = ascend(network, plain, Target([2], layer=first), SIZE, Preset(steps=30, step=4))
    kept = []
    with network.first.register_forward_hook(lambda _, __, output: kept.append(output.clone())):
        network(plain(found.images))
    assert float(kept[0][0, 2, 6, 6]) == pytest.approx(float(found.scores[0]))


def test_maco_keeps_the_magnitude_and_raises_the_target(network, natural):
    spectrum = spectrum_of(natural)
    found = maco(network, plain, Target([0]), spectrum, 12, steps=80)
    assert found.curve[-1] > found.curve[0]
    inside = (found.images > 0) & (found.images < 1)
    assert inside.float().mean() > 0.9
    likeness = torch.corrcoef(torch.stack([spectrum_of(found.images).flatten(), spectrum.flatten()]))[0, 1]
    assert likeness > 0.95


def test_a_spectrum_is_the_mean_magnitude(natural):
    expected = sum(torch.fft.rfft2(image).abs() for image in natural) / len(natural)
    expected[:, 0, 0] = 0
    assert torch.allclose(spectrum_of(natural), expected, atol=1e-3)

"""Occlusion against a plain loop."""

import pytest
import torch
from explain_cases import images, small
from unitscope.model.explain.occlusion import Windows, blurred, filled, occlusion

WINDOWS = Windows((4, 3), (3, 2))


def by_loop(network, given, fill):
    instead = filled(given, WINDOWS, fill)
    found = torch.zeros(len(given), 12, 12, dtype=torch.float64)
    for image in range(len(given)):
        whole, times = network(given[image][None])[0, 2], torch.zeros(12, 12)
        for top in (0, 3, 6, 8):
            for left in (0, 2, 4, 6, 8, 9):
                covered = given[image].clone()
                covered[:, top : top + 4, left : left + 3] = instead[image][:, top : top + 4, left : left + 3]
                found[image, top : top + 4, left : left + 3] += whole - network(covered[None])[0, 2]
                times[top : top + 4, left : left + 3] += 1
        found[image] /= times
    return found


@pytest.mark.parametrize("fill", ["mean", "blur"])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_equals_a_loop(fill, batch):
    network, given = small(), images(2)
    found = occlusion(given, lambda some: network(some)[:, 2], WINDOWS, fill=fill, batch=batch)
    assert torch.allclose(found.double(), by_loop(network, given, fill), atol=1e-6)


def test_the_peak_lies_where_the_score_is_read():
    given = torch.ones(1, 3, 32, 32)
    found = occlusion(given, lambda some: some[:, :, 20:24, 8:12].mean((1, 2, 3)), Windows.usual(32, 32))
    y, x = divmod(int(found[0].argmax()), 32)
    assert 17 <= y < 27 and 5 <= x < 15


@pytest.mark.parametrize(("height", "width"), [(5, 7), (32, 32), (224, 160), (1, 1)])
def test_every_pixel_is_covered(height, width):
    windows = Windows.usual(height, width)
    covered = torch.zeros(height, width)
    for top, left in windows.corners(height, width):
        assert top + windows.side[0] <= height and left + windows.side[1] <= width
        covered[top : top + windows.side[0], left : left + windows.side[1]] = 1
    assert covered.all()


def test_a_blurred_image_keeps_its_mean_and_loses_its_edges():
    flat = torch.full((1, 3, 20, 20), 0.3)
    assert torch.allclose(blurred(flat, 3), flat)
    noise = images(1, 20)
    assert float(blurred(noise, 2).std()) < 0.3 * float(noise.std())

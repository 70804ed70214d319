"""The reducers against numpy's argmax over the flattened grid, in every layout and dtype."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unitscope.common.errors import LayerError
from unitscope.model.capture.reduce import Reduction, max_anywhere, max_units_first, max_units_last, reduce
from unitscope.model.layers.layers import Layer, as_grid

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def layer(kind, units, height, width, *, unit_axis=1, prefix=0, batch_axis=0):
    return Layer("l", "l", 0, kind, units, height, width, unit_axis, prefix, None, batch_axis)


def oracle(grid):
    """(values, positions) of a (N, C, H, W) tensor by numpy."""
    flat = grid.detach().cpu().double().numpy().reshape(*grid.shape[:2], -1)
    positions = flat.argmax(axis=2)
    return np.take_along_axis(flat, positions[:, :, None], axis=2)[:, :, 0].astype(np.float32), positions


def check(reduction: Reduction, grid):
    values, positions = oracle(grid)
    assert reduction.values.dtype == torch.float32
    assert reduction.positions.dtype == torch.int32
    np.testing.assert_array_equal(reduction.values.cpu().numpy(), values)
    np.testing.assert_array_equal(reduction.positions.cpu().numpy(), positions)


def messy(seed, shape):
    """Few distinct values (so many ties), some NaN, Inf and -Inf, whole maps of each."""
    rng = np.random.default_rng(seed)
    array = rng.integers(-2, 3, size=shape).astype(np.float32)
    pick = rng.random(shape)
    array[pick < 0.02] = np.nan
    array[(pick >= 0.02) & (pick < 0.04)] = np.inf
    array[(pick >= 0.04) & (pick < 0.06)] = -np.inf
    array[0, 0] = -np.inf
    array[-1, -1] = np.nan
    array[0, -1] = 1.0
    return torch.from_numpy(array)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9)),
    channels_last=st.booleans(),
)
def test_maps_with_ties_and_non_finite_values(seed, shape, channels_last):
    grid = messy(seed, shape)
    if channels_last:
        grid = grid.contiguous(memory_format=torch.channels_last)
    check(reduce(grid, layer("map", *shape[1:])), grid)


@pytest.mark.parametrize("path", [max_units_first, max_units_last, max_anywhere])
@pytest.mark.parametrize("device", DEVICES)
def test_each_path_alone(path, device):
    if device == "cuda" and path is not max_anywhere:
        pytest.skip("for the CPU only")
    for seed in range(20):
        grid = messy(seed, (3, 17, 6, 11)).to(device)
        values, positions = path(grid)
        check(Reduction(values.float(), positions.int()), grid)


@pytest.mark.parametrize("device", DEVICES)
def test_large_maps(device):
    grid = torch.randn(2, 64, 112, 112, generator=torch.Generator().manual_seed(0)).relu().to(device)
    for each in (grid, grid.contiguous(memory_format=torch.channels_last), grid.half(), grid.bfloat16()):
        check(reduce(each, layer("map", 64, 112, 112)), each)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("device", DEVICES)
def test_other_dtypes(dtype, device):
    grid = torch.randn(2, 5, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(
        device, dtype
    )
    check(reduce(grid, layer("map", 5, 7, 3)), grid)


def test_float64_is_rounded_after_the_maximum():
    grid = torch.tensor([1.0, 1.0 + 1e-12], dtype=torch.float64).reshape(1, 1, 1, 2)
    assert reduce(grid, layer("map", 1, 1, 2)).positions.item() == 1


@pytest.mark.parametrize("device", DEVICES)
def test_channels_last_outputs(device):
    output = messy(3, (2, 5, 7, 9)).to(device)
    check(reduce(output, layer("map", 9, 5, 7, unit_axis=3)), output.permute(0, 3, 1, 2))


@pytest.mark.parametrize("prefix", [0, 1, 5])
@pytest.mark.parametrize("batch_axis", [0, 1])
def test_tokens_and_their_prefix(prefix, batch_axis):
    tokens = torch.randn(3, prefix + 2 * 4, 6, generator=torch.Generator().manual_seed(1))
    tokens[:, :prefix] += 100
    output = tokens.transpose(0, 1) if batch_axis else tokens
    grid = tokens[:, prefix:].transpose(1, 2).reshape(3, 6, 2, 4)
    check(reduce(output, layer("tokens", 6, 2, 4, unit_axis=2, prefix=prefix, batch_axis=batch_axis)), grid)
    if prefix:
        cls = layer("vector", prefix * 6, 1, 1, unit_axis=2, prefix=prefix, batch_axis=batch_axis)
        reduction = reduce(output, cls)
        assert torch.equal(reduction.values, tokens[:, :prefix].flatten(1))
        assert torch.equal(reduction.values[:, :6], tokens[:, 0])
        assert not reduction.positions.any()


def test_tokens_with_units_first():
    output = torch.randn(3, 6, 1 + 8, generator=torch.Generator().manual_seed(1))
    grid = output[:, :, 1:].reshape(3, 6, 2, 4)
    check(reduce(output, layer("tokens", 6, 2, 4, unit_axis=1, prefix=1)), grid)


@pytest.mark.parametrize("shape", [(3, 4), (3, 1, 4), (3, 4, 1)])
def test_vectors(shape):
    output = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    reduction = reduce(output, layer("vector", 4, 1, 1, unit_axis=2 if shape == (3, 1, 4) else 1))
    assert torch.equal(reduction.values, output.reshape(3, 4))
    assert not reduction.positions.any()


@pytest.mark.parametrize(
    ("shape", "of"),
    [
        ((2, 3), layer("vector", 3, 1, 1)),
        ((2, 3, 1, 1), layer("map", 3, 1, 1)),
        ((2, 3, 4, 4), layer("map", 3, 4, 4)),
    ],
)
def test_the_reduction_is_no_view(shape, of):
    output = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    before = reduce(output, of)
    kept = before.values.clone(), before.positions.clone()
    output.fill_(7)
    assert torch.equal(before.values, kept[0])
    assert torch.equal(before.positions, kept[1])


def test_tensors_of_inference_mode_and_with_gradients():
    with torch.inference_mode():
        grid = messy(5, (2, 3, 4, 4))
        check(reduce(grid, layer("map", 3, 4, 4)), grid)
    grid = torch.randn(2, 3, 4, 4, requires_grad=True)
    assert not reduce(grid, layer("map", 3, 4, 4)).values.requires_grad


def test_an_output_of_another_shape_is_an_error():
    for of in (layer("map", 3, 5, 5), layer("map", 4, 4, 4), layer("tokens", 3, 2, 2)):
        with pytest.raises(LayerError, match=r"\(2, 3, 4, 4\)"):
            as_grid(torch.zeros(2, 3, 4, 4), of)


def test_an_empty_batch():
    assert reduce(torch.zeros(0, 3, 4, 4), layer("map", 3, 4, 4)).values.shape == (0, 3)

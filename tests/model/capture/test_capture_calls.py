"""Capture of one call of many, from several lanes, with NaN, and on CUDA."""

import threading

import pytest
import torch
import torchvision
from capture_cases import First, InPlace, Transpose, hooks, run, settle
from torch import nn
from unitscope.model.capture.capture import Capture
from unitscope.model.capture.reduce import reduce
from unitscope.model.layers.layers import LayerList, list_layers, select_layers

tv = torchvision.models


def test_one_call_of_many():
    """Only call 1 of the shared ReLU: the others leave no trace."""
    network = settle(InPlace())
    layers = list_layers(network, (16, 16))
    images = torch.randn(2, 3, 16, 16)
    _, everything = run(network, layers.swept, images)
    _, one = run(network, select_layers(layers, ["relu:1"]), images)
    assert list(one.reductions) == ["relu:1"]
    assert torch.equal(one.reductions["relu:1"].values, everything.reductions["relu:1"].values)
    values = [everything.reductions[f"relu:{call}"].values for call in range(3)]
    assert not torch.equal(values[0], values[1])
    assert not torch.equal(values[1], values[2])


def test_the_choice_of_layers_does_not_change_the_numbers():
    """PyTorch leaves its fused encoder layers where something is hooked: so they must be off for all."""
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 3)
    network = nn.Sequential(nn.Conv2d(3, 16, 8, 8), nn.Flatten(2), Transpose(), encoder, First()).eval()
    layers = list_layers(network, (32, 32))
    assert "3.layers.1.linear1" in {layer.name for layer in layers.swept}
    images = torch.randn(4, 3, 32, 32)
    everything, _ = run(network, layers.swept, images)
    for name in ("3.layers.0.linear1", "3.layers.2", "0"):
        assert torch.equal(run(network, select_layers(layers, [name]), images)[0], everything)


def test_lanes_share_a_network_and_keep_their_results_apart(small):
    network, layers, feature = small
    batches = [torch.randn(2, 3, 16, 16) for _ in range(4)]
    expected = [run(network, layers.swept, batch, feature)[1] for batch in batches]
    wrong = []
    together = threading.Barrier(4)

    def lane(capture, index):
        with torch.inference_mode():
            together.wait()
            for turn in range(25):
                which = (index + turn) % 4
                network(batches[which])
                captured = capture.take()
                same = torch.equal(captured.feature, expected[which].feature) and all(
                    torch.equal(reduction.values, expected[which].reductions[name].values)
                    for name, reduction in captured.reductions.items()
                )
                if not same:
                    wrong.append((index, turn))

    with Capture(network, layers.swept, feature) as capture:
        threads = [threading.Thread(target=lane, args=(capture, index)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert not hooks(network)


def test_nan_and_infinity_come_through(small):
    network, layers, _ = small
    images = torch.zeros(3, 3, 16, 16)
    images[1, 0, 5, 7] = float("nan")
    images[2, 0, 5, 7] = float("inf")
    _, captured = run(network, select_layers(layers, ["conv1"]), images)
    values = captured.reductions["conv1"].values
    assert values[0].isfinite().all()
    assert values[1].isnan().all()
    assert not values[2].isfinite().any()


@pytest.mark.cuda
def test_cuda_equals_cpu_within_tolerance_and_does_not_wait():
    network = settle(InPlace())
    layers = list_layers(network, (16, 16))
    images = torch.randn(4, 3, 16, 16)
    _, expected = run(network, layers.swept, images)
    network.cuda()
    assert isinstance(list_layers(network, (16, 16), device="cuda"), LayerList)
    on_device = images.cuda()
    run(network, layers.swept, on_device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        _, captured = run(network, layers.swept, on_device)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for name, reduction in expected.reductions.items():
        torch.testing.assert_close(
            captured.reductions[name].values.cpu(), reduction.values, rtol=1e-3, atol=1e-4
        )


def test_the_default_reducer_is_reduce(small):
    network, layers, _ = small
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode(), Capture(network, layers.swept, None, reducer=reduce) as capture:
        network(images)
        one = capture.take()
    _, two = run(network, layers.swept, images)
    assert torch.equal(one.reductions["conv3"].positions, two.reductions["conv3"].positions)

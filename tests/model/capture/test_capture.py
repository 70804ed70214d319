"""Capture under everything that networks do to their outputs afterwards, against networks that do none of it."""

import copy

import pytest
import timm
import torch
import torchvision
from capture_cases import First, InPlace, Transpose, hooks, run, settle
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.capture.capture import Capture
from unitscope.model.capture.reduce import Reduction
from unitscope.model.feature.find_feature import feature_named
from unitscope.model.layers.layers import as_grid, list_layers, select_layers, tensor_of
from unitscope.model.running.trace import every_module_runs

tv = torchvision.models


def without_inplace(network):
    """A copy that never writes to an output."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return network


def reference(network, layers, images, *, keep=copy.deepcopy):
    """Every layer by the slow way: copies of whole outputs, reduced after the pass."""
    outputs, times, handles = {}, {}, []
    for name, module in network.named_modules():

        def hook(_, __, output, name=name):
            call = times.get(name, 0)
            times[name] = call + 1
            outputs[name, call] = keep(output)

        handles.append(module.register_forward_hook(hook))
    with torch.inference_mode():
        logits = network(images)
    for handle in handles:
        handle.remove()
    found = {}
    for layer in layers:
        flat = as_grid(tensor_of(outputs[layer.module, layer.call], layer), layer).flatten(2)
        found[layer.name] = flat.amax(2), (flat == flat.amax(2, keepdim=True)).int().argmax(2)
    return logits, found


def tiny_timm_vit(name, **kwargs):
    return timm.create_model(name, img_size=64, depth=2, embed_dim=32, num_heads=2, num_classes=10, **kwargs)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("make", "size"),
    [
        (InPlace, (16, 24)),
        (tv.resnet18, (64, 64)),
        (lambda: tv.googlenet(init_weights=False), (64, 64)),
        (tv.mobilenet_v3_small, (64, 96)),
        (lambda: tv.VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=10), (32, 32)),
        (lambda: tv.SwinTransformer([4, 4], 16, [1, 1], [2, 4], [4, 4], num_classes=10), (64, 96)),
        (lambda: tv.ConvNeXt([tv.convnext.CNBlockConfig(16, None, 2)], num_classes=10), (32, 32)),
        (lambda: tiny_timm_vit("vit_base_patch16_reg4_gap_256"), (64, 64)),
        (lambda: nn.Sequential(
            nn.Conv2d(3, 16, 8, 8), nn.Flatten(2), Transpose(),
            nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2),
            First(), nn.Linear(16, 4),
        ), (32, 32)),
    ],
)  # fmt: skip
def test_every_layer_equals_the_same_network_without_in_place_operations(make, size, channels_last):
    torch.manual_seed(0)
    network = settle(make())
    plain = without_inplace(network)
    layers = list_layers(network, size).swept
    images = torch.randn(3, 3, *size)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
        network = network.to(memory_format=torch.channels_last)
        plain = plain.to(memory_format=torch.channels_last)
    logits, captured = run(network, layers, images)
    with every_module_runs():
        expected_logits, expected = reference(plain, layers, images)
    assert torch.equal(logits, expected_logits)
    assert list(captured.reductions) == [layer.name for layer in layers]
    for name, reduction in captured.reductions.items():
        assert torch.equal(reduction.values, expected[name][0]), name
        assert torch.equal(reduction.positions, expected[name][1].int()), name


def test_in_place_operations_would_have_been_seen():
    """Outputs that are kept without a copy differ: so the test above can fail."""
    network = settle(InPlace())
    with torch.no_grad():
        network.conv1.bias[:4] -= 10
        network.norm.bias[:4] -= 10
    layers = select_layers(list_layers(network, (16, 16)), ["conv1", "norm", "conv3", "pool", "fc6"])
    images = torch.randn(3, 3, 16, 16)
    _, spoiled = reference(network, layers, images, keep=lambda output: output)
    _, captured = run(network, layers, images)
    for layer in layers:
        assert not torch.equal(captured.reductions[layer.name].values, spoiled[layer.name][0]), layer.name


@pytest.mark.parametrize("name", ["pool", "input:fc6", "fc6", "input:fc", "output"])
def test_features_are_copies(name):
    network = settle(InPlace())
    images = torch.randn(3, 3, 16, 16)
    feature = feature_named(network, (16, 16), name)
    _, captured = run(network, [], images, feature)
    logits, plain = run(without_inplace(network), [], images, feature)
    assert captured.feature is not None
    assert torch.equal(captured.feature, plain.feature)
    if name == "output":
        assert torch.equal(captured.feature, logits)
        assert captured.feature.data_ptr() != logits.data_ptr()


def test_no_hook_stays(small):
    network, layers, feature = small
    with pytest.raises(KeyError), Capture(network, layers.swept, feature):
        assert hooks(network)
        assert not torch.backends.mha.get_fastpath_enabled()
        raise KeyError
    assert not hooks(network)
    assert torch.backends.mha.get_fastpath_enabled()
    other = select_layers(list_layers(tv.squeezenet1_1().eval(), (64, 64)), ["features.0"])
    with pytest.raises(LayerError, match=r"features\.0"):
        Capture(network, [*layers.swept, *other], feature).__enter__()
    assert not hooks(network)
    assert torch.backends.mha.get_fastpath_enabled()


def test_nested_captures_leave_the_fast_path_as_it_was(small):
    network, layers, _ = small
    one, two = Capture(network, layers.swept, None), Capture(copy.deepcopy(network), layers.swept, None)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert not torch.backends.mha.get_fastpath_enabled()
    two.__exit__(None, None, None)
    assert torch.backends.mha.get_fastpath_enabled()


def test_take_needs_a_finished_pass(small):
    network, layers, feature = small
    with Capture(network, layers.swept, feature) as capture:
        with pytest.raises(RuntimeError, match="nothing to take"):
            capture.take()
        network(torch.zeros(1, 3, 16, 16))
        capture.take()
        with pytest.raises(RuntimeError, match="nothing to take"):
            capture.take()


def test_counters_start_again_after_a_pass_that_raised(small):
    network, layers, feature = small
    images = torch.randn(2, 3, 16, 16)
    _, expected = run(network, layers.swept, images, feature)

    def fail(*_):
        raise KeyError

    with torch.inference_mode(), Capture(network, layers.swept, feature) as capture:
        handle = network.fc6.register_forward_pre_hook(fail)
        with pytest.raises(KeyError):
            network(images)
        with pytest.raises(RuntimeError, match="nothing to take"):
            capture.take()
        handle.remove()
        network(images)
        again = capture.take()
    for name, reduction in expected.reductions.items():
        assert torch.equal(reduction.values, again.reductions[name].values)
    assert torch.equal(expected.feature, again.feature)


class Sometimes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.gate = nn.Identity()
        self.skip = False

    def forward(self, x):
        x = self.conv(x)
        return (x if self.skip else self.gate(x)).mean((2, 3))


def test_a_layer_that_does_not_run_is_an_error():
    network = Sometimes().eval()
    layers = list_layers(network, (8, 8)).swept
    feature = feature_named(network, (8, 8), "gate")
    network.skip = True
    with pytest.raises(LayerError, match="layer gate did not run"):
        run(network, layers, torch.zeros(1, 3, 8, 8))
    with pytest.raises(LayerError, match="feature's module 'gate'"):
        run(network, [], torch.zeros(1, 3, 8, 8), feature)


def test_images_of_another_size_are_an_error(small):
    network, layers, _ = small
    with pytest.raises(LayerError, match="conv1"):
        run(network, layers.swept, torch.zeros(1, 3, 16, 20))


def test_another_reducer(small):
    network, layers, _ = small
    seen = []

    def reducer(output, layer):
        seen.append(layer.name)
        return Reduction(torch.zeros(1), torch.zeros(1))

    with Capture(network, layers.swept, None, reducer=reducer) as capture:
        network(torch.zeros(1, 3, 16, 16))
        assert capture.take().reductions["fc"].values.shape == (1,)
    assert seen == [layer.name for layer in layers.swept]

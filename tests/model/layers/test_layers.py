"""Layers found by execution, and chosen by name, glob or default, against what the architectures are known to be."""

import random

import pytest
import timm
import torch
import torchvision
from listed_networks import NETWORKS, facts, tiny_timm_vit, tiny_vit
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.layers.default_layers import default_layers
from unitscope.model.layers.layers import as_grid, list_layers, select_layers, tensor_of

tv = torchvision.models


@pytest.mark.parametrize(
    ("network", "name", "expected"),
    [
        ("alexnet", "features.0", ("map", 64, 55, 55, 1, 0, None)),
        ("alexnet", "features", ("map", 256, 6, 6, 1, 0, None)),
        ("alexnet", "avgpool", ("map", 256, 6, 6, 1, 0, None)),
        ("alexnet", "classifier.4", ("vector", 4096, 1, 1, 1, 0, None)),
        ("resnet18", "layer1", ("map", 64, 16, 24, 1, 0, None)),
        ("resnet18", "layer4.1.bn2", ("map", 512, 2, 3, 1, 0, None)),
        ("resnet18", "avgpool", ("map", 512, 1, 1, 1, 0, None)),
        ("resnet18", "layer2.0.relu:1", ("map", 128, 8, 12, 1, 0, None)),
        ("googlenet", "inception3a", ("map", 256, 8, 12, 1, 0, None)),
        ("squeezenet", "classifier.1", ("map", 1000, 3, 3, 1, 0, None)),
        ("mobilenet_v3", "features.1.block.1.fc1", ("map", 8, 1, 1, 1, 0, None)),
        ("swin", "features.0.0", ("map", 16, 16, 24, 1, 0, None)),
        ("swin", "features.1.0", ("map", 16, 16, 24, 3, 0, None)),
        ("swin", "features.3.1.mlp.0", ("map", 128, 8, 12, 3, 0, None)),
        ("swin", "head", ("vector", 10, 1, 1, 1, 0, None)),
        ("convnext", "features.1.0.block.2", ("map", 16, 16, 24, 3, 0, None)),
        ("convnext", "features.1.0", ("map", 16, 16, 24, 1, 0, None)),
        ("vit", "conv_proj", ("map", 64, 4, 4, 1, 0, None)),
        ("vit", "encoder.ln", ("tokens", 64, 4, 4, 2, 1, None)),
        ("vit", "encoder.ln:cls", ("vector", 64, 1, 1, 2, 1, None)),
        ("vit", "encoder.layers.encoder_layer_1.self_attention", ("tokens", 64, 4, 4, 2, 1, 0)),
        ("vit", "heads.head", ("vector", 10, 1, 1, 1, 0, None)),
        ("timm vit", "patch_embed", ("tokens", 32, 4, 6, 2, 0, None)),
        ("timm vit", "blocks.1", ("tokens", 32, 4, 6, 2, 1, None)),
        ("timm registers", "blocks.1", ("tokens", 32, 4, 4, 2, 4, None)),
        ("timm registers", "blocks.1:cls", ("vector", 4 * 32, 1, 1, 2, 4, None)),
        ("timm mixer", "blocks.0", ("tokens", 512, 3, 3, 2, 0, None)),
        ("timm mixer", "blocks.0.mlp_tokens", ("tokens", 512, 3, 3, 1, 0, None)),
        ("timm convnext", "stages.0.blocks.0.norm", ("map", 40, 16, 24, 1, 0, None)),
        ("timm convnext", "stages.3", ("map", 320, 2, 3, 1, 0, None)),
    ],
)
def test_kinds(listed, network, name, expected):
    assert facts(listed(network)[2], name) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_reads_the_output_as_it_says(listed, name):
    """The oracle: hook everything by hand, on another batch size, and look at the shapes."""
    network, size, layers = listed(name)
    outputs = {}
    times = {}
    handles = []
    for module_name, module in network.named_modules():

        def hook(_, __, output, module_name=module_name):
            call = times.get(module_name, 0)
            times[module_name] = call + 1
            outputs[module_name, call] = output

        handles.append(module.register_forward_hook(hook))
    with torch.no_grad():
        network(torch.randn(5, 3, *size))
    for handle in handles:
        handle.remove()
    for layer in layers.swept:
        grid = as_grid(tensor_of(outputs[layer.module, layer.call], layer), layer)
        assert grid.shape == (5, layer.units, layer.height, layer.width)
    order = list(outputs)
    places = [order.index((layer.module, layer.call)) for layer in layers.swept]
    assert places == sorted(places)
    named = {layer.module for layer in layers.swept} | {name.split(":")[0] for name, _ in layers.refused}
    assert named == {name for name, _ in network.named_modules() if name}
    assert len({layer.name for layer in layers.swept}) == len(layers.swept)


def test_token_order_is_row_by_row():
    """A pixel that changes shows at its own patch, for an input that is not square."""
    network = tiny_timm_vit().eval()
    layer = next(layer for layer in list_layers(network, (64, 96)).swept if layer.name == "pos_drop")
    kept = []
    network.pos_drop.register_forward_hook(lambda _, __, output: kept.append(output))
    images = torch.zeros(1, 3, 64, 96)
    with torch.no_grad():
        network(images)
        images[0, :, 40, 70] = 9
        network(images)
    changed = (as_grid(kept[0], layer) != as_grid(kept[1], layer)).any(1)[0]
    assert changed.nonzero().tolist() == [[40 // 16, 70 // 16]]


def test_a_network_of_one_size():
    """Without evidence from a second size: a flattened map before a linear layer, and a fixed grid of tokens."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 256, 10)
    ).eval()
    layers = list_layers(network, (32, 32))
    assert [layer.kind for layer in layers.swept] == ["map", "map", "vector", "vector"]


def test_units_as_many_as_rows_and_columns():
    """timm's Swin takes one size and is channels-last; here its first maps are 16 × 16 × 16 units."""
    network = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=64,
        window_size=4,
        depths=(1, 1),
        num_heads=(2, 4),
        embed_dim=16,
    ).eval()
    layers = list_layers(network, (64, 64))
    assert facts(layers, "layers.0.blocks.0") == ("map", 16, 16, 16, 3, 0, None)
    assert facts(layers, "layers.1.blocks.0") == ("map", 32, 8, 8, 3, 0, None)
    assert "layers.0.blocks.0.attn.qkv" in dict(layers.refused)


class Counting(nn.Module):
    """Everything that a listing could disturb."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("ran", torch.zeros(()))

    def forward(self, x):
        self.ran = self.ran + 1
        return self.norm(self.conv(x)).mean((2, 3)) + torch.rand(())


def test_the_network_is_left_as_it_was():
    network = Counting().eval()
    network.norm.train()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    network.conv.weight.requires_grad_(True)
    modes = [module.training for module in network.modules()]
    state = {name: value.clone() for name, value in network.state_dict().items()}
    buffers = {name: id(buffer) for name, buffer in network.named_buffers()}
    torch.manual_seed(3)
    random.seed(3)
    before = torch.get_rng_state()
    layers = list_layers(network, (16, 16))
    default_layers(network, layers, (16, 16))
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert {name: id(buffer) for name, buffer in network.named_buffers()} == buffers
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in network.modules())
    assert [parameter.requires_grad for parameter in network.parameters()] == [True, False, False, False]


def test_an_input_size_that_the_network_does_not_take():
    with pytest.raises(LayerError, match="48x48"):
        list_layers(tiny_vit().eval(), (48, 48))


def test_selection_of_prefix_tokens(listed):
    layers = listed("vit")[2]
    assert [layer.name for layer in select_layers(layers, ["encoder.ln"])] == ["encoder.ln"]
    assert [layer.name for layer in select_layers(layers, ["encoder.ln*"])] == [
        "encoder.ln",
        "encoder.ln:cls",
    ]

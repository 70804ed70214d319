"""Layers found by execution, and chosen by name, glob or default, against what the architectures are known to be."""

import random

import pytest
import timm
import torch
import torchvision
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.default_layers import default_layers
from unitscope.model.layers import as_grid, list_layers, select_layers, tensor_of

tv = torchvision.models


def tiny_vit(image_size=32):
    return tv.VisionTransformer(image_size, 8, 2, 4, 64, 128, num_classes=10)


def tiny_swin():
    return tv.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=10)


def tiny_convnext():
    return tv.ConvNeXt(
        [tv.convnext.CNBlockConfig(16, 32, 2), tv.convnext.CNBlockConfig(32, None, 1)], num_classes=10
    )


def tiny_timm_vit(name="vit_tiny_patch16_224", size=(64, 96), **kwargs):
    return timm.create_model(
        name, img_size=size, depth=2, embed_dim=32, num_heads=2, num_classes=10, **kwargs
    )


NETWORKS = {
    "alexnet": (tv.alexnet, (224, 224)),
    "resnet18": (tv.resnet18, (64, 96)),
    "googlenet": (lambda: tv.googlenet(init_weights=False), (64, 96)),
    "squeezenet": (tv.squeezenet1_1, (64, 64)),
    "mobilenet_v3": (tv.mobilenet_v3_small, (64, 64)),
    "swin": (tiny_swin, (64, 96)),
    "convnext": (tiny_convnext, (64, 96)),
    "vit": (tiny_vit, (32, 32)),
    "timm vit": (tiny_timm_vit, (64, 96)),
    "timm registers": (lambda: tiny_timm_vit("vit_base_patch16_reg4_gap_256", (64, 64)), (64, 64)),
    "timm mixer": (lambda: timm.create_model("mixer_s32_224", img_size=96, num_classes=10), (96, 96)),
    "timm convnext": (lambda: timm.create_model("convnext_atto", num_classes=10), (64, 96)),
}


@pytest.fixture(scope="module")
def listed():
    """name -> (network, input size, its layers); each made once."""
    made = {}

    def get(name):
        if name not in made:
            torch.manual_seed(0)
            make, size = NETWORKS[name]
            network = make().eval()
            made[name] = network, size, list_layers(network, size)
        return made[name]

    return get


def facts(layers, name):
    layer = next(layer for layer in layers.swept if layer.name == name)
    return layer.kind, layer.units, layer.height, layer.width, layer.unit_axis, layer.prefix, layer.output


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


class Block(nn.Module):
    """A residual block with everything in place, called several times by `Repeats`."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.conv(x))
        y += x
        return self.relu(y)


class Odd(nn.Module):
    """Outputs of every unusual sort."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 4, stride=4)
        self.block = Block()
        self.dict_ = Returns(lambda x: {"x": x})
        self.none = Returns(lambda x: None)
        self.integers = Returns(lambda x: x.argmax(1))
        self.windows = Returns(lambda x: x.reshape(-1, 4, 2, 2))
        self.whole = Returns(lambda x: x.mean(0))
        self.transposed = Returns(lambda x: x.transpose(2, 3))
        self.time_first = Returns(lambda x: x.flatten(2).permute(2, 0, 1))
        self.pair = Returns(lambda x: (None, x))
        self.single_token = Returns(lambda x: x.mean((2, 3))[:, None])
        self.flat = Returns(lambda x: x.flatten(1))
        self.attention = Returns(lambda x: x.flatten(2).transpose(1, 2)[:, None] @ x.flatten(2)[:, None])
        self.sometimes = nn.Identity()
        self.never = nn.Linear(4, 4)
        self.many = nn.ModuleList([nn.Identity()])
        self.fc = nn.Linear(4, 10)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(3):
            x = self.block(x)
        for name in ("dict_", "none", "integers", "windows", "whole", "transposed", "time_first", "pair"):
            getattr(self, name)(x)
        self.flat(x), self.single_token(x), self.attention(x)
        for _ in range(len(x)):
            self.sometimes(x)
        return self.fc(self.many[0](x).mean((2, 3)))


class Returns(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture(scope="module")
def odd():
    network = Odd().eval()
    return network, list_layers(network, (24, 32))


def test_modules_that_run_several_times(odd):
    _, layers = odd
    names = [layer.name for layer in layers.swept if layer.module == "block"]
    assert names == ["block:0", "block:1", "block:2"]
    assert [layer.name for layer in layers.swept if layer.module == "block.relu"] == [
        f"block.relu:{call}" for call in range(6)
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pair", ("map", 4, 6, 8, 1, 0, 1)),
        ("single_token", ("vector", 4, 1, 1, 2, 0, None)),
        ("flat", ("vector", 4 * 6 * 8, 1, 1, 1, 0, None)),
        ("time_first", ("tokens", 4, 6, 8, 2, 0, None)),
    ],
)
def test_unusual_outputs_that_can_be_swept(odd, name, expected):
    assert facts(odd[1], name) == expected
    assert next(layer for layer in odd[1].swept if layer.name == name).batch_axis == (name == "time_first")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dict_", "dict"),
        ("none", "NoneType"),
        ("integers", "int64"),
        ("windows", "one entry per image"),
        ("whole", "no axis for the images"),
        ("transposed", "no grid"),
        ("attention", "no grid"),
        ("sometimes", "ran 2 times for some images and 3 times for others"),
        ("never", "does not run"),
        ("many", "only holds"),
    ],
)
def test_what_is_refused_and_why(odd, name, reason):
    network, layers = odd
    assert name in dict(network.named_modules())
    assert [text for refused, text in layers.refused if refused == name and reason in text]
    assert not [layer for layer in layers.swept if layer.module == name]
    with pytest.raises(LayerError, match=rf"layer {name} cannot be swept: .*{reason}"):
        select_layers(layers, [name])


class Encoder(nn.Module):
    """nn.TransformerEncoder with time first and the fused fast path, patches cut without a convolution."""

    def __init__(self, batch_first):
        super().__init__()
        self.embed = nn.Linear(3 * 8 * 8, 16)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(encoder, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)
        self.batch_first = batch_first

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.reshape(n, c, h // 8, 8, w // 8, 8).permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * 64)
        x = torch.cat([self.token.expand(n, -1, -1), self.embed(x)], 1)
        x = self.encoder(x if self.batch_first else x.transpose(0, 1))
        return self.head(x[:, 0] if self.batch_first else x[0])


@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer_encoder_layers(batch_first):
    network = Encoder(batch_first).eval()
    layers = list_layers(network, (32, 48))
    found = {layer.name: layer for layer in layers.swept}
    for name in ("encoder.layers.0", "encoder.layers.1.linear1", "encoder"):
        layer = found[name]
        assert (layer.kind, layer.height, layer.width, layer.prefix) == ("tokens", 4, 6, 1)
        assert layer.batch_axis == (not batch_first)
        assert f"{name}:cls" in found
    assert torch.backends.mha.get_fastpath_enabled()
    chosen = {layer.name for layer in default_layers(network, layers, (32, 48))}
    assert chosen == {
        "encoder.layers.0", "encoder.layers.0:cls", "encoder.layers.1", "encoder.layers.1:cls", "head",
    }  # fmt: skip


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


def test_selection(odd):
    _, layers = odd
    names = [layer.name for layer in layers.swept]

    def chosen(*patterns):
        return [layer.name for layer in select_layers(layers, patterns)]

    assert chosen("fc", "stem") == ["stem", "fc"]
    assert chosen("block") == ["block:0", "block:1", "block:2"]
    assert chosen("block:1", "block", "bl*:1") == [
        name
        for name in names
        if name in {"block:0", "block:1", "block:2"} or (name[:2], name[-2:]) == ("bl", ":1")
    ]
    assert chosen("*") == names
    assert chosen() == []
    with pytest.raises(LayerError, match=r"'blok:1'.*block:1"):
        select_layers(layers, ["blok:1"])
    with pytest.raises(LayerError, match=r"'zzz\*'"):
        select_layers(layers, ["stem", "zzz*"])


def test_selection_of_prefix_tokens(listed):
    layers = listed("vit")[2]
    assert [layer.name for layer in select_layers(layers, ["encoder.ln"])] == ["encoder.ln"]
    assert [layer.name for layer in select_layers(layers, ["encoder.ln*"])] == [
        "encoder.ln",
        "encoder.ln:cls",
    ]


def default_names(listed, name):
    network, size, layers = listed(name)
    return [layer.name for layer in default_layers(network, layers, size)]


def test_default_layers_of_alexnet(listed):
    convs = [f"features.{i}" for i in (0, 3, 6, 8, 10)]
    assert default_names(listed, "alexnet") == [*convs, *(f"classifier.{i}" for i in (1, 4, 6))]


def test_default_layers_of_resnet(listed):
    expected = ["bn1"]
    for stage in range(1, 5):
        for block in range(2):
            path = f"layer{stage}.{block}"
            expected += [f"{path}.bn1", f"{path}.bn2"]
            expected += [f"{path}.downsample.1"] if stage > 1 and block == 0 else []
            expected += [path]
    assert default_names(listed, "resnet18") == [*expected, "fc"]


def test_default_layers_of_others(listed):
    assert default_names(listed, "vit") == [
        "conv_proj",
        *(f"encoder.layers.encoder_layer_{i}{part}" for i in range(2) for part in ("", ":cls")),
        "heads.head",
    ]
    assert default_names(listed, "swin") == [
        "features.0.2", "features.1.0", "features.1.1", "features.3.0", "features.3.1", "head",
    ]  # fmt: skip
    assert default_names(listed, "convnext") == [
        "features.0.1", "features.1.0.block.2", "features.1.0", "features.1.1.block.2", "features.1.1",
        "features.2.1", "features.3.0.block.2", "features.3.0", "classifier.2",
    ]  # fmt: skip
    assert default_names(listed, "timm mixer") == ["stem.proj", *(f"blocks.{i}" for i in range(8)), "head"]
    google = default_names(listed, "googlenet")
    assert google[0] == "conv1.bn"
    assert google[-1] == "fc"
    assert all(name == "fc" or name.endswith(".bn") for name in google)
    mobile = default_names(listed, "mobilenet_v3")
    assert "features.1.block.0.1" in mobile  # depthwise, normalised
    assert "features.3" in mobile  # a residual block
    assert "features.2" not in mobile  # a block without a residual path
    assert "features.2.block.2.1" in mobile


def test_convolutions_that_meet_their_normalisation_by_any_other_name():
    """The normalisation is told by what it takes: not by names or order of definition."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.z = nn.Conv2d(3, 4, 3)
            self.a = nn.BatchNorm2d(4)
            self.plain = nn.Conv2d(4, 4, 3)
            self.after_relu = nn.BatchNorm2d(4)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            x = self.relu(self.a(self.z(x)))
            return self.after_relu(self.relu(self.plain(x))).mean((2, 3))

    network = Net().eval()
    chosen = default_layers(network, list_layers(network, (16, 16)), (16, 16))
    assert [layer.name for layer in chosen] == ["a", "plain"]


def test_a_stack_that_adds_for_its_children():
    """The residual additions of all layers in one forward: its branches stand in for the blocks."""

    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Conv2d(3, 8, 4, stride=4)
            self.branches = nn.ModuleList([nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8)) for _ in range(6)])
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            return self.head(self.body(self.embed(x).flatten(2).transpose(1, 2)).mean(1))

        def body(self, x):
            for branch in self.branches:
                x = branch(x) + x
            return x

    network = Stack().eval()
    chosen = default_layers(network, list_layers(network, (16, 16)), (16, 16))
    assert [layer.name for layer in chosen] == ["embed", *(f"branches.{i}" for i in range(6)), "head"]


def test_a_network_without_default_layers():
    network = nn.Sequential(nn.AvgPool2d(2)).eval()
    with pytest.raises(LayerError, match="name layers"):
        default_layers(network, list_layers(network, (16, 16)), (16, 16))

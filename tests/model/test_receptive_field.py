"""Receptive fields against known sizes, against input gradients, and against what changes when pixels change."""

import importlib.util
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from unitscope.common.errors import LayerError
from unitscope.model.layers import Layer, list_layers
from unitscope.model.receptive_field import layer_boxes, position_boxes, receptive_fields


@pytest.fixture(scope="module")
def oracle():
    path = Path(__file__).with_name("receptive_field_oracle.py")
    spec = importlib.util.spec_from_file_location("receptive_field_oracle", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_network(name):
    torch.manual_seed(0)
    quiet = {"init_weights": False} if name in {"googlenet", "inception_v3", "vgg11", "vgg16"} else {}
    return getattr(torchvision.models, name)(weights=None, **quiet).eval()


def fields_of(network, input_size):
    layers = list_layers(network.eval(), input_size).swept
    return {layer.name: layer for layer in layers}, receptive_fields(network, layers, input_size)


def clipped(field, position, input_size):
    top, left = field.start_y + position[0] * field.stride_y, field.start_x + position[1] * field.stride_x
    rows = max(top, 0), min(top + field.height, input_size[0]) - 1
    columns = max(left, 0), min(left + field.width, input_size[1]) - 1
    return *rows, *columns


# ---- known sizes

GOLDEN = [
    ("alexnet", "features.12", 195, 32),
    ("vgg16", "features.30", 212, 32),
    ("resnet18", "layer4", 435, 32),
    ("resnet50", "layer3", 267, 16),
    ("resnet50", "layer4", 427, 32),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden[0]}-{golden[1]}")
@pytest.mark.parametrize("input_size", [(224, 224), (64, 96)])
def test_golden_sizes_hold_for_any_input_size(oracle, golden, input_size):
    name, layer, size, stride = golden
    network = random_network(name)
    layers = [chosen for chosen in oracle.maps_and_vectors(network, input_size) if chosen.name == layer]
    field = receptive_fields(network, layers, input_size)[layer]
    assert (field.height, field.width, field.stride_y, field.stride_x) == (size, size, stride, stride)
    assert (field.local_height, field.local_width) == (size, size)
    assert field.guessed == ()


def test_start_is_where_the_first_window_begins():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, padding=1), nn.Conv2d(4, 4, 3)
    )
    _, fields = fields_of(network, (65, 97))
    # conv: rows -3 … 3; pool: conv rows -1 … 1, so -5 … 5; conv: pool rows 0 … 2, so -5 … 13
    assert [(f.start_y, f.height, f.stride_y) for f in fields.values()] == [
        (-3, 7, 2),
        (-5, 11, 4),
        (-5, 19, 4),
    ]


def test_even_kernels_and_dilation_are_not_centred_by_guess():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 2, padding=1), nn.Conv2d(4, 4, (3, 5), dilation=(4, 2), padding=(2, 0))
    )
    _, fields = fields_of(network, (40, 60))
    first, second = fields.values()
    assert (first.start_y, first.height) == (-1, 2)
    assert (second.start_y, second.height, second.start_x, second.width) == (-3, 10, -1, 10)


# ---- against input gradients

LIGHT = {
    "alexnet": (127, 191),
    "resnet18": (64, 96),
    "squeezenet1_1": (97, 129),
    "mobilenet_v3_small": (64, 96),
    "shufflenet_v2_x0_5": (64, 96),
    "mnasnet0_5": (64, 96),
    "mobilenet_v2": (48, 64),
    "regnet_x_400mf": (48, 64),
}
HEAVY = {
    "vgg11": (64, 96),
    "resnet50": (64, 96),
    "googlenet": (96, 128),
    "inception_v3": (107, 139),
    "densenet121": (64, 96),
    "efficientnet_b0": (64, 96),
    "convnext_tiny": (64, 96),
    "regnet_y_400mf": (64, 96),
}
NOT_AFFINE = {("alexnet", "avgpool")}  # 11 columns pooled adaptively to 6


def some_positions(layer):
    bottom, right = layer.height - 1, layer.width - 1
    return [(bottom // 2, right // 2), (0, 0), (bottom, right), (bottom // 3, right)]


def check_against_gradients(oracle, name, input_size, every):
    check_network(oracle, random_network(name), name, input_size, every=every)


def check_network(oracle, network, name, input_size, *, every):
    layers = list_layers(network, input_size).swept
    layers = [*layers[:: every or 1], layers[-1]]
    truth = oracle.seen_boxes(network, layers, input_size, some_positions)
    boxes, fields = layer_boxes(network, layers, input_size), receptive_fields(network, layers, input_size)
    for layer in layers:
        exact = [position_boxes(layer, boxes[layer.name], axis, local=False, affine=False) for axis in (0, 1)]
        for (y, x), seen in truth[layer.name]:
            ours = (exact[0].low[y], exact[0].high[y], exact[1].low[x], exact[1].high[x])
            assert ours == seen, f"{name} {layer.name} at {y, x}: tracked {ours}, gradient {seen}"
            box = clipped(fields[layer.name], (y, x), input_size)
            if (name, layer.name) in NOT_AFFINE:
                assert box[0] <= seen[0] and box[1] >= seen[1] and box[2] <= seen[2] and box[3] >= seen[3]
            else:
                assert box == seen, f"{name} {layer.name} at {y, x}: field {box}, gradient {seen}"


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_boxes_are_those_of_the_gradient_for_some_layers(oracle, name):
    check_against_gradients(oracle, name, LIGHT[name], 9)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIGHT)
def test_boxes_are_those_of_the_gradient_for_every_layer(oracle, name):
    check_against_gradients(oracle, name, LIGHT[name], 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_boxes_are_those_of_the_gradient_in_large_networks(oracle, name):
    check_against_gradients(oracle, name, HEAVY[name], 23)


TRANSFORMERS = {
    "vit_tiny_patch16_224": {"img_size": 64, "depth": 2},
    "swin_tiny_patch4_window7_224": {"img_size": 56, "depths": (2, 2), "num_heads": (3, 6)},
    "pvt_v2_b0": {},
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_boxes_are_those_of_the_gradient_in_transformers(oracle, name):
    """Exact boxes; the affine field covers them."""
    network = timm.create_model(name, pretrained=False, **TRANSFORMERS[name]).eval()
    size = (TRANSFORMERS[name].get("img_size", 64),) * 2
    layers = [layer for layer in list_layers(network, size).swept if layer.kind != "vector"][::5]
    truth = oracle.seen_boxes(network, layers, size, some_positions)
    boxes, fields = layer_boxes(network, layers, size), receptive_fields(network, layers, size)
    for layer in layers:
        exact = [position_boxes(layer, boxes[layer.name], axis, local=False, affine=False) for axis in (0, 1)]
        for (y, x), seen in truth[layer.name]:
            ours = (exact[0].low[y], exact[0].high[y], exact[1].low[x], exact[1].high[x])
            assert ours == seen, f"{layer.name} at {y, x}: tracked {ours}, gradient {seen}"
            box = clipped(fields[layer.name], (y, x), size)
            assert box[0] <= seen[0] and box[1] >= seen[1] and box[2] <= seen[2] and box[3] >= seen[3]


# ---- against changed pixels


OUTSIDE = ("alexnet", "resnet18", "googlenet", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "densenet121",
           "shufflenet_v2_x0_5")  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_pixels_outside_the_box_change_nothing(oracle, name):
    """25 random units and positions of each of eight networks, bit by bit."""
    input_size = (96, 128)
    network = random_network(name)
    layers, fields = fields_of(network, input_size)
    generator = torch.Generator().manual_seed(1)
    local = [
        layer
        for layer in layers.values()
        if layer.kind == "map" and min(fields[layer.name].height, fields[layer.name].width) < min(input_size)
    ]
    narrow = 0
    for number in range(25):
        layer = local[number * len(local) // 25]
        y, x, unit = (
            int(torch.randint(n, (), generator=generator)) for n in (layer.height, layer.width, layer.units)
        )
        top, bottom, left, right = clipped(fields[layer.name], (y, x), input_size)
        image = torch.randn(1, 3, *input_size, generator=generator)
        other = torch.randn(1, 3, *input_size, generator=generator)
        other[..., top : bottom + 1, left : right + 1] = image[..., top : bottom + 1, left : right + 1]
        first, second = (oracle.output_of(network, layer, pixels)[0, unit, y, x] for pixels in (image, other))
        assert first == second, f"{layer.name} at {y, x}"
        narrow += not torch.equal(image, other)
    assert narrow == 25


# ---- blocks with parts of their own


class Gate(nn.Module):
    """Squeeze-and-excitation by hand."""

    def __init__(self, expand=False):
        super().__init__()
        self.squeeze, self.expand = nn.Conv2d(4, 4, 1), expand

    def forward(self, maps):
        gate = torch.sigmoid(self.squeeze(maps.mean((2, 3), keepdim=True)))
        return maps * (gate.expand_as(maps) if self.expand else gate)


@pytest.mark.parametrize("expand", [False, True])
def test_a_gate_sees_everything_but_keeps_its_place(expand):
    size = (32, 48)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), Gate(expand), nn.Conv2d(4, 4, 3, padding=1)
    )
    layers, fields = fields_of(network, size)
    before, gated, after = fields["0"], fields["1"], fields["2"]
    assert (before.height, before.local_height) == (3, 3)
    assert (gated.local_height, gated.local_width, after.local_height, after.local_width) == (3, 3, 7, 7)
    for name in ("1", "2"):
        for position in some_positions(layers[name]):
            assert clipped(fields[name], position, size) == (0, 31, 0, 47)
    assert gated.stride_y == 2
    assert 2 * gated.start_y + gated.height == 2 * before.start_y + before.height
    assert (fields["1.squeeze"].stride_y, fields["1.squeeze"].start_y, fields["1.squeeze"].height) == (
        0,
        0,
        32,
    )


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)])
def test_norms_over_space_are_global_gates(norm):
    _, fields = fields_of(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), norm), (20, 20))
    assert fields["1"].local_height == 3
    assert clipped(fields["1"], (10, 10), (20, 20)) == (0, 19, 0, 19)


def test_a_norm_over_channels_is_not_global():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(4)

        def forward(self, maps):
            return self.norm(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    _, fields = fields_of(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), Last(), nn.LocalResponseNorm(3)), (20, 30)
    )
    assert {(field.height, field.width) for field in fields.values()} == {(3, 3)}


def test_adaptive_pooling_to_sizes_that_do_not_divide():
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d((3, 5)))
    layers, fields = fields_of(network, (10, 20))
    rows = [(y * 10 // 3, -(-(y + 1) * 10 // 3) - 1) for y in range(3)]
    field = fields["1"]
    for y, (low, high) in enumerate(rows):
        top, bottom, left, right = clipped(field, (y, 2), (10, 20))
        assert top <= low and bottom >= high and (left, right) == (8, 11)
    assert (field.height, field.stride_y, field.width, field.stride_x) == (4, 3, 4, 4)
    assert layers["1"].height == 3


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsampling_is_covered(oracle, mode):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 4, stride=4), nn.Upsample(scale_factor=2, mode=mode), nn.Conv2d(4, 4, 3, padding=1)
    )
    layers, fields = fields_of(network, (32, 48))
    truth = oracle.seen_boxes(network, list(layers.values()), (32, 48), some_positions)
    assert fields["2"].stride_y == 2
    for name, field in fields.items():
        for position, seen in truth[name]:
            top, bottom, left, right = clipped(field, position, (32, 48))
            assert top <= seen[0] and bottom >= seen[1] and left <= seen[2] and right >= seen[3], name
    assert fields["2"].height < 24


def test_transposed_convolution(oracle):
    network = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1))
    layers, fields = fields_of(network, (24, 24))
    every = [(y, y) for y in range(24)]
    truth = oracle.seen_boxes(network, [layers["1"]], (24, 24), lambda _: every)
    for position, seen in truth["1"]:
        top, bottom, left, right = clipped(fields["1"], position, (24, 24))
        assert top <= seen[0] and bottom >= seen[1] and left <= seen[2] and right >= seen[3]
    assert (fields["1"].stride_y, fields["1"].height) == (1, 5)


def test_calls_of_one_module_have_fields_of_their_own():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, images):
            return self.block(self.block(images))

    _, fields = fields_of(Twice(), (16, 16))
    assert (fields["block:0"].height, fields["block:1"].height) == (3, 5)


def test_writing_in_place_through_a_view_is_seen():
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.out = nn.Conv2d(3, 4, 5, padding=2), nn.Identity()

        def forward(self, images):
            maps = torch.zeros(len(images), 7, *images.shape[2:])
            maps[:, :3] = images
            maps[:, 3:].add_(self.wide(images))
            return self.out(torch.relu_(maps))

    network = Writes()
    layer = Layer("out", "out", 0, "map", 7, 16, 16, 1)
    boxes = layer_boxes(network, [layer], (16, 16))["out"]
    rows = boxes.expanded()[0][0, :, 8, 8].tolist()  # the exact low row of each unit
    assert rows == [8, 8, 8, 6, 6, 6, 6]
    assert receptive_fields(network, [layer], (16, 16))["out"].height == 5


def test_an_unknown_operator_sees_everything_and_says_so():
    class Odd(nn.Module):
        def forward(self, images):
            grid = torch.zeros(len(images), 8, 8, 2)
            return nn.functional.grid_sample(images, grid, align_corners=False)

    _, fields = fields_of(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), Odd(), nn.ReLU()), (16, 16))
    assert fields["0"].guessed == ()
    assert fields["2"].guessed == ("aten.grid_sampler_2d",)
    assert clipped(fields["2"], (0, 0), (16, 16)) == (0, 15, 0, 15)


# ---- tokens


def test_tokens_keep_their_patch_and_class_tokens_see_all():
    network = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=(64, 96), depth=2)
    layers, fields = fields_of(network, (64, 96))
    assert (fields["patch_embed"].height, fields["patch_embed"].start_x, fields["patch_embed"].stride_x) == (
        16,
        0,
        16,
    )
    block = fields["blocks.1"]
    assert (block.local_height, block.local_width, block.stride_y, block.stride_x) == (16, 16, 16, 16)
    for y, x in some_positions(layers["blocks.1"]):
        assert clipped(block, (y, x), (64, 96)) == (0, 63, 0, 95)
        assert block.start_y + 16 * y + block.height / 2 == 16 * y + 8
        assert block.start_x + 16 * x + block.width / 2 == 16 * x + 8
    token = fields["blocks.1:cls"]
    assert (token.start_y, token.height, token.stride_y, token.start_x, token.width) == (0, 64, 0, 0, 96)


@pytest.mark.parametrize("fused", [True, False])
def test_attention_is_the_same_fused_or_by_hand(fused):
    network = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=64, depth=1)
    network.blocks[0].attn.fused_attn = fused
    _, fields = fields_of(network, (64, 64))
    assert (fields["blocks.0"].local_height, fields["blocks.0"].height) == (16, 16 + 2 * 48)


def test_transformer_encoder_of_torch():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(3, 16, 4, stride=4)
            self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

        def forward(self, images):
            return self.block(self.patch(images).flatten(2).transpose(1, 2)).mean(1)

    _, fields = fields_of(Encoder(), (16, 24))
    assert (fields["block"].local_height, fields["block"].stride_x) == (4, 4)
    assert fields["block"].guessed == ()


def test_windowed_attention_sees_its_window():
    network = timm.create_model(
        "swin_tiny_patch4_window7_224", pretrained=False, img_size=56, depths=(2, 2), num_heads=(3, 6)
    )
    layers, fields = fields_of(network, (56, 56))
    field = fields["layers.0.blocks.0"]  # windows of 28 pixels, in steps of 4
    assert (field.height, field.stride_y, field.local_height) == (28 + 24, 4, 4)
    merged = fields["layers.1.downsample"]
    assert (merged.local_height, merged.stride_y) == (8, 8)
    assert layers["layers.1.downsample"].height == 7


def test_convnext_with_channels_last_layers():
    settings = [CNBlockConfig(16, 32, 2), CNBlockConfig(32, None, 1)]
    layers, fields = fields_of(ConvNeXt(settings, num_classes=5), (64, 96))
    last = layers["features.1.1.block.3"]  # the linear layer inside a block
    assert (last.kind, last.unit_axis, last.height, last.width) == ("map", 3, 16, 24)
    assert (fields["features.1.0"].height, fields["features.1.1.block.3"].height) == (28, 52)
    assert (fields["features.3.0"].height, fields["features.3.0"].stride_x) == (52 + 4 + 6 * 8, 8)


# ---- manners


def test_networks_made_for_inference():
    with torch.inference_mode():
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
        layers = [Layer("2", "2", 0, "map", 4, 14, 14, 1)]
        assert receptive_fields(network, layers, (16, 16))["2"].height == 3


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    layers = list_layers(network.eval(), (16, 16)).swept
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    receptive_fields(network, layers, (16, 16))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_layer_that_does_not_run_is_named():
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    with pytest.raises(LayerError, match="again:1"):
        receptive_fields(network, [Layer("again:1", "0", 1, "map", 4, 14, 14, 1)], (16, 16))

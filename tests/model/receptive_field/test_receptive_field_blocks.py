"""Receptive fields through blocks with parts of their own: gates, norms, resampling, attention."""

import pytest
import receptive_field_oracle as oracle
import timm
import torch
from receptive_field_cases import clipped, fields_of, some_positions
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from unitscope.common.errors import LayerError
from unitscope.model.layers.layers import Layer, list_layers
from unitscope.model.receptive_field.receptive_field import layer_boxes, receptive_fields

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
def test_upsampling_is_covered(mode):
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


def test_transposed_convolution():
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

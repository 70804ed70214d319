"""Receptive fields against known sizes, against input gradients, and against what changes when pixels change."""

import pytest
import receptive_field_oracle as oracle
import timm
import torch
from receptive_field_cases import clipped, fields_of, random_network, some_positions
from torch import nn
from unitscope.model.layers.layers import list_layers
from unitscope.model.receptive_field.receptive_field import layer_boxes, position_boxes, receptive_fields

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
def test_golden_sizes_hold_for_any_input_size(golden, input_size):
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


def check_against_gradients(name, input_size, every):
    check_network(random_network(name), name, input_size, every=every)


def check_network(network, name, input_size, *, every):
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
def test_boxes_are_those_of_the_gradient_for_some_layers(name):
    check_against_gradients(name, LIGHT[name], 9)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIGHT)
def test_boxes_are_those_of_the_gradient_for_every_layer(name):
    check_against_gradients(name, LIGHT[name], 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_boxes_are_those_of_the_gradient_in_large_networks(name):
    check_against_gradients(name, HEAVY[name], 23)


TRANSFORMERS = {
    "vit_tiny_patch16_224": {"img_size": 64, "depth": 2},
    "swin_tiny_patch4_window7_224": {"img_size": 56, "depths": (2, 2), "num_heads": (3, 6)},
    "pvt_v2_b0": {},
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_boxes_are_those_of_the_gradient_in_transformers(name):
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
def test_pixels_outside_the_box_change_nothing(name):
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

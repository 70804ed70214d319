"""Networks, their receptive fields, and boxes clipped to the input."""

import torch
import torchvision
from unitscope.model.layers.layers import list_layers
from unitscope.model.receptive_field.receptive_field import receptive_fields


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


def some_positions(layer):
    bottom, right = layer.height - 1, layer.width - 1
    return [(bottom // 2, right // 2), (0, 0), (bottom, right), (bottom // 3, right)]

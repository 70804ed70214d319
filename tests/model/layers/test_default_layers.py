"""The layers that are swept by default, of real networks and of odd ones."""

import pytest
import torchvision
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.layers.default_layers import default_layers
from unitscope.model.layers.layers import list_layers

tv = torchvision.models


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

"""Networks with unusual outputs: what of them can be swept, and why the rest cannot."""

import pytest
import torch
import torchvision
from listed_networks import facts
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.layers.default_layers import default_layers
from unitscope.model.layers.layers import list_layers, select_layers

tv = torchvision.models


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
        ("transposed", "not a grid"),
        ("attention", "not a grid"),
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


class Windows(nn.Module):
    """Attention in windows of 4 x 4 positions: at 8 x 8 pixels there is one for each image, at 16 x 8 there are two."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 2, stride=2)
        self.inside = nn.Linear(6, 6)
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        x = self.stem(x)
        n, c, h, w = x.shape
        cut = x.reshape(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        return self.head(self.inside(cut).reshape(n, -1, c).mean(1))


def test_windows_are_no_images():
    layers = list_layers(Windows().eval(), (8, 8))
    assert dict(layers.refused)["inside"].startswith("it is cut into windows")
    assert [layer.name for layer in layers.swept] == ["stem", "head"]


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

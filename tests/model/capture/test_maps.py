"""Whole activation maps: against plain hooks, against the sweep's reducer, for every kind of layer."""

import pytest
import torch
from torch import nn
from unitscope.common.errors import UnitscopeError
from unitscope.model.capture.capture import Capture
from unitscope.model.capture.maps import SWEPT_BATCH, observe
from unitscope.model.feature.find_feature import find_feature
from unitscope.model.layers.layers import list_layers
from unitscope.model.sources.load import load_model

NETWORK = """
import torch
from torch import nn
PREPROCESS = {"resize": 16, "crop": 16, "mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.3]}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.patch = nn.Conv2d(8, 12, 2, stride=2)
        self.token = nn.Parameter(torch.zeros(1, 1, 12))
        self.block = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        if torch.isnan(self.token).any():
            raise RuntimeError("no token")
        x = self.patch(self.relu(self.conv(x))).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        return self.head(self.norm(self.block(x))[:, 0])

def net():
    return Net()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    file = tmp_path_factory.mktemp("maps") / "net.py"
    file.write_text(NETWORK)
    return load_model(f"{file}:net@random")


@pytest.fixture(scope="module")
def layers(model):
    return list_layers(model.network, model.input_size).swept


def pixels(images, seed=0):
    return torch.randint(
        0, 256, (images, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def by_hooks(model, batch, layers):
    """Each layer's output, cloned by a plain hook and reshaped by hand; one image's, (units, height, width)."""
    kept = {}
    hooks = [
        model.network.get_submodule(layer.module).register_forward_hook(
            lambda _module, _args, output, name=layer.name: kept.update(
                {name: (output[0] if isinstance(output, tuple) else output).clone()}
            )
        )
        for layer in layers
    ]
    with torch.inference_mode():
        logits = model.network(model.preprocess.normalise(batch))
    for hook in hooks:
        hook.remove()
    made = {}
    for layer in layers:
        output = kept[layer.name][0]
        if layer.name.endswith(":cls"):
            made[layer.name] = output[0, :, None, None]
        elif layer.kind == "tokens":
            made[layer.name] = output[1:].T.reshape(-1, layer.height, layer.width)
        else:
            made[layer.name] = output[:, None, None] if layer.kind == "vector" else output
    return made, logits[0]


def test_every_kind_of_layer_is_met(layers):
    assert {layer.kind for layer in layers} == {"map", "tokens", "vector"}
    assert any(layer.name.endswith(":cls") for layer in layers)


@pytest.mark.parametrize("as_swept", [True, False])
def test_maps_are_what_plain_hooks_see(model, layers, as_swept):
    batch = pixels(1)
    found = observe(model, batch, layers, None, as_swept=as_swept)
    expected, logits = by_hooks(model, batch, layers)
    assert list(found.maps) == [layer.name for layer in layers]
    for layer in layers:
        values = torch.from_numpy(found.maps[layer.name])
        assert values.shape == (1, layer.units, layer.height, layer.width)
        torch.testing.assert_close(values[0], expected[layer.name], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(found.logits[0]), logits, rtol=1e-4, atol=1e-5)


def test_an_in_place_operation_after_a_layer_changes_no_map(model, layers):
    """The ReLU after `conv` overwrites its output."""
    found = observe(model, pixels(1), layers, None)
    assert (found.maps["conv"] < 0).any()
    assert (found.maps["relu"] >= 0).all()


def test_maxima_and_feature_have_the_bits_of_a_sweep(model, layers):
    """Alone, and as one of a full batch."""
    feature = find_feature(model.network, model.input_size)
    batch = pixels(24)
    with torch.inference_mode(), Capture(model.network, layers, feature) as capture:
        model.network(model.preprocess.normalise(batch))
        swept = capture.take()
    for image in (0, 11, 23):
        found = observe(model, batch[image : image + 1], layers, feature)
        for layer in layers:
            maxima = torch.from_numpy(found.maps[layer.name][0]).flatten(1).amax(1)
            assert torch.equal(maxima, swept.reductions[layer.name].values[image])
        assert torch.equal(torch.from_numpy(found.feature[0]), swept.feature[image])


@pytest.mark.parametrize("images", [1, 3, SWEPT_BATCH, SWEPT_BATCH + 1])
def test_as_many_images_come_out_as_went_in(model, layers, images):
    found = observe(model, pixels(images), layers[:2], find_feature(model.network, model.input_size))
    assert {len(values) for values in found.maps.values()} == {images}
    assert len(found.feature) == len(found.logits) == images


def test_without_a_feature_there_is_none(model, layers):
    assert observe(model, pixels(1), layers[:1], None).feature is None


def test_nothing_stays_registered(model, layers):
    def hooks():
        return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in model.network.modules())

    before = hooks()
    observe(model, pixels(1), layers, None)
    assert hooks() == before


def test_a_network_that_fails_is_told(model, layers):
    with torch.no_grad():
        model.network.token.fill_(float("nan"))
    try:
        with pytest.raises(UnitscopeError, match="failed on a batch of shape 16x3x16x16: no token"):
            observe(model, pixels(1), layers[:1], None)
    finally:
        with torch.no_grad():
            model.network.token.zero_()


def test_logits_are_none_where_the_network_gives_no_matrix(tmp_path):
    file = tmp_path / "dense.py"
    file.write_text(
        NETWORK + "\nclass Two(Net):\n    def forward(self, x):\n        return super().forward(x)\n"
    )
    model = load_model(f"{file}:net@random")

    class Pair(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return {"boxes": self.inner(x)}

    from dataclasses import replace

    found = observe(replace(model, network=Pair(model.network)), pixels(1), (), None)
    assert found.logits is None

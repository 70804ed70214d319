"""The penultimate vector, found without a table, against what each architecture is known to have."""

import pytest
import timm
import torch
import torchvision
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.capture.capture import Capture
from unitscope.model.feature.find_feature import feature_named, find_feature

tv = torchvision.models


def tiny_timm_vit(name="vit_tiny_patch16_224", **kwargs):
    return timm.create_model(
        name, img_size=64, depth=2, embed_dim=32, num_heads=2, **{"num_classes": 10} | kwargs
    )


def tiny_swin():
    return tv.SwinTransformer([4, 4], 16, [1, 1], [2, 4], [4, 4], num_classes=10)


def tiny_convnext():
    return tv.ConvNeXt(
        [tv.convnext.CNBlockConfig(16, 32, 1), tv.convnext.CNBlockConfig(32, None, 1)], num_classes=10
    )


@pytest.mark.parametrize(
    ("make", "size", "name", "width", "pool"),
    [
        (tv.alexnet, 64, "input:classifier.6", 4096, False),
        (tv.resnet18, 64, "input:fc", 512, False),
        (tv.resnet50, 32, "input:fc", 2048, False),
        (lambda: tv.googlenet(init_weights=False), 64, "input:fc", 1024, False),
        (tv.squeezenet1_1, 64, "input:classifier.1", 512, True),
        (tv.densenet121, 32, "input:classifier", 1024, False),
        (tv.mobilenet_v3_small, 32, "input:classifier.3", 1024, False),
        (tv.efficientnet_b0, 32, "input:classifier.1", 1280, False),
        # torchvision's ViT is born with a head of zeros, which answers 0 to every image.
        (
            lambda: tv.VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=10),
            32,
            "input:heads.head",
            64,
            False,
        ),
        (tiny_swin, 64, "input:head", 32, False),
        (tiny_convnext, 64, "input:classifier.2", 32, False),
        (tiny_timm_vit, 64, "input:head", 32, False),
        (lambda: tiny_timm_vit(global_pool="avg"), 64, "input:head", 32, False),
        (lambda: timm.create_model("mixer_s32_224", img_size=64), 64, "input:head", 512, False),
        (lambda: timm.create_model("convnext_atto"), 64, "input:head.fc", 320, False),
        (lambda: timm.create_model("resnetv2_50", num_classes=10), 64, "input:head.fc", 2048, True),
        (lambda: timm.create_model("resnet18", num_classes=0), 64, "output", 512, False),
        (lambda: timm.create_model("resnet18", num_classes=0, global_pool=""), 64, "output", 512, True),
        (lambda: tiny_timm_vit(num_classes=0), 64, "output", 32, False),
    ],
)
def test_architectures(make, size, name, width, pool):
    torch.manual_seed(0)
    network = make().eval()
    feature = find_feature(network, (size, size))
    assert (feature.name, feature.width, feature.pool) == (name, width, pool)
    assert bool(feature.note) == (name == "output")
    named = feature_named(network, (size, size), name)
    assert (named.module, named.call, named.source, named.layer) == (
        feature.module, feature.call, feature.source, feature.layer,
    )  # fmt: skip
    assert read(network, feature, size).shape == (4, width)


def read(network, feature, size, images=None):
    images = torch.randn(4, 3, size, size) if images is None else images
    with torch.inference_mode(), Capture(network, [], feature) as capture:
        network(images)
        return capture.take().feature


def test_the_last_layer_remakes_the_logits_from_the_feature():
    """The claim itself, in numbers."""
    network = tv.resnet18().eval()
    images = torch.randn(4, 3, 64, 64)
    feature = read(network, find_feature(network, (64, 64)), 64, images)
    assert feature.dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(network.fc(feature), network(images))


def test_pooled_features_are_the_mean_over_positions():
    network = tv.squeezenet1_1().eval()
    images = torch.randn(4, 3, 64, 64)
    feature = read(network, find_feature(network, (64, 64)), 64, images)
    with torch.no_grad():
        torch.testing.assert_close(feature, network.features(images).mean((2, 3)))


def test_two_heads_give_the_class_token_and_say_so():
    network = tiny_timm_vit("deit_tiny_distilled_patch16_224").eval()
    feature = find_feature(network, (64, 64))
    assert feature.name == "input:head"
    assert "head_dist" in feature.note
    images = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        tokens = network.forward_features(images)
    torch.testing.assert_close(read(network, feature, 64, images), tokens[:, 0])


class Trunk(nn.Module):
    """(N, 3, H, W) -> (N, 8)"""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv(x).relu().mean((2, 3))


class Net(nn.Module):
    def __init__(self, head, **modules):
        super().__init__()
        for name, module in modules.items():
            setattr(self, name, module)
        self.trunk = Trunk()
        self.head = head

    def forward(self, x):
        return (
            self.head(self, self.trunk(x))
            if not isinstance(self.head, nn.Module)
            else self.head(self.trunk(x))
        )


class Cosine(nn.Module):
    """A classifier of one's own: a matrix, no nn.Linear."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 8))

    def forward(self, x):
        return nn.functional.linear(nn.functional.normalize(x), nn.functional.normalize(self.weight))


class Adapted(nn.Module):
    """A low-rank adapter around a linear layer: no single layer makes the logits."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(8, 5)
        self.down = nn.Linear(8, 2, bias=False)
        self.up = nn.Linear(2, 5, bias=False)

    def forward(self, x):
        return self.up(self.down(x)) + self.base(x)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, x):
        return x * self.scale


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Net(nn.Linear(8, 5)), "input:head"),
        (
            lambda: Net(
                nn.Sequential(nn.Linear(8, 6), nn.ReLU(inplace=True), nn.Linear(6, 5), nn.Softmax(1))
            ),
            "input:head.2",
        ),
        (lambda: Net(nn.Sequential(nn.Linear(8, 5), Scaled())), "input:head.0"),
        (lambda: Net(Cosine()), "input:head"),
        (lambda: Net(Adapted()), "input:head"),
        (lambda: Net(nn.utils.parametrizations.weight_norm(nn.Linear(8, 5))), "input:head"),
        # A head that runs last, of which the output knows nothing.
        (
            lambda: Net(lambda net, x: (net.fc(x), net.aux(x))[0], fc=nn.Linear(8, 5), aux=nn.Linear(8, 5)),
            "input:fc",
        ),
        # The same layer run twice on the same vector.
        (lambda: Net(lambda net, x: net.fc(x) + net.fc(x), fc=nn.Linear(8, 5)), "input:fc:0"),
        # Defined first, run last.
        (
            lambda: Net(lambda net, x: net.fc(net.mid(x).relu()), fc=nn.Linear(6, 5), mid=nn.Linear(8, 6)),
            "input:fc",
        ),
        # No classifier: a normalisation comes last, or nothing with parameters after a residual path.
        (lambda: Net(nn.LayerNorm(8)), "output"),
        (lambda: Net(lambda net, x: x + net.fc(x), fc=nn.Linear(8, 8)), "output"),
        (lambda: Net(nn.Identity()), "output"),
        (lambda: Net(lambda net, x: {"logits": net.fc(x)}, fc=nn.Linear(8, 5)), "input:fc"),
    ],
)
def test_heads(make, name):
    torch.manual_seed(1)
    network = make().eval()
    assert find_feature(network, (16, 16)).name == name


def test_a_constant_network_is_an_error():
    network = Net(nn.Linear(8, 5)).eval()
    with torch.no_grad():
        network.trunk.conv.weight.zero_()
        network.trunk.conv.bias.fill_(float("nan"))
    with pytest.raises(LayerError, match=r"trunk\.conv returns nan in channel 0"):
        find_feature(network, (16, 16))


def test_a_network_of_nan_is_an_error_that_names_where_it_begins():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    network[1].running_var[2] = -1
    with pytest.raises(LayerError, match="1 returns nan in channel 2 for an image of noise"):
        find_feature(network.eval(), (16, 16))


def test_named_features():
    network = tv.VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=10).eval()
    images = torch.randn(4, 3, 32, 32)
    tokens = []
    handle = network.encoder.ln.register_forward_hook(lambda _, __, output: tokens.append(output))
    with torch.inference_mode():
        network(images)
    handle.remove()
    for name, expected in (
        ("encoder.ln", tokens[0][:, 1:].mean(1)),
        ("encoder.ln:cls", tokens[0][:, 0]),
        ("input:heads.head", tokens[0][:, 0]),
        ("input:heads", tokens[0][:, 0]),
    ):
        feature = feature_named(network, (32, 32), name)
        torch.testing.assert_close(read(network, feature, 32, images), expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("heads.hed", "heads.head"),
        ("input:heads.hed", "input:heads.head"),
        ("encoder.layers.encoder_layer_0.self_attention.out_proj", "does not run"),
    ],
)
def test_names_that_are_none(name, message):
    network = tv.VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=10).eval()
    with pytest.raises(LayerError, match=message):
        feature_named(network, (32, 32), name)


def test_the_network_is_left_as_it_was():
    network = tv.VisionTransformer(32, 8, 1, 2, 16, 16, num_classes=10).eval()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    identity = [id(parameter) for parameter in network.parameters()]
    before = torch.get_rng_state()
    find_feature(network, (32, 32))
    assert torch.equal(torch.get_rng_state(), before)
    assert [id(parameter) for parameter in network.parameters()] == identity
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in network.modules())

"""The feature where a `forward` compares it with the classes itself: that vector, or an error, never the scores."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from unitscope.common.errors import LayerError
from unitscope.model.capture.capture import Capture
from unitscope.model.feature.find_feature import COMPARED, find_feature

P = nn.Parameter
SIZE = (16, 16)


class Net(nn.Module):
    """A body that gives 16 numbers, and a `forward` to try: `Net(lambda net, e, x: scores, name=module or tensor)`."""

    def __init__(self, score, **held):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.score = score
        for name, value in held.items():
            if isinstance(value, nn.Module | nn.Parameter):
                setattr(self, name, value)
            else:
                self.register_buffer(name, value)

    def forward(self, x):
        return self.score(self, self.body(x), x)


class Head(nn.Module):
    """A head of one's own, its class vectors in a parameter or a buffer."""

    def __init__(self, score, weight):
        super().__init__()
        self.score = score
        if isinstance(weight, nn.Parameter):
            self.weight = weight
        else:
            self.register_buffer("weight", weight)

    def forward(self, e):
        return self.score(self, e)


class ArcFace(nn.Linear):
    def forward(self, x):
        return 30 * F.linear(F.normalize(x), F.normalize(self.weight))


def draw(*shape):
    return torch.randn(*shape)


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


def head(score, weight):
    return Net(lambda net, e, _: net.head(e), head=Head(score, weight))


# A network, and the feature that it has: (name, width).
CASES = {
    "zero-shot, projected by a linear layer": (
        lambda: Net(
            lambda net, e, _: net.scale.exp() * F.normalize(net.project(e)) @ net.text.t(),
            project=nn.Linear(16, 24, bias=False),
            text=unit(10, 24),
            scale=P(torch.tensor(2.0)),
        ),
        ("project", 24),
    ),
    "zero-shot, as many numbers as classes": (
        lambda: Net(lambda net, e, _: F.normalize(net.p(e)) @ net.t.t(), p=nn.Linear(16, 10), t=unit(10, 10)),
        ("p", 10),
    ),
    "zero-shot after a perceptron, with softmax": (
        lambda: Net(
            lambda net, e, _: (F.normalize(net.p(e)) @ net.t.t()).softmax(1),
            p=nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 24)),
            t=unit(10, 24),
        ),
        ("p", 24),
    ),
    "a parameter of the network's own": (
        lambda: Net(lambda net, e, _: (F.linear(e, net.w) + net.b) / 0.07, w=P(draw(10, 16)), b=P(draw(10))),
        ("body", 16),
    ),
    "functional pooling before it": (
        lambda: Net(
            lambda net, _, x: F.linear(F.normalize(net.body[:2](x).mean((2, 3))), net.w), w=P(draw(10, 16))
        ),
        ("body.1:1", 16),
    ),
    "a functional convolution": (
        lambda: Net(lambda net, _, x: F.conv2d(net.body[:2](x), net.w).mean((2, 3)), w=P(draw(10, 16, 1, 1))),
        ("body.1:1", 16),
    ),
    "classes first": (lambda: Net(lambda net, e, _: (net.w @ e.t()).t(), w=draw(10, 16)), ("body", 16)),
    "einsum": (
        lambda: Net(lambda net, e, _: torch.einsum("nd,kd->nk", e, net.w), w=draw(10, 16)),
        ("body", 16),
    ),
    "cosine_similarity": (
        lambda: Net(lambda net, e, _: F.cosine_similarity(e[:, None], net.w[None], dim=-1), w=draw(10, 16)),
        ("body", 16),
    ),
    "prototypes by cdist": (
        lambda: Net(lambda net, e, _: -torch.cdist(e, net.w), w=P(draw(10, 16))),
        ("body", 16),
    ),
    "prototypes by broadcast": (
        lambda: Net(lambda net, e, _: -(e[:, None] - net.w).pow(2).sum(-1), w=draw(10, 16)),
        ("body", 16),
    ),
    "prototypes by expansion": (
        lambda: Net(lambda net, e, _: -(e[:, None].expand(-1, 10, -1) - net.w).norm(dim=2), w=draw(10, 16)),
        ("body", 16),
    ),
    "prototypes by squares": (
        lambda: Net(
            lambda net, e, _: 2 * e @ net.w.t() - e.pow(2).sum(1, keepdim=True) - net.w.pow(2).sum(1),
            w=draw(10, 16),
        ),
        ("body", 16),
    ),
    "the length kept": (
        lambda: Net(
            lambda net, e, _: F.normalize(e) @ net.w.t() * e.norm(dim=1, keepdim=True), w=draw(10, 16)
        ),
        ("body", 16),
    ),
    "a head with a buffer": (
        lambda: head(lambda own, e: F.normalize(e) @ own.weight.t(), draw(10, 16)),
        ("input:head", 16),
    ),
    "a head that normalises": (
        lambda: head(lambda own, e: F.layer_norm(e, (16,)) @ own.weight.t(), draw(10, 16)),
        ("input:head", 16),
    ),
    "sub-centres": (
        lambda: head(
            lambda own, e: torch.einsum("nd,ckd->nck", F.normalize(e), own.weight).amax(-1),
            P(draw(10, 3, 16)),
        ),
        ("input:head", 16),
    ),
    "ArcFace": (lambda: Net(lambda net, e, _: net.fc(e), fc=ArcFace(16, 10)), ("input:fc", 16)),
    "two linear layers": (
        lambda: Net(lambda net, e, _: net.b(net.a(e).relu()), a=nn.Linear(16, 12), b=nn.Linear(12, 10)),
        ("input:b", 12),
    ),
    "similarities to prototypes feed the classifier": (
        lambda: Net(
            lambda net, e, _: net.fc(-torch.cdist(e, net.w)), w=P(draw(30, 16)), fc=nn.Linear(30, 10)
        ),
        ("input:fc", 30),
    ),
    "probabilities summed to groups": (
        lambda: Net(
            lambda net, e, _: net.fc(e).softmax(1) @ net.groups, fc=nn.Linear(16, 20), groups=draw(20, 5)
        ),
        ("input:fc", 16),
    ),
    "an embedding": (
        lambda: Net(lambda net, e, _: F.normalize(net.p(e)), p=nn.Linear(16, 24)),
        ("output", 24),
    ),
    "an embedding, normalised by a module": (
        lambda: Net(lambda net, e, _: net.norm(net.p(e)), p=nn.Linear(16, 24), norm=nn.BatchNorm1d(24)),
        ("output", 24),
    ),
    "a residual path is not a classifier": (
        lambda: Net(lambda net, e, _: e + e @ net.w, w=draw(16, 16) / 9),
        ("output", 16),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_compared_vector_is_found(case):
    make, wanted = CASES[case]
    torch.manual_seed(0)
    network = make().eval()
    feature = find_feature(network, SIZE)
    assert (feature.name, feature.width) == wanted


@pytest.mark.parametrize(
    "make",
    [
        lambda: Net(
            lambda net, e, _: F.normalize(e @ net.project) @ net.t.t(), project=draw(16, 24), t=unit(10, 24)
        ),
        lambda: Net(
            lambda net, e, _: torch.stack([(e * net.w[i]).sum(-1) for i in range(10)], 1), w=P(draw(10, 16))
        ),
        lambda: Net(lambda net, e, x: (e + x.mean((2, 3)) @ net.v) @ net.w, v=draw(3, 16), w=draw(16, 10)),
    ],
)
def test_what_no_module_takes_or_returns_is_asked_for(make):
    torch.manual_seed(0)
    with pytest.raises(LayerError, match="the feature cannot be told"):
        find_feature(make().eval(), SIZE)


def test_the_feature_makes_the_scores():
    """The claim in numbers: the class vectors applied to the feature are the network's own scores."""
    torch.manual_seed(0)
    network = CASES["zero-shot, projected by a linear layer"][0]().eval()
    feature = find_feature(network, SIZE)
    images = torch.randn(5, 3, *SIZE)
    with torch.inference_mode(), Capture(network, [], feature) as capture:
        scores = network(images)
        taken = capture.take().feature
        torch.testing.assert_close(network.scale.exp() * F.normalize(taken) @ network.text.t(), scores)
    assert feature.note == COMPARED

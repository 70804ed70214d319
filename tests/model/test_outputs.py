"""What an output is: the numbers read from what a network returns, and the probabilities that they mean."""

import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from unitscope.model.outputs import OutputKind, describe_values, noise_images, read_output

SCORES = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])


@dataclass
class Answer:
    """As transformers' ModelOutput: an object with logits."""

    logits: torch.Tensor


Pair = namedtuple("Pair", "logits aux_logits")


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        {"loss": torch.tensor(0.0), "logits": SCORES},
        Answer(SCORES),
        Pair(SCORES, torch.zeros(2, 3)),
        (SCORES, torch.zeros(2, 4, 4)),
        [SCORES],
    ],
)
def test_scores_are_read_from_whatever_holds_them(output):
    assert read_output(output) is SCORES


@pytest.mark.parametrize(
    "output", [{"boxes": SCORES}, None, (), torch.zeros(2, 3, 4, 4), "text", Answer(None)]
)
def test_other_outputs_have_no_scores(output):
    assert read_output(output) is None


def test_one_number_an_image_is_a_column():
    assert read_output(torch.tensor([1.0, 2.0])).shape == (2, 1)


@pytest.mark.parametrize(
    ("scores", "values"),
    [
        (SCORES, "scores"),
        (SCORES.softmax(1), "distribution"),
        (SCORES.softmax(1).half(), "distribution"),
        (SCORES.sigmoid(), "unit"),
        (SCORES.log_softmax(1), "scores"),
        (SCORES.sigmoid()[:, :1], "unit"),
        (torch.zeros(2, 3), "scores"),
        (torch.full((2, 3), torch.nan), "unknown"),
    ],
)
def test_what_numbers_look_like(scores, values):
    assert describe_values(scores) == values


def test_strong_noise_tells_a_bounded_output_from_a_weak_one():
    images = noise_images((8, 8), torch.device("cpu"))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4), torch.nn.ReLU())
    assert describe_values(network(images)) == "scores"
    assert describe_values(network(images).sigmoid()) == "unit"


def test_probabilities_of_each_kind():
    scores = SCORES.numpy()
    softmax = OutputKind("classification").probabilities(scores)
    assert np.allclose(softmax, SCORES.double().softmax(1).numpy())
    assert (OutputKind("classification", "probabilities").probabilities(scores) == scores).all()
    alone = OutputKind("multi-label", alone=True).probabilities(scores)
    assert np.allclose(alone, SCORES.double().sigmoid().numpy())
    two = OutputKind("binary").probabilities(scores[:, :1])
    assert np.allclose(two[:, 1], SCORES[:, 0].double().sigmoid().numpy())
    assert np.allclose(two.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("kind", "scores"),
    [
        (OutputKind("classification"), SCORES),
        (OutputKind("classification", "probabilities"), SCORES.softmax(1)),
        (OutputKind("multi-label", alone=True), SCORES),
        (OutputKind("multi-label", "probabilities", alone=True), SCORES.sigmoid()),
        (OutputKind("binary"), SCORES[:, :1]),
    ],
)
def test_logarithms_are_those_of_the_probabilities(kind, scores):
    shares = kind.probabilities(scores.numpy())[:, -scores.shape[1] :]
    for_it, against = kind.log_probabilities(scores.numpy())
    assert np.allclose(np.exp(for_it), shares)
    assert np.allclose(np.exp(against), 1 - shares)


def test_logarithms_of_small_probabilities_are_exact():
    for_it, _ = OutputKind("binary").log_probabilities(np.array([[-800.0]]))
    assert for_it[0, 0] == pytest.approx(-800)
    for_it, _ = OutputKind("classification").log_probabilities(np.array([[0.0, 900.0]]))
    assert for_it[0, 0] == pytest.approx(-900)
    assert math.isfinite(OutputKind("classification").probabilities(np.array([[0.0, 900.0]]))[0, 1])

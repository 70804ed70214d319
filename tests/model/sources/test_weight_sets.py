"""Which set of weights of a checkpoint is taken, what is said of it, and how another is named."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from unitscope.common.errors import ModelSpecError
from unitscope.model.sources.checkpoint import fill, read_checkpoint


def network(value):
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for parameter in made.parameters():
        nn.init.constant_(parameter, value)
    return made


def state(value, prefix=""):
    return OrderedDict((prefix + name, tensor) for name, tensor in network(value).state_dict().items())


def loaded(tmp_path, content, key=""):
    path = tmp_path / "checkpoint.pth"
    torch.save(content, path)
    found = read_checkpoint(tmp_path / f"checkpoint.pth{key}")
    made = network(0.0)
    fill(made, found.state, "--weights checkpoint.pth")
    return made[0].weight[0, 0].item(), found


OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        ({"model": state(1.0), "model_ema": state(2.0), "epoch": 3}, "model_ema"),
        ({"state_dict": state(1.0), "state_dict_ema": state(2.0), "optimizer": OPTIMIZER}, "state_dict_ema"),
        ({"model": state(1.0), "ema": {"module": state(2.0), "decay": 0.99}}, "ema"),
        ({"ema_state_dict": state(2.0), "net": state(1.0)}, "ema_state_dict"),
        ({"model": state(1.0), "swa_model": state(2.0, "module.")}, "swa_model"),
    ],
)
def test_the_averaged_weights_are_taken_and_said(tmp_path, content, taken):
    value, found = loaded(tmp_path, content)
    assert value == 2.0
    assert taken in found.note and "FILE#NAME" in found.note
    assert found.weights == f"checkpoint.pth#{taken}"


@pytest.mark.parametrize(
    ("content", "key", "value"),
    [
        ({"model": state(1.0), "model_ema": state(2.0)}, "#model", 1.0),
        ({"student": state(1.0), "teacher": state(2.0, "module.")}, "#teacher", 2.0),
        ({**state(1.0, "online."), **state(2.0, "target.")}, "#target", 2.0),
    ],
)
def test_a_set_is_named(tmp_path, content, key, value):
    assert loaded(tmp_path, content, key)[0] == value


@pytest.mark.parametrize(
    "content",
    [
        state(1.0),
        {"state_dict": state(1.0), "optimizer": OPTIMIZER},
        {"state_dict": {**state(1.0, "model."), "loss_fn.weight": torch.ones(2)}},
        {"model": state(1.0, "module._orig_mod.")},
        {"state_dict": {**state(1.0, "net."), "criterion.pos_weight": torch.ones(3), "bias": torch.ones(1)}},
    ],
)
def test_one_set_needs_no_words(tmp_path, content):
    value, found = loaded(tmp_path, content)
    assert (value, found.note, found.weights) == (1.0, "", "checkpoint.pth")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"student": state(1.0), "teacher": state(2.0)}, "student, teacher"),
        ({**state(1.0, "a."), **state(2.0, "b.")}, "several networks that fit, a, b"),
        ({"generator": state(1.0), "discriminator": state(2.0)}, "generator, discriminator"),
    ],
)
def test_what_cannot_be_told_must_be_named(tmp_path, content, says):
    with pytest.raises(ModelSpecError, match=says):
        loaded(tmp_path, content)


def test_an_unknown_name_is_told_what_there_is(tmp_path):
    with pytest.raises(ModelSpecError, match="no weights of that name, but model, model_ema"):
        loaded(tmp_path, {"model": state(1.0), "model_ema": state(2.0)}, "#ema")

"""What holds for every source of networks."""

import os
from pathlib import Path

import pytest
from unitscope.common.errors import UsageError
from unitscope.model.sources.load import load_model


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "meta"])
def test_devices_that_are_not_there(device):
    with pytest.raises(UsageError, match="cannot be used here"):
        load_model("torchvision:squeezenet1_1@random", device=device)


@pytest.mark.data
@pytest.mark.skipif("UNITSCOPE_TEST_DATA" not in os.environ, reason="UNITSCOPE_TEST_DATA is not set")
def test_the_trained_network():
    folder = Path(os.environ["UNITSCOPE_TEST_DATA"]) / "models"
    model = load_model(
        f"{folder}/cifar10_alexnet.py:cifar10_alexnet", weights=f"{folder}/cifar10_alexnet.safetensors"
    )
    assert model.classes is not None and model.classes[0] == "airplane"
    assert model.outputs == 10 and model.input_size == (32, 32) and not model.random

"""Views that several threads measure are those that one measures."""

import pytest
import torch
from unitscope.jobs.planning import views
from unitscope.model.layers.layers import list_layers
from unitscope.model.receptive_field.receptive_field import unit_fields
from unitscope.model.sources.load import load_model

NETWORK = """
import torch
from torch import nn

PREPROCESS = {"resize": 32, "crop": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1)
        )
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


class Uncopied(Net):
    def __deepcopy__(self, memo):
        raise TypeError("it cannot be copied")


def net(): return Net()
def uncopied(): return Uncopied()
"""


@pytest.mark.parametrize("factory", ["net", "uncopied"])
def test_threads_do_not_meet(tmp_path, monkeypatch, factory):
    (tmp_path / "net.py").write_text(NETWORK)
    model = load_model(f"{tmp_path}/net.py:{factory}@random")
    layers = list_layers(model.network, model.input_size).swept
    fields = unit_fields(model.network, layers, model.input_size)
    images = torch.randint(
        0, 256, (24, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(2)
    )
    monkeypatch.setattr(views, "LAYERS_AT_ONCE", 1)

    def measured(threads):
        monkeypatch.setattr(views, "cores", lambda: threads)
        return views.parallel_views(model, layers, fields, images, advance=lambda _: None)

    expected = measured(1)
    for _ in range(10):
        assert measured(8) == expected
    assert not any(module._forward_hooks for name, module in model.network.named_modules() if name)

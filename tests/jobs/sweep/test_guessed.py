"""A store says of which layers the receptive field may be larger than the truth."""

from unitscope.index.store.store import Store
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep

NETWORK = """
import torch
from torch import nn

PREPROCESS = {"resize": 24, "crop": 24, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}


class Warp(nn.Module):
    def forward(self, x):
        turn = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]]).expand(len(x), 2, 3)
        return nn.functional.grid_sample(x, nn.functional.affine_grid(turn, x.shape, False), align_corners=False)


def odd():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), Warp(), nn.Conv2d(4, 5, 3, padding=1),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
"""


def test_only_the_layers_behind_an_operator_without_a_rule_are_named(make, tmp_path):
    data = make(tmp_path, 20).data
    (tmp_path / "odd.py").write_text(NETWORK)
    store = tmp_path / "store"
    model = f"{tmp_path / 'odd.py'}:odd@random"
    sweep(SweepConfig(data=str(data), store=str(store), model=model, layers=("0", "3"), workers=0, k=5))
    opened = Store.open(str(store))
    assert opened.manifest.guessed("0") == ()
    assert opened.manifest.guessed("3") == ("aten.grid_sampler_2d",)
    assert (opened.layer("0").rf_height, opened.layer("3").rf_height >= 24) == (3, True)

"""Checkpoints: what is read, that no code runs, and what is said of files that do not fit."""

import argparse
import os
import pickle
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from unitscope.common.errors import ModelSpecError
from unitscope.model.sources.checkpoint import fill, head_size, read_checkpoint
from unitscope.model.sources.fingerprint import digests, fingerprint


def network() -> nn.Sequential:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), head=nn.Linear(4, 2)))


def prefixed(state, prefix: str):
    return OrderedDict((prefix + name, tensor) for name, tensor in state.items())


def refusal(path: Path) -> str:
    with pytest.raises(ModelSpecError) as caught:
        read_checkpoint(path)
    return str(caught.value)


WRAPPED = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {0: torch.ones(2)}}},
    "model": lambda state: {"model": state, "args": argparse.Namespace(lr=0.1), "best": np.float64(0.5)},
    "model_state": lambda state: {"model_state": state, "step": torch.tensor(4)},
    "nested": lambda state: {"model": {"state_dict": state}},
    "data parallel": lambda state: {"state_dict": prefixed(state, "module.")},
    "compiled": lambda state: prefixed(state, "module._orig_mod."),
    "lightning": lambda state: {"state_dict": prefixed(state, "model.net."), "epoch": 1},
    "with numbers": lambda state: {**state, "epoch": 3},
}


@pytest.mark.parametrize("wrapping", list(WRAPPED))
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".pth.tar"])
def test_usual_wrappers(tmp_path, wrapping, suffix):
    trained, fresh = network(), network()
    path = tmp_path / f"w{suffix}"
    torch.save(WRAPPED[wrapping](trained.state_dict()), path)
    fill(fresh, read_checkpoint(path).state, "w")
    assert fingerprint(fresh) == fingerprint(trained)


@pytest.mark.parametrize("prefix", ["", "module.", "backbone."])
def test_safetensors(tmp_path, prefix):
    trained, fresh = network(), network()
    save_file(prefixed(trained.state_dict(), prefix), tmp_path / "w.safetensors")
    fill(fresh, read_checkpoint(tmp_path / "w.safetensors").state, "w")
    assert fingerprint(fresh) == fingerprint(trained)


@pytest.mark.parametrize(
    "make",
    [
        torchvision.models.mnasnet0_5,
        partial(
            torchvision.models.VisionTransformer,
            image_size=32,
            patch_size=16,
            num_layers=1,
            num_heads=2,
            hidden_dim=8,
            mlp_dim=8,
        ),
    ],
    ids=["mnasnet", "vit"],
)
def test_networks_that_look_at_the_versions_of_their_files(tmp_path, make):
    """safetensors keeps no versions."""
    trained, fresh = make(), make()
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    fill(fresh, read_checkpoint(tmp_path / "w.safetensors").state, "w")
    assert fingerprint(fresh) == fingerprint(trained)


def test_count_of_batches_may_be_missing():
    state = network().state_dict()
    del state["norm.num_batches_tracked"]
    fill(network(), state, "w")


def test_keys_that_do_not_fit():
    state = network().state_dict()
    del state["conv.weight"]
    state["other.weight"] = torch.ones(1)
    with pytest.raises(ModelSpecError, match=r"1 missing \(conv.weight\) and 1 unexpected \(other.weight\)"):
        fill(network(), state, "w")


def test_shapes_that_do_not_fit():
    state = network().state_dict()
    state["head.weight"] = torch.ones(3, 4)
    with pytest.raises(ModelSpecError, match=r"1 of 9 tensors .*head.weight \(3, 4\) instead of \(2, 4\)"):
        fill(network(), state, "w")


def test_size_of_another_head():
    state = network().state_dict()
    assert head_size(network(), state, 2) is None
    state["head.weight"], state["head.bias"] = torch.ones(7, 4), torch.ones(7)
    assert head_size(network(), state, 2) == 7
    assert head_size(network(), prefixed(state, "model."), 2) == 7
    assert head_size(network(), state, 1000) is None
    state["head.bias"] = torch.ones(6)
    assert head_size(network(), state, 2) is None


class Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("new_format", [True, False])
def test_code_in_a_file_does_not_run(tmp_path, new_format):
    path, mark = tmp_path / "w.pth", tmp_path / "ran"
    torch.save(
        {"state_dict": network().state_dict(), "x": Attack(mark)},
        path,
        _use_new_zipfile_serialization=new_format,
    )
    assert "running code" in refusal(path)
    path.write_bytes(pickle.dumps(Attack(mark)))
    assert "cannot be read as a file of weights" in refusal(path)
    torch.save(network(), path)
    assert "save the weights alone: torch.save(network.state_dict()" in refusal(path)
    assert not mark.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_files_that_were_cut_short(tmp_path, kind, share):
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(network().state_dict(), path)
    else:
        torch.save(network().state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert str(path) in refusal(path)


def test_other_files(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "none.pth")
    assert "is a folder" in refusal(tmp_path)
    for name, content in (("w.npz", b"x"), ("w", b"x"), ("w.safetensor", b"x")):
        (tmp_path / name).write_bytes(content)
        assert ".safetensors file, or one of torch.save (.pth" in refusal(tmp_path / name)
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(b"this is text, no weights\n" * 9)
        assert name in refusal(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    assert "holds no weights by name but list" in refusal(tmp_path / "list.pth")
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "dict.pth")
    assert "a mapping of epoch, lr" in refusal(tmp_path / "dict.pth")


def test_fingerprint_tells_names_types_shapes_and_bytes_apart():
    class Holder(nn.Module):
        def __init__(self, **tensors):
            super().__init__()
            for name, tensor in tensors.items():
                self.register_buffer(name, tensor)

    holders = [
        Holder(a=torch.zeros(4)),
        Holder(b=torch.zeros(4)),
        Holder(a=torch.zeros(2, 2)),
        Holder(a=torch.zeros(4, dtype=torch.int32)),
        Holder(a=torch.tensor([0.0, 0.0, 0.0, 1e-30])),
        Holder(a=torch.zeros(4), b=torch.zeros(())),
        Holder(a=torch.zeros(8, dtype=torch.bfloat16)),
        Holder(a=torch.zeros(4, dtype=torch.bool)),
    ]
    assert len({fingerprint(holder) for holder in holders}) == len(holders)
    both = torch.arange(6.0).reshape(2, 3)
    assert fingerprint(Holder(a=both, b=both.t())) == fingerprint(
        Holder(b=both.t().contiguous(), a=both.clone())
    )
    assert list(digests(Holder(b=both, a=both))) == ["a", "b"]

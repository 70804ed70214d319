"""Names a network's weights by their content: SHA-256 over names, types, shapes and bytes."""

import hashlib
import json

import torch
from torch import Tensor, nn

from ...common.errors import ModelSpecError
from .base import listed


def fingerprint(network: nn.Module) -> str:
    """Return SHA-256 (hexadecimal) of the state dict in the order of its names; the same on every device."""
    return hashlib.sha256(json.dumps(digests(network)).encode()).hexdigest()


def digests(network: nn.Module) -> dict[str, str]:
    """Return SHA-256 of each tensor's type, shape and bytes, by name, sorted; what is not a tensor is left out."""
    state = network.state_dict()
    return {name: _digest(state[name]) for name in sorted(state) if isinstance(state[name], Tensor)}


def check_values(network: nn.Module, spec: str) -> None:
    """Raise ModelSpecError where a tensor has no values: a lazy layer that was not sized, or the meta device."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    absent = [name for name, tensor in tensors if torch.nn.parameter.is_lazy(tensor) or tensor.is_meta]
    if absent:
        raise ModelSpecError(
            f"{spec}: {len(absent)} tensors have no values ({listed(absent, 4)}): give every layer its size, and load "
            f"the weights in the factory or with --weights"
        )


def _digest(tensor: Tensor) -> str:
    head = json.dumps([str(tensor.dtype), list(tensor.shape)])
    content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    sha256 = hashlib.sha256(head.encode())
    sha256.update(content.numpy().data)
    return sha256.hexdigest()

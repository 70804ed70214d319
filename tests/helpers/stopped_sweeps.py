"""Sweeps that are stopped on their way."""

from pathlib import Path

import pytest
from unitscope.jobs.sweep import run as run_module
from unitscope.jobs.sweep.run import sweep


def stop_before(monkeypatch, step: str, error: BaseException) -> None:
    """The next sweep fails when it comes to `step` (`sweep` stops after its second shard)."""
    if step == "sweep":
        original = run_module._Run._sweep

        def cut(self, left):
            original(self, left[:2])
            raise error

        monkeypatch.setattr(run_module._Run, "_sweep", cut)
        return
    each = run_module._Run._each

    def failing(self, name, *rest):
        if name == step:
            raise error
        return each(self, name, *rest)

    monkeypatch.setattr(run_module._Run, "_each", failing)


def half_swept(data: Path, store: Path, config, monkeypatch, step: str = "sweep") -> Path:
    """A store whose sweep was stopped before a step."""
    with monkeypatch.context() as patch:
        stop_before(patch, step, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            sweep(config(data, store))
    return store

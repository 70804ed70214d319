"""Lanes: a core has work while a shard waits for the disk, and no more tasks compute at a time than there are lanes."""

import threading
import weakref

import torch
from unitscope.common.progress import SILENT
from unitscope.index.datasets.open import open_dataset
from unitscope.index.storage.folder import Folder
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.planning.make_plan import choose_subject, make_plan
from unitscope.jobs.sweep import shard as sweeping
from unitscope.jobs.sweep.merge import MergeTask
from unitscope.jobs.sweep.pool import LocalPool
from unitscope.jobs.sweep.shard import Sweeper
from unitscope.model.sources.load import load_model


def planned(material, folder):
    """A configuration, its model and how many shards its plan has."""
    config = SweepConfig(
        data=str(material.data), store=str(folder), model=material.model, workers=0, batch_size=16, k=10
    )
    model = load_model(material.model)
    plan = make_plan(
        config,
        Folder(config.store),
        open_dataset(config.data),
        model=model,
        subject=choose_subject(config, model),
        progress=SILENT,
    )
    return config, model, plan.shards


def test_the_next_shard_is_swept_while_one_waits_for_the_disk(material, tmp_path, monkeypatch) -> None:
    config, model, shards = planned(material, tmp_path / "store")
    next_began, computing = threading.Event(), []
    sweep, commit = Sweeper.sweep, Sweeper.commit

    def counted(self, shard):
        if shard:
            next_began.set()
        computing.append(1)
        at_a_time = len(computing)
        try:
            return sweep(self, shard)
        finally:
            computing.pop()
            assert at_a_time == 1

    def slow(self, swept):
        if swept.record.shard == 0:
            assert next_began.wait(60), "the lane waited for the disk"
        return commit(self, swept)

    monkeypatch.setattr(Sweeper, "sweep", counted)
    monkeypatch.setattr(Sweeper, "commit", slow)
    with LocalPool(config, model, lanes=1) as pool:
        done = sorted(record.shard for record in pool.map("sweep", range(shards)))
    assert done == list(range(shards))


def test_a_shard_lets_go_of_its_pixels_batch_by_batch(material, tmp_path, monkeypatch) -> None:
    alive: list[weakref.ref] = []
    most = [0]
    sample = sweeping.sample

    def watched(data, preprocess):
        one = sample(data, preprocess)
        alive.append(weakref.ref(one.pixels))
        most[0] = max(most[0], sum(ref() is not None for ref in alive))
        return one

    monkeypatch.setattr(sweeping, "sample", watched)
    monkeypatch.setattr("unitscope.jobs.planning.plan.SHARDS_WANTED", 1)
    config, model, shards = planned(material, tmp_path / "large")
    with LocalPool(config, model, lanes=1) as pool:
        records = list(
            pool.map("sweep", range(shards))
        )  # as they end: a small one may end before a large one
    assert max(record.images for record in records) == 128
    assert most[0] <= 2 * config.batch_size


def test_the_network_is_let_go_before_the_first_merge(material, tmp_path) -> None:
    config, model, shards = planned(material, tmp_path / "store")
    network = weakref.ref(model.network)
    with LocalPool(config, model, lanes=1) as pool:
        del model
        assert len(list(pool.map("sweep", range(shards)))) == shards
        assert isinstance(network(), torch.nn.Module)
        list(pool.map("merge", [MergeTask("features")]))
        assert network() is None

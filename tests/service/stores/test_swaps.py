"""Indexes and whole stores are swapped under load: no error, and every answer is of the one version that it names.

UNITSCOPE_SWAPS is how many swaps of each kind there are: 10 unless it is set.
"""

import os
import threading
import time

import numpy as np
import pytest
from unitscope.index.neighbors.build import blocks_of, build

SWAPS = int(os.environ.get("UNITSCOPE_SWAPS", "10"))
THREADS = 4
API = "/api/v1/stores/store"
pytestmark = pytest.mark.slow


class Load:
    """Threads that ask without end and judge each answer. wrong: what failed. asked: how often nothing did."""

    def __init__(self, ask):
        self.wrong, self.asked, self.stop, self.ask = [], 0, threading.Event(), ask

    def __enter__(self):
        self.threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(THREADS)]
        for thread in self.threads:
            thread.start()
        return self

    def _run(self, seed):
        random = np.random.default_rng(seed)
        while not self.stop.is_set():
            try:
                self.ask(random)
            except Exception as error:  # noqa: BLE001 - any failure is what is looked for
                self.wrong.append(repr(error)[:500])
                return
            self.asked += 1

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Version:
    """What one version of a store answers, by slow means: everything is sorted."""

    def __init__(self, made, kit):
        self.made, self.hash = made, kit.hash(made)
        self.uris = made.images["uri"].to_pylist()
        self.labels = made.images["label"].to_pylist()

    def check_neighbors(self, answer):
        """Distances, by the metric that the answer names, and ids are those of this version's features."""
        image, k = answer["image_id"], len(answer["neighbors"])
        feature = self.made.feature.astype(np.float64)
        distances = np.linalg.norm(feature - feature[image], axis=1)
        if answer["metric"] == "cosine":
            lengths = np.linalg.norm(feature, axis=1)
            distances = 1 - feature @ feature[image] / (lengths * lengths[image])
        distances[self.made.failed] = distances[image] = np.inf
        near = np.argsort(distances, kind="stable")[:k]
        assert [one["image_id"] for one in answer["neighbors"]] == near.tolist()
        assert np.allclose([one["distance"] for one in answer["neighbors"]], distances[near], rtol=1e-4)
        self.check_rows(answer["neighbors"])

    def check_patches(self, answer, number=0):
        found = [(one["value"], one["image_id"]) for one in answer["patches"]]
        assert found == [
            (value, image) for value, image, _ in self.made.top(number, answer["unit"], len(found))
        ]
        self.check_rows(answer["patches"])

    def check_rows(self, rows):
        """What is told of an image, and the addresses of its pictures, are of this version too."""
        for row in rows:
            assert (row["uri"], row["label"]) == (self.uris[row["image_id"]], self.labels[row["image_id"]])
            assert row["thumb"].endswith(f"?v={self.hash[:12]}")


def turn(link, folder):
    """In one step, so that there is a store at every moment."""
    new = link.with_name("new")
    new.symlink_to(folder)
    new.replace(link)


def get(client, path):
    response = client.get(path)
    assert response.status_code == 200, f"{response.status_code} {path} {response.text[:300]}"
    return response


def test_indexes_swapped_under_load(synthetic, kit, tmp_path):
    """Every other index is of another metric: an answer names its metric and is by it, and its ETag is its own."""
    made = synthetic.make_store(tmp_path / "store", dataset=tmp_path / "data", images=400)
    version, seen, lock = Version(made, kit), {}, threading.Lock()
    good = np.flatnonzero(~made.failed)

    def index(metric):
        blocks = blocks_of(made.feature, ~made.failed)
        build(blocks, made.feature.shape[1], made.folder, store=version.hash, metric=metric)

    index("l2")
    with kit.client(made.url) as client:

        def ask(random):
            response = get(client, f"{API}/neighbors?image={random.choice(good)}&k=5")
            version.check_neighbors(response.json())
            metric = response.json()["metric"]
            with lock:
                found = metric, response.content
                assert seen.setdefault(response.headers["etag"], found) == found

        with Load(ask) as load:
            for number in range(SWAPS):
                index("l2" if number % 2 else "cosine")
                time.sleep(0.05)
    assert load.wrong == []
    assert load.asked >= SWAPS
    assert {metric for metric, _ in seen.values()} == {"l2", "cosine"}


def test_stores_swapped_under_load(synthetic, kit, tmp_path):
    """What is served is a link that turns from one store to another of which every file differs, and back.

    An answer names its version, and is all of it.
    """
    home, versions = tmp_path / "store", {}
    for seed in (1, 2):
        made = synthetic.make_store(tmp_path / f"version{seed}", seed=seed, images=100 + 60 * seed)
        kit.index(made, seed=seed)
        version = Version(made, kit)
        versions[version.hash] = version
    turn(home, tmp_path / "version1")
    served = set()
    with kit.client(home) as client:

        def ask(random):
            near = get(client, f"{API}/neighbors?image={random.choice([0, 8, 99])}&k=5").json()
            versions[near["manifest"]].check_neighbors(near)
            patches = get(client, f"{API}/layers/features.0/units/{random.integers(1, 40)}/patches").json()
            versions[patches["manifest"]].check_patches(patches)
            real = get(
                client, f"{API}/layers/head/units/{random.integers(4)}/patches?where=image_id>=0"
            ).json()
            versions[real["manifest"]].check_patches(real, number=2)
            served.update((near["manifest"], patches["manifest"]))

        with Load(ask) as load:
            for number in range(SWAPS):
                turn(home, tmp_path / f"version{2 - number % 2}")
                time.sleep(0.1)
    assert load.wrong == []
    assert load.asked >= SWAPS
    assert served == set(versions)

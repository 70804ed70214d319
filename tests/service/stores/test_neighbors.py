"""The stored graph answers for images of the store; it is picked up, and given up, with the index that it is of."""

import json
import threading

import numpy as np
import pytest
from unitscope.index.neighbors.choice import AnnChoice
from unitscope.index.neighbors.graph_files import MANIFEST, NEIGHBOURS_FILE
from unitscope.index.neighbors.graph_table import stored_graph
from unitscope.index.neighbors.index import NeighborIndex

API = "/api/v1/stores/store"


@pytest.fixture
def indexed(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store", images=400)
    rebuild(kit, made)
    return made


def rebuild(kit, made, seed=0):
    kit.index(made, seed=seed, choice=AnnChoice("ivf", 4, 200, (made.feature.shape[1],)))


def join(kit, made):
    """Makes the graph of the index that is there."""
    stored_graph(made.folder, NeighborIndex.open(made.folder), store=kit.hash(made))


def asked(client, image=1, **options):
    response = client.get(f"{API}/neighbors", params={"image": image, **options})
    assert response.status_code == 200, response.text
    return response


def test_a_graph_is_picked_up_and_its_answers_are_exact(indexed, kit):
    with kit.client(indexed.url) as client:
        before = asked(client)
        assert before.json()["search"] == "index"
        join(kit, indexed)
        after = asked(client)
        assert (after.json()["search"], after.json()["recall"], after.json()["recall_of"]) == (
            "graph",
            1.0,
            90,
        )
        assert after.headers["etag"] != before.headers["etag"]
        exact = asked(client, exact=True).json()
        assert exact["search"] == "exact" and exact["neighbors"] == after.json()["neighbors"]
        page = client.get("/stores/store/images/1").text
        assert "from the neighbour graph" in page


@pytest.mark.parametrize(
    "options",
    [{"where": "image_id >= 0"}, {"metric": "cosine"}, {"exact": True}, {"k": 91}, {"space": "pixels"}],
)
def test_what_it_does_not_know_is_searched_for(indexed, kit, options):
    join(kit, indexed)
    with kit.client(indexed.url) as client:
        assert asked(client, metric="l2").json()["search"] == "graph"
        answer = client.get(f"{API}/neighbors", params={"image": 1, **options})
        assert answer.status_code in {200, 404} and answer.json().get("search") != "graph"


def test_a_graph_of_an_older_index_is_not_used(indexed, kit):
    join(kit, indexed)
    with kit.client(indexed.url) as client:
        first = asked(client)
        rebuild(kit, indexed, seed=1)
        assert asked(client).json()["search"] == "index"
        join(kit, indexed)
        last = asked(client)
        assert last.json()["search"] == "graph" and last.json()["neighbors"] == first.json()["neighbors"]
        indexed.folder.publish(MANIFEST, b"no JSON")
        assert asked(client, image=2).status_code == 200


def _without_a_file(folder):
    folder.remove(NEIGHBOURS_FILE)


def _cut_short(folder):
    folder.publish(NEIGHBOURS_FILE, folder.read(NEIGHBOURS_FILE)[:-4])


def _says_too_little(folder):
    manifest = json.loads(folder.read(MANIFEST))
    del manifest["k"]
    folder.publish(MANIFEST, json.dumps(manifest).encode())


@pytest.mark.parametrize("damage", [_without_a_file, _cut_short, _says_too_little])
def test_a_damaged_graph_is_not_used(indexed, kit, damage):
    join(kit, indexed)
    damage(indexed.folder)
    with kit.client(indexed.url) as client:
        assert [asked(client, image).json()["search"] for image in (1, 1, 2)] == ["index"] * 3


def test_no_answer_mixes_two_versions(indexed, kit):
    """Indexes and graphs are made again under load: an ETag is of one answer, and a distance of its image."""
    good = np.flatnonzero(~indexed.failed)
    feature, seen, wrong, ways, stop = indexed.feature, {}, [], set(), threading.Event()
    with kit.client(indexed.url) as client:

        def ask(seed):
            random = np.random.default_rng(seed)
            while not stop.is_set():
                image = int(random.choice(good))
                response = client.get(f"{API}/neighbors", params={"image": image, "k": 5})
                body = response.json()
                ways.add(body.get("search"))
                if response.status_code != 200 or seen.setdefault(response.headers["etag"], body) != body:
                    wrong.append((response.status_code, body))
                for one in body.get("neighbors", []):
                    gap = np.linalg.norm(feature[one["image_id"]] - feature[image])
                    if abs(gap - one["distance"]) > 1e-4 * max(1, gap):
                        wrong.append((image, one))

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for seed in range(1, 9):
            rebuild(kit, indexed, seed=seed)
            join(kit, indexed)
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == [] and {"graph", "index"} <= ways

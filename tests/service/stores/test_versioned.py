"""What is replaced while it is served is picked up whole, without a restart and without an error."""

import shutil
import threading
from pathlib import Path

import pytest
from unitscope.common.errors import StorageError, StoreDamagedError, StoreNotFoundError
from unitscope.index.storage.folder import Folder
from unitscope.service.stores.versioned import Reloading

API = "/api/v1/stores/store"


def test_fresh_opens_again_when_the_manifest_changes(tmp_path):
    folder = Folder(str(tmp_path))
    fresh = Reloading(folder, "m.json", lambda: folder.read("data").decode())
    write(folder, "one")
    assert (fresh.get().value, fresh.get() is fresh.get()) == ("one", True)
    first = fresh.get().digest
    write(folder, "two")
    assert fresh.get().value == "two"
    assert fresh.get().digest != first


def test_fresh_goes_on_while_the_next_one_is_made(tmp_path):
    folder = Folder(str(tmp_path))
    kept, strict = (
        Reloading(folder, "m.json", lambda: folder.read("data"), keeps=keeps) for keeps in (True, False)
    )
    write(folder, "one")
    kept.get(), strict.get()
    folder.remove("m.json")
    folder.publish("data", b"half")
    assert kept.get().value == b"one"
    with pytest.raises(StoreNotFoundError):
        raise_missing(strict)


def raise_missing(fresh):
    try:
        fresh.get()
    except StorageError as error:
        raise StoreNotFoundError(str(error)) from error


def test_fresh_never_opens_half_of_two_versions(tmp_path):
    folder = Folder(str(tmp_path))
    write(folder, "one")
    opened = []

    def make():
        opened.append(folder.read("data"))
        if len(opened) == 1:
            write(folder, "two")  # replaced between reading the data and looking at the manifest again
        return opened[-1]

    fresh = Reloading(folder, "m.json", make)
    assert (fresh.get().value, opened) == (b"two", [b"one", b"two"])


def test_fresh_remembers_a_failure_for_a_moment_only(tmp_path, monkeypatch):
    from unitscope.service.stores import versioned as module

    folder = Folder(str(tmp_path))
    write(folder, "one")
    tries = []

    def make():
        tries.append(1)
        raise StoreDamagedError("broken")

    fresh = Reloading(folder, "m.json", make)
    for _ in range(3):
        with pytest.raises(StoreDamagedError):
            fresh.get()
    assert len(tries) == 1
    monkeypatch.setattr(module, "FAILED_SECONDS", -1.0)
    with pytest.raises(StoreDamagedError):
        fresh.get()
    assert len(tries) == 2


def write(folder, text):
    """As builders do: the manifest goes first and comes last."""
    folder.remove("m.json")
    folder.publish("data", text.encode())
    folder.publish("m.json", f'"manifest of {text}"'.encode())


def test_an_index_built_later_is_picked_up(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    with kit.client(made.url) as client:
        assert client.get(API).json()["indexed"] is False
        before = client.get(f"{API}/neighbors?image=1")
        assert before.json()["exact"] is True
        kit.index(made)
        assert client.get(API).json()["indexed"] is True
        after = client.get(f"{API}/neighbors?image=1")
        assert after.json()["neighbors"] == before.json()["neighbors"]
        assert after.headers["etag"] != before.headers["etag"]


def test_a_large_store_without_an_index_says_how_to_build_it(synthetic, kit, tmp_path, monkeypatch):
    from unitscope.service.stores import registry

    monkeypatch.setattr(registry, "_EXACT_BYTES", 100)
    made = synthetic.make_store(tmp_path / "store", dataset=tmp_path / "data")
    with kit.client(made.url) as client:
        response = client.get(f"{API}/neighbors?image=1")
        assert response.status_code == 404
        assert f"unitscope index {made.url}" in response.json()["detail"]
        page = client.get("/stores/store/neighbors?image=1")
        assert page.status_code == 200
        assert f"unitscope index {made.url}" in page.text


def test_an_atlas_made_later_or_again_is_picked_up(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    with kit.client(made.url) as client:
        assert f"unitscope atlas {made.url}" in client.get("/stores/store/atlas").text
        kit.atlas(made, seed=1)
        assert client.get(API).json()["atlases"] == ["flat"]
        first = client.get(f"{API}/atlases/flat/grid")
        kit.atlas(made, seed=2)
        second = client.get(f"{API}/atlases/flat/grid")
    assert first.json()["cells"] != second.json()["cells"]
    assert first.headers["etag"] != second.headers["etag"]


@pytest.mark.parametrize("what", ["ann/ann.json", "atlas/flat/atlas.json"])
@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"version": 1, "store": 3}', '{"version": 99}'])
def test_a_damaged_index_or_atlas_is_said(fresh, kit, what, content):
    fresh.folder.publish(what, content.encode())
    path = f"{API}/neighbors?image=1" if "ann" in what else f"{API}/atlases/flat"
    with kit.client(fresh.url) as client:
        response = client.get(path)
        assert response.status_code in (409, 503)
        assert "again" in response.json()["detail"]
        assert client.get(f"{API}/layers").status_code == 200
        assert client.get("/stores/store").status_code == 200


def test_a_store_replaced_is_picked_up(synthetic, kit, tmp_path):
    old = synthetic.make_store(tmp_path / "store", seed=1)
    new = synthetic.make_store(tmp_path / "new", seed=2)
    with kit.client(old.url) as client:
        path = f"{API}/layers/features.0/units/3/patches"
        before = client.get(path)
        shutil.move(tmp_path / "store", tmp_path / "gone")
        shutil.move(tmp_path / "new", tmp_path / "store")
        after = client.get(path, headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert [one["image_id"] for one in after.json()["patches"]] == [image for _, image, _ in new.top(0, 3, 9)]
    assert after.json()["manifest"] != before.json()["manifest"]


def test_no_answer_mixes_two_stores(synthetic, kit, tmp_path):
    """The store is replaced in the middle of an answer, by one of which every file differs."""
    old = synthetic.make_store(tmp_path / "store", seed=1, images=200)
    new = synthetic.make_store(tmp_path / "new", seed=2, images=150)
    with kit.client(old.url) as client:
        store = client.app.state.registry.get("store").value.store
        found = store.top

        def replaced(*args, **options):
            answer = found(*args, **options)
            shutil.move(tmp_path / "store", tmp_path / "gone")
            shutil.move(tmp_path / "new", tmp_path / "store")
            return answer

        store.top = replaced
        answer = client.get(f"{API}/layers/features.0/units/3/patches").json()
    assert [(one["value"], one["image_id"]) for one in answer["patches"]] == [
        (value, image) for value, image, _ in new.top(0, 3, 9)
    ]
    assert answer["manifest"] == kit.hash(new) if Path(new.url).exists() else True
    uris = new.images["uri"].to_pylist()
    assert all(one["uri"] == uris[one["image_id"]] for one in answer["patches"])


def test_ready_only_while_every_store_can_be_read(fresh, kit):
    manifest = Path(fresh.url) / "manifest.json"
    data = manifest.read_bytes()
    with kit.client(fresh.url) as client:
        assert client.get("/readyz").status_code == 200
        for break_it in (
            manifest.unlink,
            lambda: manifest.write_text("{}"),
            lambda: manifest.write_text("nonsense"),
        ):
            break_it()
            for path in ("/readyz", f"{API}/layers", f"{API}/images/1/thumb"):
                response = client.get(path)
                assert response.status_code == 503
                assert response.headers["content-type"] == "application/problem+json"
                assert "store" in response.json()["detail"]
            assert client.get("/stores/store").status_code == 503
            assert client.get("/livez").status_code == 200
            assert client.get("/static/style.css").status_code == 200
            manifest.write_bytes(data)
            assert client.get("/readyz").status_code == 200
            assert client.get(f"{API}/layers").status_code == 200


def test_one_store_that_cannot_be_read_leaves_the_others(synthetic, kit, tmp_path):
    for name in ("one", "two"):
        synthetic.make_store(tmp_path / name)
    with kit.client(tmp_path / "one", tmp_path / "two") as client:
        (tmp_path / "one" / "manifest.json").unlink()
        assert client.get("/api/v1/stores/two/layers").status_code == 200
        home = client.get("/")
        assert home.status_code == 200
        assert "two" in home.text
        assert "The store one cannot be read now" in home.text


def test_swaps_under_load_show_no_error_and_no_mixture(fresh, kit):
    """Each atlas holds one seed in its settings and draws its grid from it: every answer must be of one seed."""
    grids = {}
    for seed in (0, 1):
        kit.atlas(fresh, seed=seed)
        with kit.client(fresh.url) as client:
            grids[seed] = client.get(f"{API}/atlases/flat/grid").json()["cells"]
    wrong, stop = [], threading.Event()
    with kit.client(fresh.url) as client:
        client.get(f"{API}/atlases/flat/grid")
        client.get(f"{API}/neighbors?image=1")
        expected = client.get(f"{API}/neighbors?image=1").json()["neighbors"]

        def ask():
            while not stop.is_set():
                grid = client.get(f"{API}/atlases/flat/grid")
                near = client.get(f"{API}/neighbors?image=1")
                if grid.status_code != 200 or grid.json()["cells"] not in grids.values():
                    wrong.append(grid.text[:300])
                if near.status_code != 200 or near.json()["neighbors"] != expected:
                    wrong.append(near.text[:300])

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for swap in range(30):
            kit.atlas(fresh, seed=swap % 2)
            kit.index(fresh, seed=swap)
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []

"""One model worker for the tests of this folder, and stores whose network it is asked for."""

import json
import shutil

import pytest
from unitscope.index.store.store import Store
from unitscope.service.live.options import LiveOptions
from unitscope.service.live.supervisor import LiveModel
from unitscope.service.stores.trusted import Trusted


@pytest.fixture(scope="session")
def store(swept):
    return Store.open(str(swept))


class Kept(LiveModel):
    """Does not end with a service, but with the tests."""

    def close(self):
        pass


@pytest.fixture(scope="session")
def worker():
    """One worker for all tests: each takes seconds to start."""
    model = Kept(LiveOptions())
    yield model
    LiveModel.close(model)


TRUSTING = Trusted(model=True, data=True)


@pytest.fixture(scope="session")
def serve(kit, worker):
    """`serve(*stores)`: a client of a service with that worker, which may run whatever network a store names."""

    def made(*stores, trust=TRUSTING):
        client = kit.client(*stores, live=None, trust=trust)
        client.app.state.live = worker
        return client

    return made


@pytest.fixture(scope="session")
def client(swept, serve):
    with serve(swept, trust=None) as client:  # it was swept here
        yield client


@pytest.fixture
def altered(swept, tmp_path):
    """`altered(change)`: a copy of the store whose manifest `change` has changed."""

    def alter(change, name="shapes"):
        folder = tmp_path / name
        shutil.copytree(swept, folder, ignore=shutil.ignore_patterns("ann", "atlas"))
        content = json.loads((folder / "manifest.json").read_text())
        change(content)
        (folder / "manifest.json").write_text(json.dumps(content))
        return folder

    return alter

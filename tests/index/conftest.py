"""What every test of `index` has: storage that is asked again at once, and a small store that none changes."""

import pytest
from unitscope.index.storage import errors as storage_errors
from unitscope.index.store.store import Store


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(storage_errors, "RETRY_SECONDS", (0.0, 0.0))


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return synthetic.make_store(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture(scope="module")
def store(made):
    return Store.open(made.url)

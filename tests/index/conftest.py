"""What every test of `index` has: storage that is asked again at once."""

import pytest
from unitscope.index import storage_errors


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(storage_errors, "RETRY_SECONDS", (0.0, 0.0))

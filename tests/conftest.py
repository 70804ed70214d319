"""What tests of several folders share."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def synthetic():
    """The module tests/synthetic_store.py: small finished stores without a model."""
    path = Path(__file__).with_name("synthetic_store.py")
    spec = importlib.util.spec_from_file_location("synthetic_store", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Cache-only reads: what is not in memory is refused, in this task alone, and nothing is made."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from unitscope.index.caching.cache import ByteCache
from unitscope.index.caching.cached_only import NotCachedError, cached_only, must_be_cached
from unitscope.index.caching.once import OnceCache


@pytest.mark.parametrize("kind", [ByteCache, OnceCache])
def test_a_value_is_found_and_never_made(kind):
    cache, made = kind(100), []
    with cached_only(), pytest.raises(NotCachedError):
        cache.get("key", lambda: made.append(1), lambda _: 1)
    assert made == []
    assert cache.get("key", lambda: "value", len) == "value"
    with cached_only():
        assert cache.get("key", lambda: made.append(1), lambda _: 1) == "value"
    assert made == [] and not must_be_cached()


def test_what_reads_nothing_is_made():
    cache = ByteCache(100)
    with cached_only():
        assert cache.get("key", lambda: "value", len, reads=False) == "value"


def test_other_threads_read_on():
    with cached_only(), ThreadPoolExecutor(1) as pool:
        assert must_be_cached()
        assert not pool.submit(must_be_cached).result()


def test_it_ends_with_an_error():
    with pytest.raises(KeyError), cached_only():
        raise KeyError
    assert not must_be_cached()

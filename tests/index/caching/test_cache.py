"""Values that are made once, whoever asks."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from unitscope.index.caching.once import OnceCache


def test_one_of_many_threads_makes_the_value():
    cache, made, start = OnceCache(1000), [], threading.Barrier(8)
    release = threading.Event()

    def make():
        made.append(threading.get_ident())
        release.wait(5)
        return object()

    def ask():
        start.wait(5)
        return cache.get("key", make, lambda value: 1)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        threading.Timer(0.1, release.set).start()
        values = {one.result(10) for one in asked}
    assert len(made) == 1
    assert len(values) == 1


def test_other_keys_do_not_wait():
    cache, inside, release = OnceCache(1000), threading.Event(), threading.Event()

    def slow():
        inside.set()
        return release.wait(5)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get, "slow", slow, lambda value: 1)
        assert inside.wait(5)
        assert cache.get("quick", lambda: 7, lambda value: 1) == 7
        release.set()
        assert waiting.result(5) is True


def test_a_failure_reaches_all_who_wait_and_the_next_tries_again():
    cache, inside, release = OnceCache(1000), threading.Event(), threading.Event()

    def fail():
        inside.set()
        release.wait(5)
        raise ValueError("no")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", fail, lambda value: 1)
        assert inside.wait(5)
        second = pool.submit(cache.get, "key", lambda: pytest.fail("made twice"), lambda value: 1)
        threading.Timer(0.1, release.set).start()
        for one in (first, second):
            with pytest.raises(ValueError, match="no"):
                one.result(5)
    assert cache.get("key", lambda: 3, lambda value: 1) == 3


def test_what_is_too_large_is_given_but_not_kept():
    cache, made = OnceCache(10), []
    for _ in range(2):
        assert cache.get("key", lambda: made.append(1) or "big", lambda value: 11) == "big"
    assert len(made) == 2

"""One client that asks for more than there is room for does not keep others out."""

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from live_answers import API
from unitscope.service.http import connections
from unitscope.service.http import security as guard
from unitscope.service.http.connections import Connections
from unitscope.service.live.options import LiveOptions

MAPS = f"{API}/images/1/maps/block"


def until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_full_queue_has_a_place_for_another_client(swept, kit):
    with kit.client(swept, live=LiveOptions(queue=4)) as greedy:
        other = TestClient(greedy.app, client=("192.0.2.7", 1), raise_server_exceptions=False)
        until(lambda: greedy.get(MAPS).status_code == 200)
        status = greedy.app.state.live.status
        pid = status().pid
        os.kill(pid, signal.SIGSTOP)
        order = []

        def ask(client, name, zoom):
            answer = client.get(f"{MAPS}?zoom={zoom}")
            order.append(name)
            return answer

        try:
            with ThreadPoolExecutor(12) as pool:
                running = pool.submit(ask, greedy, "running", 2)
                until(lambda: status().state == "busy")
                first = [pool.submit(ask, greedy, "greedy", 3 + n) for n in range(4)]
                until(lambda: status().waiting == 4)
                assert ask(greedy, "refused", 8).status_code == 503
                asked = pool.submit(ask, other, "other", 3)
                until(lambda: sum(one.done() for one in first) == 1)  # gave its place
                assert ask(greedy, "refused", 9).status_code == 503
                os.kill(pid, signal.SIGCONT)
                assert asked.result().status_code == running.result().status_code == 200
                codes = Counter(one.result().status_code for one in first)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert codes == {200: 3, 503: 1}
        answered = [name for name in order if name in ("greedy", "other", "running")][
            1:
        ]  # after the one displaced
        assert (
            answered.index("other") <= 1
        )  # the greedy client's turn came after, whose requests were there before


def test_bodies_of_one_client_leave_half_for_others(swept, kit, monkeypatch):
    monkeypatch.setattr(guard, "HELD_BYTES", 1000)
    with kit.client(swept) as client:
        other = TestClient(client.app, client=("192.0.2.7", 1))
        assert client.post(f"{API}/live/maps?layer=block", content=b"x" * 501).status_code == 503
        assert other.post(f"{API}/live/maps?layer=block", content=b"x" * 499).status_code in (422, 503)


class Waiting:
    """A connection as `Connections` sees it."""

    waits_for_client = True

    def __init__(self, address, since):
        self.address, self.since, self.refused = address, since, None
        self.loop = type("Loop", (), {"call_later": lambda *_: None})()

    def refuse(self, *why):
        self.refused = why


def test_the_address_with_the_most_connections_gives_one_up(monkeypatch):
    monkeypatch.setattr(connections, "CONNECTIONS", 4)
    kept = Connections()
    many = [Waiting("a", since) for since in (5, 3, 4)]
    old = Waiting("b", 1)
    for one in (old, *many, Waiting("c", 9)):
        kept.add(one)
    assert [one.refused is not None for one in (old, *many)] == [False, False, True, False]


@pytest.mark.parametrize("scope", [{"client": ("::1", 5)}, {"client": None}, {}])
def test_the_client_of_a_request(scope):
    from unitscope.service.telemetry import client_of

    assert client_of(scope) == ("::1" if scope.get("client") else "")

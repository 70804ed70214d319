"""What others may do to a live model: crowds, odd images, a worker that hangs, files that change."""

import io
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from live_answers import API, is_problem, own_file
from PIL import Image
from unitscope.service.live.options import LiveOptions
from unitscope.service.stores.trusted import Trusted

MAPS = f"{API}/images/1/maps/block"


def encoded(mode, size, form):
    file = io.BytesIO()
    Image.new(mode, size, 0).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "size", "form"),
    [
        ("RGB", (1, 1), "PNG"),
        ("RGB", (1, 3000), "JPEG"),
        ("CMYK", (40, 30), "JPEG"),
        ("CMYK", (40, 30), "TIFF"),
        ("I;16", (40, 30), "PNG"),
        ("LA", (40, 30), "PNG"),
        ("P", (40, 30), "GIF"),
        ("1", (40, 30), "BMP"),
    ],
)
def test_odd_images_are_images(client, mode, size, form):
    for path in ("/neighbors/upload", "/live/maps?layer=block"):
        response = client.post(API + path, content=encoded(mode, size, form))
        assert response.status_code == 200, response.text


def test_a_crowd_is_answered_or_told_to_come_again(live):
    until_it_runs(live)
    data = own_file(live, 0)
    bad = [b"no image", data[:200], b""]

    def upload(number):
        content = bad[number % 9] if number % 9 < len(bad) else data
        response = live.post(f"{API}/live/maps?layer=block", content=content)
        precomputed = live.get(f"{API}/images/{number % 60}")
        return content is data, response, precomputed

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(upload, range(50)))
    for good, response, precomputed in answers:
        assert precomputed.status_code == 200
        assert response.status_code in ((200, 503) if good else (422, 503))
        if response.status_code == 503:
            is_problem(response, 503, "try again")
            assert int(response.headers["Retry-After"]) > 0
    # As many as may wait, images or not, are looked at by the worker.
    assert sum(response.status_code != 503 for _, response, _ in answers) >= LiveOptions().queue
    assert live.get(f"{API}/live").json()["restarts"] == 0


def until_it_runs(client):
    end = time.monotonic() + 60
    while client.get(MAPS).status_code != 200:
        assert time.monotonic() < end


def test_a_worker_that_hangs_is_replaced(swept, kit):
    with kit.client(swept, live=LiveOptions(seconds=3)) as client:
        until_it_runs(client)
        status = client.app.state.live.status
        hanging = status().pid
        os.kill(hanging, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(client.get, f"{MAPS}?zoom=2")
                assert client.get(f"{API}/neighbors?image=4").status_code == 200
                assert time.monotonic() - began < 3
                is_problem(asked.result(), 503, "3 s")
            end = time.monotonic() + 20
            while client.get(f"{MAPS}?zoom=2").status_code != 200:
                assert time.monotonic() < end
                time.sleep(0.1)
            assert (status().restarts, status().pid != hanging) == (1, True)
            with pytest.raises(ProcessLookupError):
                os.kill(hanging, 0)
        finally:
            with suppress(ProcessLookupError):
                os.kill(hanging, signal.SIGKILL)


def test_a_network_whose_file_changes_is_answered_for_as_long_as_it_is_held(altered, kit, tmp_path):
    own = tmp_path / "network.py"

    def alter(content):
        path, _, factory = content["model"]["spec"].rpartition(":")
        own.write_text(Path(path).read_text())
        content["model"]["spec"] = f"{own}:{factory}"

    with kit.client(altered(alter), trust=Trusted(model=True, data=True)) as client:
        until_it_runs(client)
        swept = own.read_text()
        own.write_text(swept.replace("0.25, 0.25", "0.2, 0.25"))
        assert client.get(f"{MAPS}?zoom=2").status_code == 200  # the network that was swept is in memory
        kill_the_worker(client)
        is_problem(asked_again(client), 409, "its preprocessing")
        own.unlink()
        kill_the_worker(client)
        is_problem(asked_again(client), 503, "there is no file")
        assert client.get(f"{API}/images/1").status_code == 200
        own.write_text(swept)
        kill_the_worker(client)
        assert asked_again(client).status_code == 200


def kill_the_worker(client):
    os.kill(client.app.state.live.status().pid, signal.SIGKILL)


def asked_again(client):
    """Of a new worker: the first request may be the one that sees the death."""
    end = time.monotonic() + 20
    while True:
        response = client.get(f"{MAPS}?zoom=3")
        if "worker" not in response.text[:999] or time.monotonic() > end:
            return response
        time.sleep(0.05)

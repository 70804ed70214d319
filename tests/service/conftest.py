"""Stores to serve: a made-up one with an oracle for every answer, and a real small sweep; clients of both."""

import html
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import headless_chromium
import httpx
import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.caching.cache import ByteCache
from unitscope.index.format.manifest import Manifest
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.service.app import create_app
from unitscope.service.client import Client

SWEEP = """
import sys
from unitscope.index.projection.projection import MapOptions
from unitscope.jobs.build.atlas import build_atlas
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep.run import sweep
data, store, model = sys.argv[1:]
sweep(SweepConfig(data=data, store=store, model=model, workers=0, batch_size=16, k=20))
build_atlas(store, MapOptions("pca"))
"""

LAYER_ATLASES = """
import sys
from unitscope.index.projection.projection import MapOptions
from unitscope.jobs.build.activation_atlas import build_activation_atlas
from unitscope.jobs.build.units_atlas import build_units_atlas
if __name__ == "__main__":
    build_units_atlas(sys.argv[1], "block", MapOptions("pca"))
    build_activation_atlas(sys.argv[1], "block", MapOptions("pca"))
"""


AXE = Path(__file__).parents[2] / "service" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => [one.id, one.help, ...one.nodes.slice(0, 3).map(node => node.html.slice(0, 200))]))"""


class Kit:
    """What the tests of this folder do to stores."""

    @staticmethod
    def client(*stores, **options):
        """A client of a service in this process; what fails inside is an answer, as it is for a real client."""
        return TestClient(
            create_app([str(store) for store in stores], **options), raise_server_exceptions=False
        )

    @staticmethod
    def forgetful(client):
        """The client of a service that makes each answer anew, whatever was asked before."""
        client.app.state.registry.get("store").value.answers = ByteCache(0)
        return client

    @staticmethod
    def index(made, seed=0, choice=None):
        """Builds the index of a synthetic store; choice: of its type, None for what fits its size."""
        valid = ~made.failed
        return build(
            blocks_of(made.feature, valid),
            made.feature.shape[1],
            made.folder,
            store=Kit.hash(made),
            seed=seed,
            choice=choice,
        )

    @staticmethod
    def atlas(made, name="flat", seed=0, side=6):
        """Writes an atlas with made-up coordinates."""
        images = np.flatnonzero(~made.failed)
        coordinates = np.random.default_rng(seed).random((len(images), 2)).astype(np.float32)
        settings = {"method": "drawn", "seed": seed}
        return write_atlas(
            made.folder, name, images, coordinates, side=side, settings=settings, store=Kit.hash(made)
        )

    @staticmethod
    def module(name, path):
        """A Python file as a module."""
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    @staticmethod
    def hash(made):
        return Manifest.read(made.folder).hash

    @staticmethod
    @contextmanager
    def answering(*stores, **options):
        """The URL of a service in this process, over HTTP."""
        app = create_app([str(store) for store in stores], **options)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the service did not start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)

    @staticmethod
    @contextmanager
    def serving(*stores):
        """The URL of `unitscope serve`, in a process of its own, on a free port."""
        command = [
            sys.executable,
            "-P",
            "-m",
            "unitscope.cli.main",
            "serve",
            *map(str, stores),
            "--port",
            "0",
        ]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            url = re.search(r"http://\S+", process.stderr.readline())
            assert url, "serve printed no address"
            yield url[0].rstrip("/")
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stderr.close()


@pytest.fixture(scope="session")
def kit():
    return Kit


@pytest.fixture(scope="session")
def made(synthetic, tmp_path_factory):
    """A synthetic store with images, an index and an atlas. Not to be changed."""
    folder = tmp_path_factory.mktemp("served")
    made = synthetic.make_store(folder / "store", dataset=folder / "data")
    Kit.index(made)
    Kit.atlas(made)
    return made


@pytest.fixture(scope="session")
def client(made):
    with Kit.client(made.url) as client:
        yield Kit.forgetful(client)


@pytest.fixture(scope="session")
def url(kit, made):
    """Where a service with the synthetic store answers, in this process."""
    with kit.answering(made.url) as url:
        yield url


@pytest.fixture(scope="session")
def store(url):
    """The synthetic store, as the Python client asks it; label: of one of its classes."""
    with Client(url) as client:
        store = client.store("store")
        store.label = store.classes().first(1)[0].label
        yield store


@pytest.fixture(scope="session")
def words():
    """Gives the text of a page, without tags, with single spaces."""

    def read(client, path, **params):
        response = client.get(path, params=params or None)
        text = re.sub(r"<title>.*?</title>|<[^>]+>", " ", response.text.split("<main", 1)[1])
        return " ".join(html.unescape(text).split())

    return read


@pytest.fixture
def fresh(synthetic, tmp_path):
    """As `made`, for one test to break."""
    made = synthetic.make_store(tmp_path / "store", dataset=tmp_path / "data")
    Kit.index(made)
    Kit.atlas(made)
    return made


@pytest.fixture(scope="session")
def swept(tmp_path_factory):
    """A real store: 60 pictures through a small network with random weights, in another process, for torch is there."""
    module = Kit.module("jobs_conftest", Path(__file__).parents[1] / "jobs" / "conftest.py")
    folder = tmp_path_factory.mktemp("swept")
    material = module.make_material(folder, 60)
    store = folder / "shapes"
    command = [sys.executable, "-P", "-c", SWEEP, str(material.data), str(store), material.model]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=os.environ)
    assert run.returncode == 0, run.stderr
    return store


@pytest.fixture(scope="session")
def mapped(swept, tmp_path_factory):
    """The real store with both atlases of a layer, made in another process, for torch is in it."""
    store = tmp_path_factory.mktemp("layer") / "mapped"
    shutil.copytree(swept, store)
    script = store.parent / "make.py"  # a child of it imports it again
    script.write_text(LAYER_ATLASES)
    subprocess.run([sys.executable, "-P", script, store], check=True, capture_output=True, timeout=300)
    return store


@pytest.fixture(scope="session")
def live(swept):
    """A client of `unitscope serve` with the real store, in a process of its own."""
    with Kit.serving(swept) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def faults():
    """Gives the serious and critical faults that axe-core finds on an open page."""
    axe = AXE.read_text(encoding="utf-8") + ";0"

    def find(tab):
        tab.evaluate(axe)
        return tab.evaluate(RUN_AXE)

    return find


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium with a made-up camera; a skip where there is none, unless it is promised."""
    found = headless_chromium.find()
    if found is None:
        promised = os.environ.get("UNITSCOPE_REQUIRE_BROWSER") == "1"
        assert not promised, "UNITSCOPE_REQUIRE_BROWSER=1 promises Chromium, but there is none"
        pytest.skip("needs Chromium")
    started = headless_chromium.Browser(
        found, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
    )
    yield started
    started.close()

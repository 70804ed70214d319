"""The pages in a real Chromium: nothing fails, nothing is asked of another host, nothing jumps, nothing is too wide.

Skipped where there is no Chromium; UNITSCOPE_REQUIRE_BROWSER=1 promises one. Screenshots stay in
test-artifacts/service/.
"""

import importlib.util
import io
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

HERE = Path(__file__).parent
ARTIFACTS = HERE.parents[1] / "test-artifacts" / "service"
SIZES = {"wide": (1440, False), "narrow": (390, False), "wide-dark": (1440, True), "narrow-dark": (390, True)}
REQUIRE = "UNITSCOPE_REQUIRE_BROWSER"
STORE = "/stores/shapes"
LINKS = (
    r'href="(/stores/shapes/layers/[^"?]+)"',
    r'href="(/stores/shapes/units/[^"?]+)"',
    r'href="(/stores/shapes/neighbors\?image=\d+)"',
)
PAGES = {
    "overview": STORE,
    "layer": f"{STORE}/layers/block",
    "unit": f"{STORE}/units/block/3",
    "unit-of-the-head": f"{STORE}/units/head.2/3",
    "unit-filtered": f"{STORE}/units/block/3?where=label%20%3D%20'square'",
    "unit-nothing-left": f"{STORE}/units/block/3?where=label%20%3D%20'nobody'",
    "neighbors": f"{STORE}/neighbors?image=5",
    "atlas": f"{STORE}/atlas",
}


@pytest.fixture(scope="module")
def browser():
    spec = importlib.util.spec_from_file_location("service_browser", HERE / "browser.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    path = module.find()
    if path is None:
        assert os.environ.get(REQUIRE) != "1", f"{REQUIRE}=1 promises Chromium, but there is none"
        pytest.skip("needs Chromium")
    started = module.Browser(path)
    yield started
    started.close()


_PNG = io.BytesIO()
Image.new("RGB", (300, 300)).save(_PNG, "PNG")
PNG = _PNG.getvalue()
BAD = b"""<title>bad</title><img src=/late.png><p>This is moved when the image has come.<div style="width: 3000px">wide
</div><img src=/missing.png><img src=http://127.0.0.2:8000/elsewhere.png><script>console.error("an error")</script>"""


class Bad(BaseHTTPRequestHandler):
    """A page with everything that must not be."""

    def do_GET(self):
        if self.path == "/late.png":
            time.sleep(0.3)
        self.send_response(404 if self.path == "/missing.png" else 200)
        self.end_headers()
        self.wfile.write(PNG if self.path == "/late.png" else BAD)

    def log_message(self, *args):
        pass


def test_the_browser_sees_what_must_not_be(browser):
    with ThreadingHTTPServer(("127.0.0.1", 0), Bad) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        visit = browser.visit(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
    assert [status for status, url in visit.failed if url.endswith("/missing.png")] == [404]
    assert any("an error" in text for text in visit.logged)
    assert any("127.0.0.2" in url for url in visit.requested)
    assert any(url.endswith("/missing.png") for url in visit.broken)
    assert visit.overflow > 1000
    assert visit.shifted > 0.005


@pytest.mark.parametrize("size", SIZES)
def test_every_page(browser, live, size):
    width, dark = SIZES[size]
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        visit = browser.visit(f"{live.base_url}{path}", width=width, dark=dark)
        (ARTIFACTS / f"{name}-{size}.png").write_bytes(visit.png)
        assert "shapes" in visit.title
        assert (visit.failed, visit.logged, visit.broken) == ([], [], []), name
        ours = urlsplit(str(live.base_url)).netloc
        assert {urlsplit(url).netloc for url in visit.requested} == {ours}, name
        assert visit.overflow == 0, name
        assert visit.shifted < 0.005, name


def test_a_walk_by_the_links(browser, live):
    """Overview → layer → unit → neighbours of a patch's image, by the addresses that each page holds."""
    path = STORE
    for link in LINKS:
        text = live.get(path).text
        path = re.findall(link, text)[0]
        visit = browser.visit(f"{live.base_url}{path}")
        assert (visit.failed, visit.logged) == ([], []), path


def test_pages_of_problems(browser, live):
    for path in (f"{STORE}/units/block/999", "/nothing", f"{STORE}/units/block/3?where=((("):
        visit = browser.visit(f"{live.base_url}{path}", width=390)
        assert visit.overflow == 0
        assert [url for _, url in visit.failed if urlsplit(url).path != urlsplit(path).path] == []

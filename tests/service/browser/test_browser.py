"""The pages in a real Chromium: nothing fails, nothing is asked of another host, nothing jumps, nothing is too wide.

Skipped where there is no Chromium; UNITSCOPE_REQUIRE_BROWSER=1 promises one. Screenshots stay in
test-artifacts/service/.
"""

import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

HERE = Path(__file__).parent
ARTIFACTS = HERE.parents[2] / "test-artifacts" / "service"
SIZES = {"wide": (1440, False), "narrow": (390, False), "wide-dark": (1440, True), "narrow-dark": (390, True)}
STORE = "/stores/shapes"
PAGES = {
    "overview": STORE,
    "layer": f"{STORE}/layers/block",
    "layer-filters": f"{STORE}/layers/{{first}}?filters=true",
    "layer-nothing-left": f"{STORE}/layers/block?min_active=1&max_active=0",
    "unit": f"{STORE}/units/block/3?similar=true",
    "unit-median": f"{STORE}/units/block/3?quantile=0.5&filters=true",
    "unit-of-the-head": f"{STORE}/units/head.2/3",
    "unit-filtered": f"{STORE}/units/block/3?where=label%20%3D%20'square'",
    "unit-nothing-left": f"{STORE}/units/block/3?where=label%20%3D%20'nobody'",
    "image": f"{STORE}/images/5",
    "image-maps": f"{STORE}/images/5?maps=block",
    "image-overlay": f"{STORE}/images/5?maps=block&unit=3",
    "images": f"{STORE}/images?sort=loss",
    "classes": f"{STORE}/classes",
    "class": f"{STORE}/classes/{{label}}",
    "neighbors": f"{STORE}/neighbors?image=5",
    "neighbors-region": f"{STORE}/neighbors?image=5&box=0,0,20,20",
    "go": f"{STORE}/go?q=unit%203",
    "atlas-plain": f"{STORE}/atlas?plain=true",
    "region": f"{STORE}/atlas/pca/region?region=0,0;9,0;9,9",
}
"""The pages that need scripts are in test_web.py."""


@pytest.fixture(scope="module")
def pages(live):
    """The pages' addresses in the store that is served."""
    first = live.get(f"/api/v1{STORE}/layers").json()["layers"][0]["layer"]
    label = live.get(f"/api/v1{STORE}/images/5").json()["label"]
    return {name: path.format(first=first, label=label) for name, path in PAGES.items()}


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


def test_the_browser_sees_what_must_not_be(chromium):
    with ThreadingHTTPServer(("127.0.0.1", 0), Bad) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        visit = chromium.visit(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
    assert [status for status, url in visit.failed if url.endswith("/missing.png")] == [404]
    assert any("an error" in text for text in visit.logged)
    assert any("127.0.0.2" in url for url in visit.requested)
    assert any(url.endswith("/missing.png") for url in visit.broken)
    assert visit.overflow > 1000
    assert visit.shifted > 0.005


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_every_page(chromium, live, pages, size):
    width, dark = SIZES[size]
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, path in pages.items():
        visit = chromium.visit(f"{live.base_url}{path}", width=width, dark=dark)
        (ARTIFACTS / f"{name}-{size}.png").write_bytes(visit.png)
        assert "shapes" in visit.title
        assert (visit.failed, visit.logged, visit.broken) == ([], [], []), name
        ours = urlsplit(str(live.base_url)).netloc
        assert {urlsplit(url).netloc for url in visit.requested if not url.startswith("data:")} == {ours}, (
            name
        )
        assert visit.overflow == 0, name
        assert visit.shifted < 0.005, name


def test_the_whole_image_is_shown_under_the_pointer_and_with_the_focus(chromium, live):
    seen = "getComputedStyle(document.querySelector('.wall .whole-image')).visibility"
    frame = "document.querySelector('.wall .frame').getBoundingClientRect()"
    middle = f"(r => [r.x + r.width / 2, r.y + r.height / 2])({frame})"
    with chromium.open(f"{live.base_url}{STORE}/units/block/3") as tab:
        assert tab.evaluate(seen) == "hidden"
        tab.evaluate("document.querySelector('.wall .frame').scrollIntoView({block: 'center'})")
        tab.point("mouseMoved", *tab.evaluate(middle))
        tab.wait(f"{seen} === 'visible'")
        tab.point("mouseMoved", 0, 0)
        tab.wait(f"{seen} === 'hidden'")
        tab.press("Tab", 9)
        assert tab.evaluate("document.activeElement.className") == "skip"
        tab.evaluate("document.querySelector('.wall .frame').focus({focusVisible: true})")
        tab.wait(f"{seen} === 'visible'")


def test_the_header_s_form_by_the_keyboard(chromium, live):
    with chromium.open(f"{live.base_url}{STORE}/layers/block") as tab:
        tab.evaluate("document.querySelector('header input[name=q]').focus()")
        for letter in "unit 3":
            tab.call("Input.insertText", text=letter)
        tab.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", windowsVirtualKeyCode=13, text="\r")
        tab.wait("location.pathname.endsWith('/units/block/3')")


def test_pages_of_problems(chromium, live):
    for path in (f"{STORE}/units/block/999", "/nothing", f"{STORE}/units/block/3?where=((("):
        visit = chromium.visit(f"{live.base_url}{path}", width=390)
        assert visit.overflow == 0
        assert [url for _, url in visit.failed if urlsplit(url).path != urlsplit(path).path] == []

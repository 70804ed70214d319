"""The pages that need scripts, in a real Chromium with a camera that is made up.

Skipped where there is no Chromium; UNITSCOPE_REQUIRE_BROWSER=1 promises one. Screenshots stay in
test-artifacts/service/.
"""

import json
import os
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import headless_chromium
import pytest

ROOT = Path(__file__).parents[3]
ARTIFACTS = ROOT / "test-artifacts" / "service"
SIZES = {"wide": (1440, False), "narrow": (390, False), "wide-dark": (1440, True), "narrow-dark": (390, True)}
REQUIRE = "UNITSCOPE_REQUIRE_BROWSER"
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
ATLAS = "/stores/shapes/atlas/pca"
LIVE = "/stores/shapes/live"
READY = "document.getElementById('atlas').dataset.ready === '' && document.getElementById('facts-name').textContent"
FRAMES = "Number(document.getElementById('live').dataset.frames ?? 0)"
START = "document.getElementById('live-start').click()"
PROBLEM = "document.getElementById('{}').textContent"


def started(kit, *flags):
    path = headless_chromium.find()
    if path is None:
        assert os.environ.get(REQUIRE) != "1", f"{REQUIRE}=1 promises Chromium, but there is none"
        pytest.skip("needs Chromium")
    return headless_chromium.Browser(path, *flags)


@pytest.fixture(scope="module")
def browser(kit):
    found = started(kit, *CAMERA)
    yield found
    found.close()


def keep(tab, name):
    """A screenshot; nothing may have failed, come from elsewhere or be too wide."""
    visit = tab.look()
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / f"{name}.png").write_bytes(visit.png)
    assert (visit.failed, visit.logged, visit.broken) == ([], [], [])
    assert len({urlsplit(url).netloc for url in visit.requested if url.startswith("http")}) == 1
    assert visit.overflow == 0
    assert visit.shifted < 0.005
    return visit


def place(tab):
    """What the address holds: grid, x, y, across."""
    held = {name: one for name, (one,) in parse_qs(tab.evaluate("location.hash").lstrip("#")).items()}
    return held.pop("grid", None), {name: float(one) for name, one in held.items()}


def middle(tab):
    """The middle of the viewer, in pixels of the window."""
    frame = "document.getElementById('atlas-viewer').getBoundingClientRect()"
    return tab.evaluate(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({frame})")


@pytest.mark.parametrize("size", SIZES)
def test_the_atlas_in_every_size(browser, live, size):
    width, dark = SIZES[size]
    with browser.open(f"{live.base_url}{ATLAS}", width=width, dark=dark) as tab:
        tab.wait(READY)
        visit = keep(tab, f"atlas-viewer-{size}")
        assert any("/tiles/nearest/" in url for url in visit.requested)
        thumbs = [url for url in visit.requested if "/thumb" in url]
        assert len(thumbs) <= 1, "the grid for who has no scripts is not loaded"
        tab.evaluate("document.querySelector('button[data-grid=assigned]').click()")
        tab.wait("location.hash.includes('grid=assigned')")
        tab.wait(READY)
        keep(tab, f"atlas-every-image-{size}")


def test_an_image_is_found_and_the_address_holds_the_view(browser, live):
    api = "/api/v1/stores/shapes/atlases/pca"
    image = live.get(f"{api}/at?grid=assigned&x=1&y=2").json()["image"]["image_id"]
    cells = {cell["grid"]: cell for cell in live.get(f"{api}/where?item={image}").json()["cells"]}
    with browser.open(f"{live.base_url}{ATLAS}#grid=assigned") as tab:
        tab.wait(READY)
        tab.evaluate(f"document.querySelector('#atlas-search input').value = {image}")
        tab.evaluate("document.querySelector('#atlas-search button').click()")
        tab.wait(f"document.getElementById('facts-name').textContent === 'image {image}'")
        tab.wait("location.hash.includes('across')")
        grid, view = place(tab)
        assert grid == "assigned"
        assert view["x"] == pytest.approx(cells["assigned"]["column"] + 0.5, abs=0.01)
        assert view["y"] == pytest.approx(cells["assigned"]["row"] + 0.5, abs=0.01)
        address = tab.evaluate("location.href")
        assert (
            tab.evaluate("document.getElementById('facts-link').pathname") == f"/stores/shapes/images/{image}"
        )
        tab.evaluate("document.querySelector('#atlas-search input').value = 999999")
        tab.evaluate("document.querySelector('#atlas-search').noValidate = true")
        tab.evaluate("document.querySelector('#atlas-search button').click()")
        assert "no image 999999" in tab.wait(PROBLEM.format("atlas-problem"))
    with browser.open(address) as tab:
        tab.wait(f"document.getElementById('facts-name').textContent === 'image {image}'")
        keep(tab, "atlas-found")
    with browser.open(f"{live.base_url}{ATLAS}?item={image}") as tab:
        shown = cells["nearest"]["shown"]
        tab.wait(f"document.getElementById('facts-name').textContent === 'image {shown}'")
        told = tab.evaluate(PROBLEM.format("atlas-problem"))
        assert (f"shows image {shown}" in told) == (shown != image)


def test_the_atlas_by_keyboard(browser, live):
    with browser.open(f"{live.base_url}{ATLAS}#grid=assigned&x=4&y=4&across=4") as tab:
        tab.wait(READY)
        tab.evaluate("document.querySelector('#atlas-viewer [role=application]').focus()")
        tab.press("ArrowRight")
        tab.wait("!location.hash.includes('x=4&')")
        assert place(tab)[1]["x"] == pytest.approx(4 + 0.15 * 4, abs=0.02)
        tab.press("-")
        tab.wait("Number(new URLSearchParams(location.hash.slice(1)).get('across')) > 5.9")
        image = tab.evaluate("document.getElementById('facts-name').textContent").removeprefix("image ")
        tab.press("Enter", 13)
        tab.wait(f"location.pathname === '/stores/shapes/images/{image}'")


def test_the_atlas_by_mouse(browser, live):
    with browser.open(f"{live.base_url}{ATLAS}#grid=assigned&x=3.5&y=3.5&across=5") as tab:
        tab.wait(READY)
        x, y = middle(tab)
        first = tab.evaluate("document.getElementById('facts-name').textContent")
        tab.point(
            "mouseMoved", x - 1.1 * tab.evaluate("document.getElementById('atlas-viewer').clientWidth") / 5, y
        )
        tab.wait(f"document.getElementById('facts-name').textContent !== {json.dumps(first)}")
        left = live.get("/api/v1/stores/shapes/atlases/pca/at?grid=assigned&x=2.4&y=3.5").json()["image"][
            "image_id"
        ]
        assert tab.evaluate("document.getElementById('facts-name').textContent") == f"image {left}"
        for _ in range(3):
            tab.point("mouseWheel", x, y, deltaX=0, deltaY=120)
        tab.wait("Number(new URLSearchParams(location.hash.slice(1)).get('across')) > 5.5")
        tab.click(x, y)
        tab.wait("location.pathname.startsWith('/stores/shapes/images/')")


def test_the_atlas_says_what_failed(browser, live):
    with browser.open(f"{live.base_url}{ATLAS}") as tab:
        tab.wait(READY)
        tab.call("Network.setBlockedURLs", urls=["*"])
        tab.evaluate("document.querySelector('#atlas-search input').value = 3")
        tab.evaluate("document.querySelector('#atlas-search button').click()")
        assert "does not answer" in tab.wait(PROBLEM.format("atlas-problem"))


def test_the_atlas_without_scripts(browser, live):
    with browser.open(f"{live.base_url}{ATLAS}", scripts=False) as tab:
        assert any("/thumb" in url for url in tab.visit.requested)
        assert not any("/tiles/" in url for url in tab.visit.requested)
        assert (tab.visit.failed, tab.visit.logged) == ([], [])


@pytest.mark.parametrize("size", SIZES)
def test_the_camera_in_every_size(browser, live, size):
    width, dark = SIZES[size]
    with browser.open(f"{live.base_url}{LIVE}", width=width, dark=dark) as tab:
        keep(tab, f"live-before-{size}")
        tab.evaluate(START)
        tab.wait(f"{FRAMES} > 2", 60)
        visit = keep(tab, f"live-{size}")
        sent = [url for url in visit.requested if "/live/maps" in url]
        assert 3 <= len(sent) <= tab.evaluate(FRAMES) + 1, "the next frame goes only after the answer"
        assert tab.evaluate("document.getElementById('live-classes').children.length") >= 2
        assert re.fullmatch(r"[\d.]+ frames/s", tab.evaluate(PROBLEM.format("live-rate")))
        tab.evaluate(START)
        before = tab.evaluate(FRAMES)
        time.sleep(0.5)
        assert tab.evaluate(FRAMES) == before
        assert tab.evaluate("document.getElementById('live-video').srcObject === null")


def test_another_layer_and_the_page_of_a_unit(browser, live):
    layers = [one["layer"] for one in live.get("/api/v1/stores/shapes/layers").json()["layers"]]
    with browser.open(f"{live.base_url}{LIVE}?layer={layers[0]}") as tab:
        tab.evaluate(START)
        tab.wait(f"{FRAMES} > 1", 60)
        choose = f"s => {{ s.value = {layers[1]!r}; s.dispatchEvent(new Event('change')); }}"
        tab.evaluate(f"({choose})(document.getElementById('live-layer'))")
        before = tab.evaluate(FRAMES)
        tab.wait(f"{FRAMES} > {before + 2}")
        assert f"layer={layers[1]}" in tab.evaluate("location.search")
        tab.evaluate("document.getElementById('live-maps').focus()")
        for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
            tab.press(key)
        assert tab.evaluate(PROBLEM.format("live-unit")) == f"unit 2 of {layers[1]}"
        tab.press("Enter", 13)
        tab.wait(f"location.pathname === '/stores/shapes/units/{layers[1]}/2'")


BUSY = """
window.tries = 0;
window.fetch = async () => {
  window.tries += 1;
  const problem = JSON.stringify({detail: "the model worker is busy"});
  return new Response(problem, {status: %d, headers: {"Retry-After": "0.5"}});
}
"""


def test_a_busy_worker_is_told_and_tried_again(browser, live):
    with browser.open(f"{live.base_url}{LIVE}") as tab:
        tab.evaluate(BUSY % 503)
        tab.evaluate(START)
        assert "the model worker is busy Trying again." in tab.wait(PROBLEM.format("live-problem"))
        tab.wait("window.tries > 2")
        tab.evaluate(BUSY % 422)
        tab.wait("document.getElementById('live-start').textContent === 'Start the camera'")
        assert tab.evaluate(PROBLEM.format("live-problem")) == "the model worker is busy"
        assert tab.evaluate("window.tries") == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("new DOMException('', 'NotAllowedError')", "not allowed to use the camera"),
        ("new DOMException('', 'NotFoundError')", "No camera was found"),
        ("new DOMException('', 'NotReadableError')", "another program may be using it"),
        ("new Error('odd')", "The camera cannot be used: odd"),
    ],
)
def test_why_there_is_no_camera(browser, live, error, told):
    with browser.open(f"{live.base_url}{LIVE}") as tab:
        tab.evaluate(f"navigator.mediaDevices.getUserMedia = () => Promise.reject({error})")
        tab.evaluate(START)
        assert told in tab.wait(PROBLEM.format("live-problem"))
        assert tab.evaluate("document.getElementById('live-start').textContent") == "Start the camera"


def test_a_machine_without_a_camera(kit, live):
    found = started(
        kit, "--use-fake-device-for-media-stream=device-count=0", "--use-fake-ui-for-media-stream"
    )
    try:
        with found.open(f"{live.base_url}{LIVE}") as tab:
            tab.evaluate(START)
            assert "camera" in tab.wait(PROBLEM.format("live-problem"))
    finally:
        found.close()

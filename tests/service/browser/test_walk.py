"""A walk as a person takes it, by clicking: from the overview to a layer, unit 17, an image, its neighbours, its class,
the atlas, the camera. Nothing fails, nothing is logged, nothing is asked of another host.

Screenshots stay in test-artifacts/service/.
"""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

ARTIFACTS = Path(__file__).parents[3] / "test-artifacts" / "service"
SIZES = {"wide": (1440, False), "narrow": (390, False), "wide-dark": (1440, True), "narrow-dark": (390, True)}
S = "/stores/shapes"


class Walk:
    """One tab; each step is a click on a link that can be seen."""

    def __init__(self, tab, size):
        self.tab, self.size, self.steps = tab, size, 0

    def click(self, selector, path):
        """Clicks the first link that fits; the page that follows has an address that holds `path`."""
        link = f"document.querySelector({selector!r})"
        assert self.tab.evaluate(f"!!{link}"), selector
        self.tab.evaluate(f"{link}.scrollIntoView({{block: 'center'}})")
        box = f"(r => [r.x + r.width / 2, r.y + r.height / 2])({link}.getClientRects()[0])"
        self.tab.evaluate("window.before = true")
        self.tab.click(*self.tab.evaluate(box))
        self.arrived(path)

    def arrived(self, path):
        new = "!window.before && document.readyState === 'complete'"
        self.tab.wait(f"{new} && (location.pathname + location.search).includes({path!r})")
        self.keep(path)

    def keep(self, name):
        """A screenshot; nothing may have failed so far."""
        visit = self.tab.look()
        self.steps += 1
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        (ARTIFACTS / f"walk-{self.steps}-{self.size}.png").write_bytes(visit.png)
        assert (visit.failed, visit.logged) == ([], []), name
        assert visit.overflow == 0, name
        assert len({urlsplit(url).netloc for url in visit.requested if url.startswith("http")}) == 1, name


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_walk(chromium, live, size):
    width, dark = SIZES[size]
    with chromium.open(f"{live.base_url}{S}", width=width, dark=dark) as tab:
        walk = Walk(tab, size)
        walk.keep("overview")
        walk.click(".network a[href$='/layers/head.2']", "/layers/head.2")
        tab.evaluate("document.querySelector('header input[name=q]').focus()")
        tab.call("Input.insertText", text="unit 17")
        tab.evaluate("window.before = true")
        tab.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", windowsVirtualKeyCode=13, text="\r")
        walk.arrived("/units/head.2/17")
        walk.click("#patches figcaption a[href*='/images/']", "/images/")
        image = tab.evaluate("location.pathname.split('/').pop()")
        walk.click("a[href*='/neighbors?image=']", f"/neighbors?image={image}")
        walk.click("figcaption a.label", "/classes/")
        walk.click("header a[href$='/atlas']", "/atlas")
        tab.wait("document.getElementById('atlas').dataset.ready === ''")
        walk.keep("atlas, ready")
        walk.click("header a[href$='/live']", "/live")
        tab.evaluate("document.getElementById('live-start').click()")
        tab.wait("Number(document.getElementById('live').dataset.frames ?? 0) > 2", 60)
        walk.keep("live")

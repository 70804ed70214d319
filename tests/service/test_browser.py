"""The pages in a real Chromium: nothing fails, nothing is asked of another host, nothing jumps, nothing is too wide.

Skipped where there is no Chromium; UNITSCOPE_REQUIRE_BROWSER=1 promises one. Screenshots stay in
test-artifacts/service/.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

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

"""The atlas viewer in a real Chromium: zoomed to its end, searched, hovered, lassoed, painted, compared.

Skipped where there is no Chromium; UNITSCOPE_REQUIRE_BROWSER=1 promises one. Screenshots stay in
test-artifacts/service/.
"""

import re
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.storage.folder import Folder
from unitscope.index.store.store import Store
from unitscope.index.store.thumbs import Thumbs

ARTIFACTS = Path(__file__).parents[3] / "test-artifacts" / "service"
PAGE = "/stores/shapes/atlas/pca"
API = "/api/v1/stores/shapes/atlases/pca"
READY = "document.getElementById('atlas').dataset.ready === '' && document.getElementById('facts-name').textContent"
TEXT = "document.getElementById('{}').textContent"
REGION = "document.getElementById('atlas-region').dataset.ready === ''"


def keep(tab, name):
    """A screenshot; nothing may have failed, come from elsewhere or be too wide."""
    visit = tab.look()
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / f"atlas-{name}.png").write_bytes(visit.png)
    assert (visit.failed, visit.logged) == ([], [])
    assert len({urlsplit(url).netloc for url in visit.requested if url.startswith("http")}) == 1
    assert visit.overflow == 0
    return visit


def held(tab):
    """What the address holds."""
    return {name: one for name, (one,) in parse_qs(tab.evaluate("location.hash").lstrip("#")).items()}


def frame(tab, holder="atlas-viewer"):
    """left, top, width, height of a viewer in pixels of the window."""
    return tab.evaluate(
        f"(r => [r.x, r.y, r.width, r.height])(document.getElementById('{holder}').getBoundingClientRect())"
    )


def submit(tab, text):
    tab.evaluate(f"document.querySelector('#atlas-search input').value = {text!r}")
    tab.evaluate("document.querySelector('#atlas-search button').click()")


def set_paint(tab, **fields):
    for name, value in fields.items():
        tab.evaluate(
            f"(f => {{ f.value = '{value}'; f.dispatchEvent(new Event('change', {{bubbles: true}})); }})"
            f"(document.querySelector('#atlas-paint [name={name}]'))"
        )


def drag(tab, points):
    tab.point("mouseMoved", *points[0])
    tab.point("mousePressed", *points[0], button="left", clickCount=1)
    for x, y in points[1:]:
        tab.point("mouseMoved", x, y, button="left", buttons=1)
    tab.point("mouseReleased", *points[-1], button="left", clickCount=1)


@pytest.fixture(scope="module")
def two(swept):
    """The store with a second atlas, in which the images of each label lie together."""
    folder, store = Folder(str(swept)), Store.open(str(swept))
    images = Atlas.open(folder, "pca").images
    labels = store.images(["label"])["label"].to_pylist()
    names = sorted(set(labels))
    heaps = np.array([[10 * names.index(labels[image]), 0] for image in images.tolist()])
    noise = np.random.default_rng(0).random((len(images), 2)) * 2
    with Thumbs(folder, [store.images_count]) as thumbs:
        write_atlas(
            folder,
            "heaps",
            images,
            (heaps + noise).astype(np.float32),
            settings={"method": "heaps"},
            store=store.manifest.hash,
            thumb=thumbs.get,
        )
    return swept


def test_panned_and_zoomed_to_the_deepest_level(chromium, live):
    deepest = len(live.get(f"{API}/tiles/assigned").json()["levels"]) - 1
    with chromium.open(f"{live.base_url}{PAGE}#grid=assigned") as tab:
        tab.wait(READY)
        left, top, width, height = frame(tab)
        x, y = left + width / 2, top + height / 2
        for _ in range(20):
            tab.point("mouseWheel", x, y, deltaX=0, deltaY=-120)
        tab.wait("Number(new URLSearchParams(location.hash.slice(1)).get('across')) < 5")
        before = held(tab)
        drag(tab, [(x, y), (x - 60, y - 40), (x - 120, y - 60)])
        tab.wait(f"new URLSearchParams(location.hash.slice(1)).get('x') !== '{before['x']}'")
        assert float(held(tab)["x"]) > float(before["x"])
        visit = keep(tab, "deepest")
        levels = {
            int(found[1]) for url in visit.requested if (found := re.search(r"/tiles/assigned/(\d+)/", url))
        }
        assert deepest in levels


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 800)])
def test_what_a_search_tells_is_seen(chromium, live, width, height):
    with chromium.open(f"{live.base_url}{PAGE}", width=width, height=height) as tab:
        tab.wait(READY)
        submit(tab, "nonsense")
        tab.wait(f"{TEXT.format('atlas-problem')}.includes('nonsense')")
        told = frame(tab, "atlas-problem")
        assert told[1] >= 0 and told[1] + told[3] <= height


def test_names_of_clusters_near_a_side_are_read_whole(chromium, kit, two):
    shown = "[...document.querySelectorAll('.cluster:not([hidden])')]"
    with (
        kit.serving(two) as url,
        chromium.open(f"{url}/stores/shapes/atlas/heaps", width=390, height=800) as tab,
    ):
        tab.wait(READY)
        tab.wait(f"{shown}.length > 0")
        left, _, width, _ = frame(tab)
        sides = tab.evaluate(f"{shown}.map(one => one.getBoundingClientRect()).map(r => [r.left, r.right])")
        assert all(left <= one and other <= left + width for one, other in sides)


def test_an_image_and_a_class_are_found_and_hovered(chromium, live):
    with chromium.open(f"{live.base_url}{PAGE}#grid=assigned") as tab:
        tab.wait(READY)
        submit(tab, "17")
        tab.wait(f"{TEXT.format('facts-name')} === 'image 17'")
        label = live.get("/api/v1/stores/shapes/classes").json()["classes"][0]["label"]
        submit(tab, label)
        told = tab.wait(TEXT.format("atlas-problem"))
        where = f"label = '{label}'"
        extent = live.get(f"{API}/extent", params={"grid": "assigned", "where": where}).json()
        assert told.startswith(f"{extent['items']} images are marked where {where}")
        tab.wait("new URLSearchParams(location.hash.slice(1)).get('find')")
        assert held(tab)["find"] == where
        x0, _, x1, _ = extent["box"]
        tab.wait(f"Math.abs(new URLSearchParams(location.hash.slice(1)).get('x') - {(x0 + x1) / 2}) < 0.01")
        visit = keep(tab, "class")
        assert any("by=where" in url and "/overlays/assigned/" in url for url in visit.requested)
        submit(tab, "((")
        assert "filter" in tab.wait(
            f"{TEXT.format('atlas-problem')}.includes('filter') && {TEXT.format('atlas-problem')}"
        )
        left, top, width, height = frame(tab)
        before = tab.evaluate(TEXT.format("facts-name"))
        for step in range(1, 8):
            tab.point("mouseMoved", left + width / 2 + step * 40, top + height / 2)
        tab.wait(f"{TEXT.format('facts-name')} !== '{before}'")


@pytest.mark.parametrize("by", ["unit", "column:correct", "density", "column:label"])
def test_painted(chromium, live, by):
    with chromium.open(f"{live.base_url}{PAGE}#grid=assigned") as tab:
        tab.wait(READY)
        if by == "unit":
            set_paint(tab, layer="head.2", unit=17)
        set_paint(tab, by=by)
        legend = tab.wait(TEXT.format("atlas-legend"))
        wanted = {"unit": "unit 17 of head.2", "column:correct": "correctness"}.get(
            by, by.removeprefix("column:")
        )
        assert wanted in legend
        assert "color: " in tab.wait(TEXT.format("facts-paint"))
        address = tab.evaluate("location.href")
        tab.wait(
            "performance.getEntriesByType('resource').some(one => one.name.includes('/overlays/assigned/'))"
        )
        keep(tab, f"painted-{by.replace(':', '-')}")
    with chromium.open(address) as tab:
        tab.wait(READY)
        assert wanted in tab.wait(TEXT.format("atlas-legend"))
        assert tab.evaluate("document.querySelector('#atlas-paint [name=by]').value") == by
        visit = keep(tab, "painted-again")
        assert visit.shifted < 0.01


@pytest.mark.parametrize("width", [1440, 390])
def test_a_region_is_lassoed_and_told_of_and_has_an_address(chromium, live, width):
    with chromium.open(f"{live.base_url}{PAGE}#grid=assigned", width=width, dark=width < 600) as tab:
        tab.wait(READY)
        tab.evaluate("document.getElementById('atlas-viewer').scrollIntoView()")
        tab.evaluate("document.getElementById('atlas-lasso').click()")
        left, top, wide, high = frame(tab)
        x, y, size = left + wide / 2, top + high / 2, min(wide, high) / 4
        drag(tab, [(x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)])
        tab.wait(REGION)
        region = held(tab)["region"]
        told = live.get(f"{API}/region", params={"grid": "assigned", "region": region}).json()
        assert 5 < told["items"] < 60
        text = tab.evaluate(TEXT.format("atlas-region"))
        assert f"Show all {told['items']} images" in text
        assert "Most characteristic units" in text
        assert "Exact, over all" in text
        assert (
            tab.evaluate("document.querySelector('.above polygon').getAttribute('points').split(' ').length")
            == 4
        )
        tab.evaluate("document.getElementById('atlas-region').scrollIntoView()")
        keep(tab, f"region-{width}")
        address = tab.evaluate("location.href")
    with chromium.open(address, width=width) as tab:
        tab.wait(REGION)
        assert tab.look().shifted < 0.01
        tab.evaluate("document.getElementById('atlas-clear').click()")
        assert "region" not in held(tab)
        assert tab.evaluate("document.getElementById('atlas-region').hidden")


def test_each_image_at_its_place_is_found_outlined_and_painted(chromium, live):
    where = {one["grid"]: one for one in live.get(f"{API}/where?item=17").json()["cells"]}["scatter"]
    with chromium.open(f"{live.base_url}{PAGE}#grid=scatter&by=column&column=label") as tab:
        tab.wait(READY)
        submit(tab, "17")
        tab.wait(f"{TEXT.format('facts-name')} === 'image 17'")
        tab.wait(f"Math.abs(new URLSearchParams(location.hash.slice(1)).get('x') - {where['x']}) < 0.01")
        tab.wait("document.querySelectorAll('.chosen').length")
        visit = keep(tab, "scatter")
        assert any("/tiles/scatter/" in url for url in visit.requested)
        assert any("/overlays/scatter/" in url for url in visit.requested)


def test_regions_by_keys(chromium, live):
    with chromium.open(f"{live.base_url}{PAGE}#grid=assigned&x=4&y=4&across=8") as tab:
        tab.wait(READY)
        tab.evaluate("document.querySelector('#atlas-viewer [role=application]').focus()")
        tab.press("m")
        tab.wait(REGION)
        corners = [tuple(map(float, one.split(","))) for one in held(tab)["region"].split(";")]
        assert corners[0][0] == pytest.approx(2, abs=0.05)
        assert corners[2][0] == pytest.approx(6, abs=0.05)
        tab.press("Escape", 27)
        tab.wait("!location.hash.includes('region')")
        tab.press("c")
        tab.press("ArrowRight")
        tab.press("ArrowDown")
        tab.wait("Number(new URLSearchParams(location.hash.slice(1)).get('x')) > 5")
        tab.press("c")
        tab.wait(REGION)
        corners = [tuple(map(float, one.split(","))) for one in held(tab)["region"].split(";")]
        assert corners[0] == pytest.approx((4, 4), abs=0.05)
        assert corners[2][0] == pytest.approx(5.2, abs=0.05)


def test_two_atlases_side_by_side_are_linked(chromium, kit, two):
    with kit.serving(two) as url, httpx.Client(base_url=url, timeout=30) as client:
        address = f"{url}{PAGE}?beside=heaps#grid=assigned"
        with chromium.open(address) as tab:
            tab.wait(READY)
            tab.evaluate("document.getElementById('atlas-viewer').scrollIntoView()")
            left, top, width, height = frame(tab)
            tab.point("mouseMoved", left + width / 2 + 30, top + height / 2 + 30)
            name = tab.wait(f"/image [0-9]/.test({TEXT.format('facts-name')}) && {TEXT.format('facts-name')}")
            tab.wait("document.querySelectorAll('.chosen').length === 2")
            tab.evaluate("document.getElementById('atlas-lasso').click()")
            x, y = left + width / 2, top + height / 2
            drag(tab, [(x - 90, y - 90), (x + 90, y - 90), (x + 90, y + 90), (x - 90, y + 90)])
            tab.wait(REGION)
            region = held(tab)["region"]
            asked = {"by": "region", "region": region, "region_grid": "assigned", "region_atlas": "pca"}
            linked = client.get("/api/v1/stores/shapes/atlases/heaps/overlays/legend", params=asked).json()
            inside = client.get(f"{API}/region", params={"grid": "assigned", "region": region}).json()
            assert linked["classes"][0]["items"] == inside["items"] > 0
            visit = keep(tab, "beside")
            tiles = [one for one in visit.requested if "/atlases/heaps/overlays/assigned/" in one]
            assert any(parse_qs(urlsplit(one).query)["region"] == [region] for one in tiles)
            assert name.startswith("image ")
        with chromium.open(f"{url}{PAGE}?beside=nope") as tab:
            tab.wait(READY)
            assert "no atlas 'nope'" in tab.evaluate("document.querySelector('main').textContent")


def test_names_lie_on_the_map_at_low_zoom(chromium, kit, two):
    with kit.serving(two) as url, httpx.Client(base_url=url, timeout=30) as client:
        clusters = client.get("/api/v1/stores/shapes/atlases/heaps/clusters").json()["clusters"]
        names = {one["name"] for one in clusters if one["scale"] == 0}
        with chromium.open(f"{url}/stores/shapes/atlas/heaps") as tab:
            tab.wait(READY)
            tab.wait(f"document.querySelectorAll('.cluster').length === {len(clusters)}")
            shown = "[...document.querySelectorAll('.cluster')].filter(one => !one.hidden).map(one => one.textContent)"
            assert set(tab.evaluate(shown)) == names
            assert len(names) >= 2
            keep(tab, "names")


def test_an_address_that_cannot_be_says_what_is_wrong(chromium, live):
    address = f"{live.base_url}{PAGE}#grid=foo&x=abc&across=-3&region=1,1&by=unit&layer=nope&unit=3"
    with chromium.open(address) as tab:
        tab.wait(READY)
        told = tab.evaluate(TEXT.format("atlas-problem"))
        for wrong in ("grid=foo", "assigned, nearest, scatter", "x=abc", "across=-3", "region=1,1"):
            assert wrong in told
        assert "no layer 'nope'" in tab.wait(TEXT.format("atlas-legend"))
        assert not any("/overlays/nearest/" in url for url in tab.look().requested)


def test_tiles_that_are_damaged_and_an_atlas_that_is_replaced_are_told_of(chromium, kit, swept, tmp_path):
    store = tmp_path / "shapes"
    shutil.copytree(swept, store)
    for pack in (store / "atlas" / "pca" / "tiles").rglob("*.jpegs"):
        data = pack.read_bytes()
        with pack.open("r+b") as file:
            file.write(data.replace(b"\xff\xd8\xff", b"\x00\xd8\xff"))
    region = "#grid=assigned&region=0,0;4,0;4,4;0,4"
    with kit.serving(store) as url, chromium.open(f"{url}{PAGE}{region}") as tab:
        assert "damaged" in tab.wait(TEXT.format("atlas-problem"))
        tab.wait(f"{READY} && {REGION}")
        before = httpx.get(f"{url}{API}").headers["etag"]
        manifest = store / "atlas" / "pca" / "atlas.json"
        replaced = store / "atlas" / "pca" / "other.json"
        replaced.write_text(manifest.read_text() + " ")
        replaced.rename(manifest)
        deadline = time.monotonic() + 20  # what is held answers while the new one is opened
        while httpx.get(f"{url}{API}").headers["etag"] == before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        tab.evaluate("document.getElementById('atlas-middle').click()")
        old = "document.querySelectorAll('#atlas-region figure').length"
        tab.wait(f"{TEXT.format('atlas-region')}.includes('has been made again') && {old} === 0")


def test_an_address_that_finds_nothing_says_so(chromium, live):
    with chromium.open(f"{live.base_url}{PAGE}#grid=assigned&find=loss+%3C+-1") as tab:
        tab.wait(READY)
        tab.wait("document.body.innerText.includes('No image on the map matches the filter loss < -1.')")

"""axe-core finds no serious or critical fault on any page, light and dark, wide and narrow.

`make setup` puts axe-core beside the packages that the pages' scripts are built from.
"""

import pytest

STORE = "/stores/shapes"
PAGES = {
    "overview": STORE,
    "layer": f"{STORE}/layers/block?filters=true",
    "layer, nothing left": f"{STORE}/layers/block?min_active=1&max_active=0",
    "unit": f"{STORE}/units/block/3?similar=true&quantile=0.5",
    "unit, problem": f"{STORE}/units/block/3?where=(((",
    "image": f"{STORE}/images/5?maps=block",
    "images": f"{STORE}/images?where=correct%20%3D%20false&sort=loss",
    "classes": f"{STORE}/classes",
    "class": f"{STORE}/classes/square",
    "neighbors": f"{STORE}/neighbors?image=5&box=0,0,20,20",
    "go": f"{STORE}/go?q=unit%203",
    "problem": f"{STORE}/layers/nope",
    "atlas": f"{STORE}/atlas",
    "atlas without the viewer": f"{STORE}/atlas?plain=true",
    "atlas, painted and a region": f"{STORE}/atlas/pca#by=column&column=label&region=0,0;9,0;9,9;0,9",
    "atlas, two": f"{STORE}/atlas/pca?beside=pca#by=unit&layer=head.2&unit=3",
    "region": f"{STORE}/atlas/pca/region?region=0,0;9,0;9,9",
    "live": f"{STORE}/live",
}
BAD = "document.body.insertAdjacentHTML('beforeend', '<input><img>')"


def test_it_would_be_seen(chromium, live, faults):
    with chromium.open(f"{live.base_url}{STORE}/classes") as tab:
        tab.evaluate(BAD)
        assert {one[0] for one in faults(tab)} == {"image-alt", "label"}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_serious_fault(chromium, live, faults, name, dark):
    with chromium.open(f"{live.base_url}{PAGES[name]}", width=390 if dark else 1440, dark=dark) as tab:
        assert faults(tab) == []

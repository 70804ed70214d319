"""The pages as text: well formed, nothing from elsewhere, every picture with its size and words, no link to nowhere."""

import html
import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

S = "/stores/store"
PAGES = {
    "overview": S,
    "layer": f"{S}/layers/features.0",
    "layer sorted": f"{S}/layers/features.0?sort=selectivity&order=asc&dead=false&min_active=&label=cat",
    "layer empty": f"{S}/layers/features.0?min_active=1&max_active=0",
    "layer past its end": f"{S}/layers/features.0?start=5000",
    "tokens": f"{S}/layers/block.1:0?start=5",
    "unit": f"{S}/units/features.0/3",
    "unit, dead": f"{S}/units/features.0/0?similar=true",
    "unit, median": f"{S}/units/features.0/3?quantile=0.5&classes=all&similar=true",
    "vector": f"{S}/units/head/1?k=100",
    "filtered": f"{S}/units/features.0/3?where=label = 'cat'",
    "image": f"{S}/images/4",
    "image, failed": f"{S}/images/70",
    "images": f"{S}/images",
    "images, hardest": f"{S}/images?where=correct = false&sort=loss&order=",
    "images, none": f"{S}/images?where=label = 'nobody'",
    "images, past the end": f"{S}/images?start=5000",
    "classes": f"{S}/classes",
    "class": f"{S}/classes/cat",
    "neighbors": f"{S}/neighbors?image=4",
    "neighbors of a failed image": f"{S}/neighbors?image=70",
    "go, a choice": f"{S}/go?q=17",
    "go, nothing": f"{S}/go?q=nobody",
    "atlas": f"{S}/atlas?plain=true",
    "problem": f"{S}/layers/nope",
}
OPEN = {"meta", "link", "img", "input", "br"}
ASKS_THE_MODEL = {"maps", "filters", "box"}


class Tags(HTMLParser):
    """Collects tags with their attributes; fails where a tag is closed that is not open."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.text = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in OPEN:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(params=PAGES)
def page(request, client):
    return Tags(client.get(PAGES[request.param]).text)


def test_random_weights_are_said(page):
    assert "Random weights" in " ".join(page.text)


def test_nothing_comes_from_elsewhere(page):
    for tag, attributes in page.found:
        assert tag not in ("script", "iframe", "style"), "the policy forbids it"
        assert "style" not in attributes, "the policy forbids it"
        for name in ("href", "src", "action"):
            address = attributes.get(name, "")
            assert address is None or re.match(r"/(?!/)|\?|#|data:image/|$", address), address


def test_every_picture_has_its_place_and_its_words(page):
    for image in page.all("img"):
        if image.get("class") == "laid":  # the words are its drawing's, the place is its box's
            continue
        assert image["alt"]
        assert image["width"]
        assert image["height"]
    for box in page.all("foreignobject"):
        assert float(box["width"]) > 0
        assert float(box["height"]) > 0
    for drawing in page.all("svg"):
        assert "viewBox" in drawing or "viewbox" in drawing
    for link in page.all("a"):
        assert link["href"]


def test_every_field_is_named(page):
    named = {
        "image",
        "item",
        "where",
        "x0",
        "y0",
        "x1",
        "y1",
        "unit",
        "min_selectivity",
        "min_active",
        "max_active",
    }
    for field in page.all("input"):
        hidden = field.get("type") == "hidden"
        assert hidden or "aria-label" in field or field["name"] in named
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"href": "#main", "class": "skip"} in page.all("a")


def test_no_link_leads_nowhere(client):
    """Every address that a page holds answers; what is on the same page is there."""
    seen, wrong = set(), []
    for path in PAGES.values():
        tags = Tags(client.get(path).text)
        ids = {attributes.get("id") for _, attributes in tags.found}
        for _, attributes in tags.found:
            for name in ("href", "src", "action"):
                address = urlsplit(urljoin(path, attributes.get(name) or ""))
                if address.scheme == "data":
                    continue
                if address.fragment and not address.path.startswith("/"):
                    assert address.fragment in ids
                target = f"{address.path}?{address.query}"
                if target in seen or parse_qs(address.query).keys() & ASKS_THE_MODEL:
                    continue
                seen.add(target)
                if len(seen) % 7 and "/api/" in target:
                    continue  # pictures: some of them
                status = client.get(target).status_code
                if status >= 400 and not ("/go?" in target or target in (path, f"{path}?")):
                    wrong.append((path, target, status))
    assert len(seen) > 300
    assert wrong == []


def test_statuses(client):
    assert {name: client.get(path).status_code for name, path in PAGES.items()} == dict.fromkeys(
        PAGES, 200
    ) | {
        "go, nothing": 404,
        "problem": 404,
    }


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        (f"{S}/images/999", 404, "the ids are 0 to 199"),
        (f"{S}/classes/nobody", 404, "nobody"),
        (f"{S}/units/features.0/999", 404, "it has units 0 to 39"),
        (f"{S}/units/features.0/3?where=(((", 422, "The filter ends too early"),
        (f"{S}/images?where=(((", 422, "The filter ends too early"),
        (f"{S}/layers/features.0?min_active=7", 422, "min_active"),
        (f"{S}/layers/features.0?label=nobody", 404, "nobody"),
        (f"{S}/neighbors?image=4&box=1,2,3", 422, "box"),
        (f"{S}/neighbors?image=4&box=5,5,5,5", 422, "empty"),
        (f"{S}/classes?cursor=5-0123456789ab", 422, "cursor"),
    ],
)
def test_problems_are_told_on_a_page(client, path, status, told):
    response = client.get(path)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert told in html.unescape(response.text)
    Tags(response.text)


def test_one_store_is_the_home(client):
    assert client.get("/", follow_redirects=False).headers["location"] == S


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0.00"),
        (1234567, "1,234,567"),
        (12345.678, "12,346"),
        (-0.29494, "-0.295"),
        (4.0, "4.00"),
        (0.00001234, "1.23e-05"),
        (999.96, "1,000"),
    ],
)
def test_numbers_for_people(value, shown):
    from unitscope.service.pages.rendering.page import number

    assert number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "–"),
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (0.9999, "> 99.9 %"),
        (0.0001, "< 0.1 %"),
        (0.5, "50.0 %"),
    ],
)
def test_shares_for_people(share, shown):
    from unitscope.service.pages.rendering.page import percent

    assert percent(share) == shown


def test_ranks_and_counts_for_people():
    from unitscope.service.pages.rendering.page import counted, ordinal

    ranks = (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111, 1002)
    assert " ".join(map(ordinal, ranks)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th 1,002nd"
    assert [counted(1, "unit"), counted(0, "unit"), counted(1234, "class", "classes")] == [
        "1 unit",
        "0 units",
        "1,234 classes",
    ]

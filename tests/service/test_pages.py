"""The pages as text: what must be said is said, what is shown has its size reserved, nothing comes from elsewhere."""

import re
from html.parser import HTMLParser

import pytest

PAGES = {
    "overview": "/stores/store",
    "layer": "/stores/store/layers/features.0",
    "tokens": "/stores/store/layers/block.1:0?start=5",
    "unit": "/stores/store/units/features.0/3",
    "vector": "/stores/store/units/head/1?k=100",
    "filtered": "/stores/store/units/features.0/3?where=label = 'cat'",
    "neighbors": "/stores/store/neighbors?image=4",
    "failed": "/stores/store/neighbors?image=70",
    "atlas": "/stores/store/atlas",
    "problem": "/stores/store/layers/nope",
}
OPEN = {"meta", "link", "img", "input", "br"}


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
            assert address is None or re.match(r"/(?!/)|\?|$", address), address


def test_every_picture_has_its_place_and_its_words(page):
    for image in page.all("img"):
        assert image["alt"]
        assert image["width"]
        assert image["height"]
    for drawing in page.all("svg"):
        assert "viewBox" in drawing or "viewbox" in drawing


def test_every_field_is_named(page):
    labelled = "".join(page.text)
    for field in page.all("input"):
        assert "aria-label" in field or field["name"] in ("image", "where"), labelled
    assert len([attributes for tag, attributes in page.found if tag == "h1"]) == 1
    assert page.all("html") == [{"lang": "en"}]


def test_a_unit_s_page_says_what_the_answer_says(client):
    answer = client.get("/api/v1/stores/store/layers/features.0/units/3/patches?k=24").json()
    text = client.get("/stores/store/units/features.0/3").text
    shown = " ".join(Tags(text).text)
    for patch in answer["patches"]:
        assert f"image {patch['image_id']}" in shown
        assert f"at ({patch['y']}, {patch['x']})" in shown
        x0, y0, x1, y1 = patch["view"]
        assert f'<rect class="view" x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}"/>' in text
        x0, y0, x1, y1 = patch["box"]
        assert f'<rect class="field" x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}"/>' in text
        assert patch["crop"].replace("&", "&amp;") in text
    assert "Exact: every image was looked at" in " ".join(shown.split())


def test_a_dead_unit_is_said(client):
    assert "This unit is dead" in client.get("/stores/store/units/features.0/0").text
    assert "dead" in client.get("/stores/store/layers/features.0").text


def test_an_empty_view_says_why_and_what_to_do(client):
    text = client.get("/stores/store/units/features.0/3", params={"where": "label = 'x'"}).text
    assert "No image that was swept passes this filter" in text
    assert "Look at all images" in text
    text = client.get("/stores/store/neighbors", params={"image": 70}).text
    assert "This image is undecodable" in text


def test_neighbours_state_the_metric_and_that_they_are_exact(client):
    text = " ".join(client.get("/stores/store/neighbors?image=4").text.split())
    assert "Nearest by L2 distance of features, exact: every image was compared" in text


@pytest.mark.parametrize(
    "typed", ["features.0 17", "features.0/17", "unit 17 of features.0", " 17,features.0 "]
)
def test_a_unit_can_be_typed(client, typed):
    response = client.get("/stores/store/go", params={"unit": typed}, follow_redirects=False)
    assert response.headers["location"] == "/stores/store/units/features.0/17"


def test_one_store_is_the_home(client):
    assert client.get("/", follow_redirects=False).headers["location"] == "/stores/store"


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
    from unitscope.service.look import number

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
    from unitscope.service.look import percent

    assert percent(share) == shown

"""Names of classes of any length, or with nothing in them, on the pages: seen, short below pictures, whole beside."""

import os
import re
from html import escape, unescape

import headless_chromium
import pytest
from altered_stores import altered, relabel
from unitscope.service.pages.rendering.page import named, short, signed

STORE = "/stores/store"
LONG = "x" * 400
LABELS = ("", "  ", LONG, "a plain one", "two words " * 30, "<b>bold</b>")


def _awkward(made):
    labels = [LABELS[image % len(LABELS)] for image in range(made.images.num_rows)]
    relabel(made, labels, [3 if label == "a plain one" else None for label in labels])


@pytest.fixture(scope="module")
def awkward(synthetic, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    return altered(synthetic, folder / "store", _awkward, dataset=folder / "data")


@pytest.fixture(scope="module")
def client(awkward, kit):
    with kit.client(awkward.url) as client:
        yield client


@pytest.fixture(scope="module")
def browser(kit):
    path = headless_chromium.find()
    if path is None:
        assert os.environ.get("UNITSCOPE_REQUIRE_BROWSER") != "1", "Chromium is promised, but there is none"
        pytest.skip("needs Chromium")
    found = headless_chromium.Browser(path)
    yield found
    found.close()


PAGES = (
    "",
    "/classes",
    "/images",
    "/images/2",
    "/units/features.0/3",
    "/layers/features.0",
    "/neighbors?image=2",
)


@pytest.mark.parametrize("path", [*PAGES, "/class?label=", "/class?label=%20%20"])
def test_every_link_has_words(client, path):
    text = client.get(STORE + path).text
    for link in re.findall(r"<a\b[^>]*>.*?</a>", text, re.DOTALL):
        words = unescape(re.sub(r"<[^>]+>", "", link)).strip()
        assert words or re.search(r'aria-label="[^"]+"|alt="[^"]+"', link), link


@pytest.mark.parametrize("path", ["/images", "/units/features.0/3"])
def test_long_names_are_short_below_pictures_and_whole_as_titles(client, path):
    text = client.get(STORE + path).text
    below = re.findall(r'<a class="label"[^>]*?(?: title="([^"]*)")?>([^<]*)</a>', text)
    shown = {unescape(title or words): unescape(words) for title, words in below}
    assert shown[LONG] == "x" * 47 + "…"
    assert "(empty label)" in shown.values()
    assert max(map(len, shown.values())) <= 48
    assert escape("<b>bold</b>") in text
    assert "<b>bold" not in text


def test_a_page_says_the_model_s_name_for_a_label(client, awkward):
    known = [row for row in client.get(f"/api/v1{STORE}/classes").json()["classes"] if row["label_class"]]
    assert [(row["label"], row["label_class"]) for row in known] == [("a plain one", "dog")]
    options = re.findall(
        r'<option value="a plain one"[^>]*>([^<]*)', client.get(f"{STORE}/layers/features.0").text
    )
    assert options == ["dog"]


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_too_wide(awkward, kit, browser, width):
    with kit.answering(awkward.url) as url:
        for path in (*PAGES, f"/classes/{LONG}"):
            visit = browser.visit(url + STORE + path, width=width)
            assert (path, visit.overflow) == (path, 0)


def test_names_and_signs_for_people():
    assert [named(""), named("cat"), named(" \t")] == ["(empty label)", "cat", "(empty label)"]
    assert (short("y" * 48), short("y" * 49)) == ("y" * 48, "y" * 47 + "…")
    assert [signed(one) for one in (1.04, -1.06, 0.04, -0.04, 0.0)] == ["+1.0", "-1.1", "0.0", "0.0", "0.0"]

"""The pages of unusual stores: odd labels or none, several stores, no model, nothing found, and what takes long."""

import html
import json
import re
import threading
import time

import pyarrow as pa
import pytest
from unitscope.index.analysis import similar_units
from unitscope.service.queries import units as unit_queries

S = "/stores/store"


def test_an_empty_view_says_why_and_what_to_do(client, words):
    assert "No image that was swept matches this filter. Show all images" in words(
        client, f"{S}/units/features.0/3", where="label = 'x'"
    )
    assert "No image matches this filter. Show all images" in words(
        client, f"{S}/images", where="label = 'x'"
    )
    assert "No unit of features.0 matches these filters. Show all 40" in words(
        client, f"{S}/layers/features.0", min_active=1, max_active=0
    )
    assert "This page is past the end of the list" in words(client, f"{S}/images", start=5000)
    assert "This page is past the end of the list" in words(client, f"{S}/layers/features.0", start=5000)


def test_labels_and_metadata_are_only_text(kit, synthetic, tmp_path, words):
    """Markup, slashes and quotes in labels and in names of the dataset's columns are shown, not obeyed."""
    label = '<b>it\'s</b> a/b?c#d & "e"'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "CLASSES", (label, "bee", "cat", "dog"))
        made = synthetic.make_store(tmp_path / "store")
    with kit.client(made.url) as client:
        overview = client.get(S).text
        assert "<b>it" not in overview
        link = html.unescape(re.search(r'href="(/stores/store/classes/[^"]*b%3E[^"]*)"', overview)[1])
        text = client.get(link).text
        assert label in words(client, link)
        assert "<b>it" not in text
        images = html.unescape(re.search(r'<dt>images</dt><dd><a href="([^"]+)"', text)[1])
        counted = client.get(images).text
        assert counted.count('class="frame"') > 10
        assert client.get(f"{S}/go", params={"q": label}, follow_redirects=False).headers["location"] == link


def test_the_same_unit_of_other_stores(kit, made, synthetic, tmp_path):
    other = synthetic.make_store(tmp_path / "other", seed=5, images=40)
    less = synthetic.make_store(
        tmp_path / "less", seed=6, images=40, layers=synthetic.LAYERS[2:], kinds=("ties",)
    )
    with kit.client(made.url, other.url, less.url) as client:
        text = client.get(f"{S}/units/features.0/3").text
        assert 'href="/stores/other/units/features.0/3"' in text
        assert "/stores/less/units" not in text
        pictures = re.findall(
            r'src="(/api/v1/stores/other/layers/features.0/units/3/patches/\d/picture[^"]*)"', text
        )
        assert len(pictures) == 6
        assert all(client.get(html.unescape(one)).status_code == 200 for one in pictures)
        assert 'href="/stores/other/units/head/1"' in client.get("/stores/less/units/head/1").text
        home = client.get("/").text
        assert all(f'href="/stores/{name}"' in home for name in ("store", "other", "less"))


def test_a_store_without_labels(kit, synthetic, tmp_path, words):
    made_up = synthetic._made_up

    def unlabelled(*given, **more):
        made = made_up(*given, **more)
        for name in ("label", "label_index", "loss"):
            place, column = made.images.schema.get_field_index(name), made.images[name]
            field = made.images.schema.field(name)
            made.images = made.images.set_column(place, field, pa.nulls(len(column), column.type))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "_made_up", unlabelled)
        made = synthetic.make_store(tmp_path / "store")
    with kit.client(made.url) as client:
        for path in (
            "",
            "/classes",
            "/images",
            "/images/4",
            "/layers/head",
            "/units/head/1",
            "/neighbors?image=4",
        ):
            assert client.get(f"{S}{path}").status_code == 200, path
        assert "label" in words(client, f"{S}/classes")
        assert "no label" in words(client, f"{S}/images")


def test_what_takes_long_is_left_for_the_next_page(client, monkeypatch, words):
    """The page goes out without it and says so; it is made once, for the page that asks again."""
    from unitscope.service.pages.rendering import sections as views_parts

    going, asked = threading.Event(), []

    def slow(served, layer, unit, *, k):
        asked.append(unit)
        going.wait(20)
        return unit_queries.similar_units_now(served, layer, unit, k=k)

    monkeypatch.setattr(unit_queries, "similar_units_now", unit_queries.similar_units, raising=False)
    monkeypatch.setattr(unit_queries, "similar_units", slow)
    assert "Computing…" in words(client, f"{S}/units/features.0/5")
    for unit in range(views_parts._MANY + 5):
        assert "Computing…" in words(client, f"{S}/units/features.0/{unit}")
    going.set()
    assert len(asked) < views_parts._MANY, "the rest wait or were not begun"
    assert "Pearson correlation" in words(client, f"{S}/units/features.0/5", similar="true")


def test_what_is_known_to_take_long_is_begun_once_the_page_is_painted(fresh, kit, monkeypatch, words):
    monkeypatch.setattr(similar_units, "_QUICK_BYTES", 0)
    with kit.client(fresh.url) as client:
        assert "Computing…" in words(client, f"{S}/units/features.0/5")
        facts = client.app.state.registry.get("store").value.analysis
        deadline = time.monotonic() + 20
        while not facts.similar.is_quick("features.0"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "Pearson correlation" in words(client, f"{S}/units/features.0/5")


@pytest.mark.parametrize(
    "feature", [{"note": "the network's own <output>", "module": "m", "width": 3}, {}, None, [1]]
)
def test_what_a_person_should_know_of_the_feature_is_said(fresh, kit, feature):
    path = fresh.folder.local_path("manifest.json")
    manifest = json.loads(path.read_text())
    manifest["model"]["feature"] = feature
    path.write_text(json.dumps(manifest))
    note = feature["note"] if feature and "note" in feature else ""
    with kit.client(fresh.url) as client:
        assert client.get("/api/v1/stores/store").json()["feature_note"] == note
        overview = client.get("/stores/store")
    assert overview.status_code == 200
    assert note in html.unescape(overview.text)


def test_a_receptive_field_that_may_be_too_large_is_said_to_be(fresh, kit):
    path = fresh.folder.local_path("manifest.json")
    manifest = json.loads(path.read_text())
    manifest["model"]["guessed"] = {"features.0": ["aten.grid_sampler_2d", "own.<op>"]}
    path.write_text(json.dumps(manifest))
    said = "an upper bound after <code>aten.grid_sampler_2d</code>, <code>own.&lt;op&gt;</code>)"
    with kit.client(fresh.url) as client:
        assert said in client.get(f"{S}/layers/features.0").text
        assert "approximate" not in client.get(f"{S}/layers/head").text

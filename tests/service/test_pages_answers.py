"""The pages say what the API says: patches, ranks, histograms, classes, lists, neighbours."""

import html
import io
import json
import re
import threading

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from unitscope.service.pages.charts import HEIGHT, WIDTH, bars, class_bars
from unitscope.service.pages.look import number, ordinal, percent
from unitscope.service.questions import units as unit_questions

API = "/api/v1/stores/store"
S = "/stores/store"


def words(client, path, **params):
    """The text of a page, without tags, with single spaces."""
    response = client.get(path, params=params or None)
    text = re.sub(r"<title>.*?</title>|<[^>]+>", " ", response.text.split("<main", 1)[1])
    return " ".join(html.unescape(text).split())


def test_a_unit_s_patches(client):
    answer = client.get(f"{API}/layers/features.0/units/3/patches?k=24").json()
    text, shown = client.get(f"{S}/units/features.0/3").text, words(client, f"{S}/units/features.0/3")
    for patch in answer["patches"]:
        assert f"image {patch['image_id']}" in shown
        assert f"at ({patch['y']}, {patch['x']})" in shown
        x0, y0, x1, y1 = patch["view"]
        assert f'<rect class="view" x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}"/>' in text
        assert f"box={x0}%2C{y0}%2C{x1}%2C{y1}" in text
        x0, y0, x1, y1 = patch["box"]
        assert f'<rect class="field" x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}"/>' in text
        assert patch["crop"].replace("&", "&amp;") in text
        assert f'href="{S}/images/{patch["image_id"]}"' in text
    assert "Exact: every image was looked at (197)" in shown


@pytest.mark.parametrize("quantile", [0, 0.05, 0.5, 1])
def test_patches_around_a_quantile(client, quantile):
    params = {"quantile": quantile, "k": 24}
    answer = client.get(f"{API}/layers/block.1:0/units/3/patches", params=params).json()
    shown = words(client, f"{S}/units/block.1:0/3", quantile=quantile)
    for patch in answer["patches"]:
        assert f"{number(patch['value'], 4)} {ordinal(patch['rank'])}" in shown
    assert "Patches around" in shown


def test_a_unit_s_statistics_have_their_ranks(client):
    unit = client.get(f"{API}/layers/features.0/units/3").json()
    shown = words(client, f"{S}/units/features.0/3")
    facts = {"max": "largest maximum", "mean": "mean", "std": "standard deviation", "min": "smallest"}
    for name, said in facts.items():
        value = number(unit[name], 4 if name == "max" else 3)
        assert f"{said} {value} {ordinal(unit['ranks'][name])} of {unit['ranked'][name]}" in shown
    for one in unit["quantiles"]:
        assert f"{100 * one['quantile']:.0f} % {number(one['value'], 4)} around it" in shown


def test_a_unit_s_classes_and_similar_units(client):
    classes = client.get(f"{API}/layers/features.0/units/3/classes").json()["classes"]
    similar = client.get(f"{API}/layers/features.0/units/3/similar?k=10").json()["similar"]
    shown = words(client, f"{S}/units/features.0/3", similar="true")
    for one in classes:
        assert f"{one['label']} {number(one['mean'])} {percent(one['active'])} {one['images']}" in shown
    for one in similar:
        assert f"{one['unit']} {number(one['correlation'])} {ordinal(one['rank'])}" in shown
    assert len(similar) == 10


def test_the_units_of_a_layer_under_a_query(client):
    params = {"sort": "mean", "dead": "false", "min_active": 0.4, "label": "dog"}
    answer = client.get(f"{API}/layers/features.0/units", params={**params, "limit": 60}).json()
    text = client.get(f"{S}/layers/features.0", params={**params, "order": ""}).text
    shown = re.findall(r'<a class="frame" href="/stores/store/units/features.0/(\d+)"', text)
    assert [int(unit) for unit in shown] == [one["unit"] for one in answer["units"]]
    assert 0 < len(shown) < 40
    for one in answer["units"]:
        assert f"{number(one['mean'])}<br><span" in text
        assert f"{ordinal(one['ranks']['mean'])} of {answer['ranked']['mean']}" in text


def test_pages_of_a_layer_join(client, monkeypatch):
    monkeypatch.setattr("unitscope.service.pages.layer.UNITS_SHOWN", 7)
    seen, path = [], f"{S}/layers/features.0?sort=max"
    while path:
        text = client.get(path).text
        seen += re.findall(r'<a class="frame" href="/stores/store/units/features.0/(\d+)"', text)
        found = re.search(r'href="(\?[^"]*)" rel="next"', text)
        path = found and f"{S}/layers/features.0{html.unescape(found[1])}"
    answer = client.get(f"{API}/layers/features.0/units?sort=max").json()
    assert [int(unit) for unit in seen] == [one["unit"] for one in answer["units"]]


def test_lists_of_images_join(client, made, monkeypatch):
    monkeypatch.setattr("unitscope.service.pages.images.IMAGES_SHOWN", 13)
    where = "correct = false and label in ('cat', 'dog')"
    seen, path = [], f"{S}/images?where={where}&sort=loss&order=asc"
    while path:
        text = client.get(path).text
        seen += re.findall(r'<a class="frame" href="/stores/store/images/(\d+)"', text)
        found = re.search(r'href="(\?[^"]*)" rel="next"', text)
        path = found and f"{S}/images{html.unescape(found[1])}"
    params = {"where": where, "sort": "loss", "order": "asc", "limit": 1000}
    answer = client.get(f"{API}/images", params=params).json()
    assert [int(image) for image in seen] == [one["image_id"] for one in answer["images"]]
    assert len(seen) > 13


def test_an_image(client):
    units = client.get(f"{API}/images/4/units?k=4").json()
    near = client.get(f"{API}/neighbors?image=4&k=8").json()["neighbors"]
    shown = words(client, f"{S}/images/4")
    for layer in units["layers"]:
        for unit in layer["units"]:
            place = f"{ordinal(unit['rank'])} of {units['images']}"
            assert f"unit {unit['unit']} {number(unit['value'])} {place} {unit['score']:+.1f} σ" in shown
    for one in near:
        assert f"{number(one['distance'])} {ordinal(one['rank'])}" in shown
    assert "no index over pixels; `unitscope index" in shown


def test_an_image_that_failed_says_why(client):
    shown = words(client, f"{S}/images/70")
    assert "This image is undecodable: image 70 is no image." in shown
    assert "Strongest units" not in shown
    assert "This image is undecodable" in words(client, f"{S}/neighbors", image=70)


def test_a_class(client):
    one = client.get(f"{API}/classes/cat").json()
    text, shown = client.get(f"{S}/classes/cat?typical=true").text, words(client, f"{S}/classes/cat")
    assert f"accuracy {percent(one['accuracy'])}" in shown
    for kind in ("hardest", "typical"):
        for image in one[kind]:
            assert f'href="{S}/images/{image["image_id"]}"' in text
    for unit in one["units"]:
        assert f'href="{S}/units/{unit["layer"].replace(":", "%3A")}/{unit["unit"]}"' in text


def test_confusions_lead_to_their_images(client, made):
    one = client.get(f"{API}/classes/cat").json()
    text = client.get(f"{S}/classes/cat").text
    links = re.findall(r'<td><a href="(/stores/store/images\?where=[^"]+)">(\d+)<', text)
    assert [int(images) for _, images in links] == [row["images"] for row in one["confusions"]] != []
    for (link, images), row in zip(links, one["confusions"], strict=True):
        alike = [
            image
            for image in made.images.to_pylist()
            if (image["label"], image["predicted"]) == ("cat", row["predicted"])
        ]
        assert f" {len(alike)} images of 200." in words(client, html.unescape(link))
        assert int(images) == len(alike)


def test_the_overview_says_what_is_noteworthy(client):
    noted = client.get(f"{API}/overview").json()
    shown = words(client, S)
    for one in noted["weakest"]:
        assert f"{one['label']} {percent(one['accuracy'])} {one['images']}" in shown
    for one in noted["dead"]:
        if one["dead"]:
            assert f"{one['layer']} {one['dead']} of {one['units']}" in shown
    for one in noted["failed"]:
        assert f"{one['status']}: {one['reason']}" in shown
    assert "197" in shown or "200 images" in shown


def test_a_dead_unit_is_said(client):
    assert "This unit is dead" in client.get(f"{S}/units/features.0/0").text
    assert "dead" in client.get(f"{S}/layers/features.0").text


def test_an_empty_view_says_why_and_what_to_do(client):
    assert "No image that was swept passes this filter. Look at all images" in words(
        client, f"{S}/units/features.0/3", where="label = 'x'"
    )
    assert "No image passes this filter. Look at all images" in words(
        client, f"{S}/images", where="label = 'x'"
    )
    assert "No unit of features.0 passes these filters. Look at all 40" in words(
        client, f"{S}/layers/features.0", min_active=1, max_active=0
    )
    assert "The list ends before this place" in words(client, f"{S}/images", start=5000)
    assert "The list ends before this place" in words(client, f"{S}/layers/features.0", start=5000)


def test_neighbours_state_the_metric_and_that_they_are_exact(client):
    shown = words(client, f"{S}/neighbors", image=4)
    assert "Nearest by L2 distance of features, exact: every image was compared. The image itself" in shown


def test_labels_and_metadata_are_only_text(kit, synthetic, tmp_path):
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


def test_a_store_without_labels(kit, synthetic, tmp_path):
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


def test_what_takes_long_is_left_for_the_next_page(client, monkeypatch):
    """The page goes out without it and says so; it is made once, for the page that asks again."""
    from unitscope.service.pages import parts as views_parts

    going, asked = threading.Event(), []

    def slow(served, layer, unit, *, k):
        asked.append(unit)
        going.wait(20)
        return unit_questions.similar_units_now(served, layer, unit, k=k)

    monkeypatch.setattr(unit_questions, "similar_units_now", unit_questions.similar_units, raising=False)
    monkeypatch.setattr(unit_questions, "similar_units", slow)
    assert "They are being looked for" in words(client, f"{S}/units/features.0/5")
    for unit in range(views_parts._MANY + 5):
        assert "They are being looked for" in words(client, f"{S}/units/features.0/{unit}")
    going.set()
    assert len(asked) < views_parts._MANY, "the rest wait or were not begun"
    assert "Pearson's correlation" in words(client, f"{S}/units/features.0/5", similar="true")


def test_a_histogram_s_bars():
    drawn = bars([-1.0, 0.0, 1.0, 2.0, 3.0], [4, 100, 0, 1])
    assert [bar.images for bar in drawn.bars] == [4, 100, 0, 1]
    assert [bar.height for bar in drawn.bars] == [HEIGHT / 5, HEIGHT, 0, HEIGHT / 10]
    assert all(bar.y + bar.height == pytest.approx(HEIGHT) for bar in drawn.bars)
    assert drawn.zero == WIDTH / 4
    assert bars([2.0, 2.0], [7]).zero is None
    assert bars([0.0, 1.0], [0]).bars[0].height == 0


def test_bars_of_classes():
    assert class_bars([2.0, 1.0, None]) == [(0, 100), (0, 50), (0, 0)]
    assert class_bars([1.0, -1.0]) == [(50, 50), (0, 50)]
    assert class_bars([0.0, 0.0]) == [(0, 0), (0, 0)]
    assert class_bars([]) == []


def test_maps_filters_regions_and_uploads_ask_the_model(live):
    """In a real service: shown with the picture, or the reason why there is none."""
    store = "/stores/shapes"
    layers = [row["layer"] for row in live.get(f"/api/v1{store}/layers").json()["layers"]]
    first = layers[0]
    text = live.get(f"{store}/images/5", params={"maps": first}).text
    assert "data:image/png;base64," in text
    assert "unit=3" in text
    over = live.get(f"{store}/images/5", params={"maps": first, "unit": 3}).text
    assert re.search(r'<image class="overlay" href="data:image/png', over)
    assert live.get(f"{store}/images/5", params={"maps": "nope"}).status_code == 404
    assert "data:image/png;base64," in live.get(f"{store}/layers/{first}", params={"filters": "true"}).text
    linear = live.get(f"{store}/layers/{layers[-1]}", params={"filters": "true"})
    assert (linear.status_code, "has no filters to show" in linear.text) == (200, True)
    region = live.get(f"{store}/neighbors", params={"image": 5, "box": "0,0,20,20"}).text
    assert "What the model takes it for" in region
    assert "Nearest images" in region
    found = live.get(f"{store}/neighbors?image=5&x0=1&y0=2&x1=10&y1=12&where=", follow_redirects=False)
    assert found.headers["location"] == f"{store}/neighbors?image=5&box=1%2C2%2C10%2C12"
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)).save(file, "PNG")
    posted = live.post(f"{store}/neighbors", files={"image": ("a.png", file.getvalue(), "image/png")})
    assert posted.status_code == 200
    assert "Neighbours of your image" in posted.text
    assert "data:image/jpeg;base64," in posted.text
    posted = live.post(f"{store}/neighbors", files={"image": ("a.png", b"no image", "image/png")})
    assert posted.status_code == 422
    assert posted.text.count('role="alert"') == 1
    assert live.post(f"{store}/neighbors", files={"image": ("", b"", "image/png")}).status_code == 422


def test_without_a_model_the_pages_say_why(kit, swept):
    with kit.client(swept, live=None) as client:
        layer = client.get("/api/v1/stores/shapes/layers").json()["layers"][0]["layer"]
        for path in (
            f"images/4?maps={layer}",
            f"layers/{layer}?filters=true",
            "neighbors?image=4&box=0,0,9,9",
        ):
            response = client.get(f"/stores/shapes/{path}")
            assert response.status_code == 200, path
            assert "this service runs without a model" in response.text, path


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

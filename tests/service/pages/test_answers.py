"""The pages say what the API says: patches, ranks, histograms, classes, lists, neighbours."""

import html
import re

import pytest
from unitscope.service.pages.rendering.page import number, ordinal, percent

API = "/api/v1/stores/store"
S = "/stores/store"


def test_a_unit_s_patches(client, words):
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
    assert "Exact, over 197 images" in shown


@pytest.mark.parametrize("quantile", [0, 0.05, 0.5, 1])
def test_patches_around_a_quantile(client, quantile, words):
    params = {"quantile": quantile, "k": 24}
    answer = client.get(f"{API}/layers/block.1:0/units/3/patches", params=params).json()
    shown = words(client, f"{S}/units/block.1:0/3", quantile=quantile)
    for patch in answer["patches"]:
        assert f"{number(patch['value'], 4)} {ordinal(patch['rank'])}" in shown
    assert "Patches around" in shown


def test_a_unit_s_statistics_have_their_ranks(client, words):
    unit = client.get(f"{API}/layers/features.0/units/3").json()
    shown = words(client, f"{S}/units/features.0/3")
    facts = {"max": "max activation", "mean": "mean", "std": "standard deviation", "min": "min"}
    for name, said in facts.items():
        value = number(unit[name], 4 if name == "max" else 3)
        assert f"{said} {value} {ordinal(unit['ranks'][name])} of {unit['ranked'][name]}" in shown
    for one in unit["quantiles"]:
        assert f"{100 * one['quantile']:.0f} % {number(one['value'], 4)} show examples" in shown


def test_a_unit_s_classes_and_similar_units(client, words):
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


def test_an_image(client, words):
    units = client.get(f"{API}/images/4/units?k=4").json()
    near = client.get(f"{API}/neighbors?image=4&k=8").json()["neighbors"]
    shown = words(client, f"{S}/images/4")
    for layer in units["layers"]:
        for unit in layer["units"]:
            place = f"{ordinal(unit['rank'])} of {units['images']}"
            assert f"unit {unit['unit']} {number(unit['value'])} {place} {unit['score']:+.1f} σ" in shown
    for one in near:
        assert f"{number(one['distance'])} {ordinal(one['rank'])}" in shown
    assert "no index over pixels; run `unitscope index" in shown


def test_an_image_that_failed_says_why(client, words):
    shown = words(client, f"{S}/images/70")
    assert "This image is undecodable: image 70 is not an image." in shown
    assert "Strongest units" not in shown
    assert "This image is undecodable" in words(client, f"{S}/neighbors", image=70)


def test_a_class(client, words):
    one = client.get(f"{API}/classes/cat").json()
    text, shown = client.get(f"{S}/classes/cat?typical=true").text, words(client, f"{S}/classes/cat")
    assert f"accuracy {percent(one['accuracy'])}" in shown
    for kind in ("hardest", "typical"):
        for image in one[kind]:
            assert f'href="{S}/images/{image["image_id"]}"' in text
    for unit in one["units"]:
        assert f'href="{S}/units/{unit["layer"].replace(":", "%3A")}/{unit["unit"]}"' in text


def test_confusions_lead_to_their_images(client, made, words):
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


def test_the_overview_says_what_is_noteworthy(client, words):
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


def test_neighbours_state_the_metric_and_that_they_are_exact(client, words):
    shown = words(client, f"{S}/neighbors", image=4)
    assert "Nearest by L2 distance of features; exact: every image was compared. The image itself" in shown


@pytest.mark.parametrize("path", ["images/{}", "neighbors?image={}"])
@pytest.mark.parametrize("small", [True, False])
def test_small_images_are_crisp_beside_an_image_of_any_size(client, made, path, small):
    sizes = made.images["width"].to_pylist()
    asked = next(image for image, width in enumerate(sizes) if width and (width <= 64) == small)
    tiles = re.findall(
        r'<img class="([^"]*)"[^>]*alt="image (\d+)"', client.get(f"{S}/{path.format(asked)}").text
    )
    assert {sizes[int(image)] <= 64 for _, image in tiles} == {True, False}
    assert all((kind == "crisp") == (sizes[int(image)] <= 64) for kind, image in tiles)

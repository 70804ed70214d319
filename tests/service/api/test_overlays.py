"""Overlays and regions over HTTP: what is sent, kept and refused; their pieces of the pages; between two stores."""

import io

import numpy as np
import pytest
from PIL import Image
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.overlays.positions import MapPlaces

API = "/api/v1/stores/store/atlases/flat"
REGION = "1,1;4.5,1;4.5,4;1,4"
CORNERS = np.array([[1, 1], [4.5, 1], [4.5, 4], [1, 4]])


@pytest.fixture(scope="module")
def atlas(made):
    return Atlas.open(made.folder, "flat")


@pytest.fixture(scope="module")
def inside(atlas):
    return atlas.images[MapPlaces.of(atlas, "nearest").inside(CORNERS)]


def get(client, path, status=200, **parameters):
    response = client.get(path if path.startswith("/api") else f"{API}{path}", params=parameters)
    assert response.status_code == status, response.text
    return response.json()


def test_what_can_be_painted_by_can_be(client):
    told = get(client, "/overlays")["overlays"]
    assert {one["column"] for one in told} >= {None, "correct", "label", "loss", "split"}
    more = {
        "unit": {"layer": "features.0", "unit": 17},
        "where": {"where": "label = 'cat'"},
        "region": {"region": REGION},
    }
    for one in told:
        asked = {"by": one["by"], **more.get(one["by"], {})} | (
            {"column": one["column"]} if one["column"] else {}
        )
        legend = get(client, "/overlays/legend", **asked)
        assert legend["title"]
        assert legend["stops"] or legend["classes"]
        tile = client.get(f"{API}/overlays/assigned/0/0_0.png", params=asked)
        assert tile.headers["content-type"] == "image/png"
        seen = np.asarray(Image.open(io.BytesIO(tile.content)).convert("RGBA"))
        assert seen[..., 3].any()


def test_the_legend_tells_classes_numbers_and_what_is_missing(client, made, atlas):
    labels = [made.images["label"][int(image)].as_py() for image in atlas.images]
    legend = get(client, "/overlays/legend", by="column", column="label")
    assert {one["name"]: one["items"] for one in legend["classes"]} == {
        one: labels.count(one) for one in set(labels)
    }
    legend = get(client, "/overlays/legend", by="unit", layer="features.0", unit=17)
    there = made.values[0][atlas.images, 17]
    assert legend["stops"][-1]["value"] <= there.max()
    assert float(legend["largest"]) == pytest.approx(there.max(), rel=0.01)
    assert len({one["colour"] for one in legend["stops"]}) == 9
    known = made.images["label_index"].take(atlas.images)
    assert get(client, "/overlays/legend", by="column", column="label_index")["missing"] == known.null_count


def test_the_value_of_one_image(client, made):
    for image in (0, 9, 100):
        told = get(client, f"/overlays/values/{image}", by="unit", layer="block.1:0", unit=3)
        assert told["value"] == pytest.approx(made.values[1][image, 3])
        told = get(client, f"/overlays/values/{image}", by="column", column="label")
        assert told["text"] == made.images["label"][image].as_py()
    assert get(client, "/overlays/values/5", by="unit", layer="head", unit=0)["value"] is None
    get(client, "/overlays/values/99999", 404, by="density")


@pytest.mark.parametrize(
    ("path", "asked", "status", "told"),
    [
        ("/overlays/legend", {"by": "unit"}, 422, "by=unit needs layer and unit"),
        ("/overlays/legend", {"by": "unit", "layer": "features.0", "unit": 99}, 404, "units 0 to 39"),
        ("/overlays/legend", {"by": "column", "column": "uri"}, 422, "there are correct"),
        ("/overlays/legend", {"by": "where", "where": "((("}, 422, "filter"),
        ("/overlays/legend", {"by": "region"}, 422, "by=region needs region"),
        ("/overlays/nearest/9/0_0.png", {"by": "density"}, 404, "no level 9"),
        ("/overlays/legend", {"by": "density", "v": "0" * 12}, 409, "load the page again"),
        ("/region", {"region": "1,1;2,2"}, 422, "region"),
        ("/region/units", {"region": REGION, "layer": "nope"}, 404, "no layer 'nope'"),
        (
            "/overlays/legend",
            {"by": "region", "region": REGION, "region_store": "nope"},
            404,
            "no store 'nope'",
        ),
    ],
)
def test_what_cannot_be_answered_is_said(client, path, asked, status, told):
    assert told in get(client, path, status, **asked)["detail"]


def test_a_tile_is_kept_for_good_under_its_version_and_asked_for_again_without(client):
    path = f"{API}/overlays/nearest/0/0_0.png?by=column&column=loss"
    version = get(client, "/overlays/legend", by="density")["manifest"]
    plain = client.get(path)
    assert plain.headers["cache-control"] == "private, no-cache"
    assert client.get(path, headers={"If-None-Match": plain.headers["etag"]}).status_code == 304
    digest = client.get("/stores/store/atlas").text
    assert version[:12] in digest


def test_a_region_holds_the_images_in_it(client, made, atlas, inside):
    told = get(client, "/region", region=REGION)
    assert (told["items"], told["on_map"]) == (len(inside), len(atlas.images))
    assert len(inside) > 20
    labels = [made.images["label"][int(image)].as_py() for image in inside]
    assert {one["label"]: one["items"] for one in told["classes"]} == {
        one: labels.count(one) for one in set(labels)
    }
    found, cursor = [], None
    while True:
        page = get(client, "/region/items", region=REGION, limit=7, **({"cursor": cursor} if cursor else {}))
        found += [one["image_id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(found) == inside.tolist()
    get(client, "/region/items", 422, region="0,0;9,0;9,9", cursor=f"7-{'0' * 12}")


def test_the_units_of_a_region(client, made, inside):
    told = get(client, "/region/units", region=REGION, layer="head", k=3)
    values = made.values[2].astype(np.float64)
    outside = np.setdiff1d(np.flatnonzero(~made.failed), inside)
    gaps = (values[inside].mean(axis=0) - values[outside].mean(axis=0)) / values[~made.failed].std(axis=0)
    assert [one["unit"] for one in told["units"]] == np.argsort(-gaps)[:3].tolist()
    assert told["units"][0]["gap"] == pytest.approx(gaps.max(), rel=1e-4)
    assert told["exact"]
    assert client.get(told["units"][0]["picture"]).status_code == 200


def test_where_the_images_of_a_filter_lie(client, made, atlas):
    told = get(client, "/extent", where="label = 'cat'", grid="assigned")
    cats = [
        place for place, image in enumerate(atlas.images) if made.images["label"][int(image)].as_py() == "cat"
    ]
    assert told["items"] == len(cats)
    x0, y0, x1, y1 = told["box"]
    rows, columns = atlas.cells[cats].T
    assert np.mean((columns >= x0) & (columns < x1)) >= 0.9
    assert np.mean((rows >= y0) & (rows < y1)) >= 0.9
    assert get(client, "/extent", where="false")["box"] is None


def test_a_region_is_the_same_images_in_another_atlas_and_store(fresh, synthetic, kit, tmp_path, inside):
    """The other store has the images in the reverse order: they are joined by their uris."""

    def turned(other):
        uris = fresh.images["uri"].to_pylist()[::-1]
        place = other.images.schema.get_field_index("uri")
        other.images = other.images.set_column(place, "uri", [uris])

    other = synthetic.make_store(tmp_path / "other", change=turned)
    kit.atlas(other, "round", seed=5)
    there = "/api/v1/stores/other/atlases/round"
    with kit.client(fresh.url, other.url) as client:
        image = int(inside[0])
        asked = {"other": "other"}
        twin = get(client, f"/api/v1/stores/store/images/{image}/counterpart", **asked)["counterpart"]
        assert twin == 199 - image
        asked = {"by": "region", "region": REGION, "region_store": "store", "region_atlas": "flat"}
        marked = {
            one for one in range(200) if get(client, f"{there}/overlays/values/{one}", **asked)["value"]
        }
        assert marked == {199 - image for image in inside.tolist()}
        told = get(client, f"{there}/overlays/legend", 422, by="region", region=REGION, region_store="store")
        assert "region_atlas" in told["detail"]
        first = client.get(f"{there}/overlays/legend", params=asked).headers["etag"]
        kit.atlas(fresh, "flat", seed=0, side=7)
        assert client.get(f"{there}/overlays/legend", params=asked).headers["etag"] != first


def test_the_page_of_a_region_and_its_pieces(client, inside):
    address = "/stores/store/atlas/flat/region"
    page = client.get(address, params={"region": REGION}).text
    assert f">{len(inside)}<" in page
    assert "Most characteristic units" in page
    assert page.count("<figure>") >= min(60, len(inside))
    facts = client.get(address, params={"region": REGION, "part": "facts"}).text
    assert "<html" not in facts
    assert "Show all " in facts
    units = client.get(address, params={"region": REGION, "part": "units"}).text
    assert "σ" in units
    assert "Exact, over all" in units
    assert "Nothing in this selection" in client.get(address, params={"region": "90,90;91,90;91,91"}).text
    assert client.get(address, params={"region": "1,1"}).status_code == 422


def test_the_legend_s_piece_of_the_page(client):
    address = "/stores/store/atlas/flat/legend"
    assert "<strong>loss</strong>" in client.get(address, params={"by": "column", "column": "loss"}).text
    wrong = client.get(address, params={"by": "unit", "layer": "nope", "unit": 1})
    assert wrong.status_code == 404
    assert "no layer" in wrong.text


def test_quality_is_told_in_words(fresh, kit):
    images = np.flatnonzero(~fresh.failed)
    quality = {
        "trustworthiness": 0.951,
        "preserved": 0.25,
        "label_accuracy": 0.8,
        "label_accuracy_features": 0.9,
    }
    write_atlas(
        fresh.folder,
        "measured",
        images,
        np.random.default_rng(1).random((len(images), 2)).astype(np.float32),
        settings={"method": "pca", "explained": [0.3, 0.125]},
        quality={**quality, "k": 15, "sample": 197},
        store=kit.hash(fresh),
    )
    with kit.client(fresh.url) as client:
        assert "No quality was measured" in client.get("/stores/store/atlas/flat").text
        page = client.get("/stores/store/atlas/measured").text
    for words in ("0.951", "25.0 %", "80.0 %", "90.0 %", "42.5 %", "Measured exactly on 197 images"):
        assert words in page

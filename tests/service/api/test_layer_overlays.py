"""Overlays and regions of a layer's own atlases, against what the store holds."""

import io

import numpy as np
import pytest
from PIL import Image
from unitscope.index.atlas.store_atlas import StoreAtlas, name_of
from unitscope.index.format.layer_folders import ACTIVATIONS
from unitscope.index.overlays.positions import MapPlaces
from unitscope.index.store.store import Store

API = "/api/v1/stores/mapped/atlases"
PAGE = "/stores/mapped/atlas"
WHOLE = "-1,-1;99,-1;99,99;-1,99"
REGION = "0,0;2,0;2,4;0,4"
CORNERS = np.array([[0, 0], [2, 0], [2, 4], [0, 4]])


@pytest.fixture(scope="module")
def asked(kit, mapped):
    with kit.client(mapped) as client:

        def ask(path, status=200, **query):
            response = client.get(path if path.startswith("/") else f"{API}/{path}", params=query or None)
            assert response.status_code == status, response.text
            return response.json() if response.headers["content-type"].endswith("json") else response

        yield ask


@pytest.fixture(scope="module")
def store(mapped):
    return Store.open(str(mapped))


@pytest.fixture(scope="module")
def opened(mapped, store):
    return {
        kind: StoreAtlas.open(store.folder, name_of(kind, "block"), store=store.manifest.hash)
        for kind in ("units", "activations")
    }


@pytest.mark.parametrize("kind", ["units", "activations"])
def test_what_can_be_painted_by_can_be(asked, kind):
    told = asked(f"{kind}:block/overlays")["overlays"]
    columns = {one["column"] for one in told} - {None}
    assert columns >= (
        {"max", "active", "label", "state"} if kind == "units" else {"label", "loss", "correct"}
    )
    more = {"unit": {"layer": "block", "unit": 3}, "where": {"where": "true"}, "region": {"region": WHOLE}}
    for one in told:
        query = {"by": one["by"], **more.get(one["by"], {})}
        query |= {"column": one["column"]} if one["column"] else {}
        legend = asked(f"{kind}:block/overlays/legend", **query)
        assert legend["items"] == (12 if kind == "units" else 60)
        assert legend["stops"] or legend["classes"]
        tile = asked(f"{kind}:block/overlays/assigned/0/0_0.png", **query)
        assert np.asarray(Image.open(io.BytesIO(tile.content)).convert("RGBA"))[..., 3].any()


def test_units_are_painted_by_their_statistics_and_by_how_they_fire_together(asked, store):
    strongest = store.units("block")["max"].to_numpy()
    maxima = np.stack([store.maxima("block", unit) for unit in range(12)])
    ok = ~np.isnan(maxima).any(axis=0)
    for unit in range(12):
        value = asked(f"units:block/overlays/values/{unit}", by="column", column="max")["value"]
        assert value == pytest.approx(strongest[unit])
        value = asked(f"units:block/overlays/values/{unit}", by="unit", layer="block", unit=3)["value"]
        expected = np.corrcoef(maxima[3, ok], maxima[unit, ok])[0, 1]
        assert (value is None and np.isnan(expected)) or value == pytest.approx(expected, abs=1e-4)
    found = asked("units:block/extent", where=f"max >= {np.sort(strongest)[-4]}")
    assert found["items"] == np.count_nonzero(strongest >= np.sort(strongest)[-4])
    told = asked("units:block/overlays/legend", 422, by="unit", layer="stem.0", unit=1)["detail"]
    assert "stem.0" in told and "block" in told
    assert "there are" in asked("units:block/overlays/legend", 422, by="column", column="loss")["detail"]


def test_samples_are_painted_by_their_activation_and_by_their_images(asked, store, opened):
    sample = opened[ACTIVATIONS].sample
    values = np.concatenate([block.values for block in sample.blocks()])
    ids = sample.places["image_id"].to_pylist()
    other = store.maxima("stem.0", 2)
    for row in (0, 7, 59):
        asking = {"by": "unit", "layer": "block", "unit": 3}
        assert asked(f"activations:block/overlays/values/{row}", **asking)["value"] == pytest.approx(
            values[row, 3]
        )
        value = asked(f"activations:block/overlays/values/{row}", by="unit", layer="stem.0", unit=2)["value"]
        assert value == pytest.approx(other[ids[row]])
        told = asked(f"activations:block/overlays/values/{row}", by="column", column="label")["text"]
        assert told == store.image(ids[row])["label"]
    assert "0 to 59" in asked("activations:block/overlays/values/60", 404, by="density")["detail"]


def test_a_region_of_units_is_told_apart_from_the_rest(asked, store, opened):
    atlas = opened["units"].atlas
    inside = atlas.images[MapPlaces.of(atlas, "assigned").inside(CORNERS)]
    told = asked("units:block/region", region=REGION, grid="assigned")
    assert told["items"] == len(inside) > 2
    strongest = store.units("block")["max"].to_numpy()
    facts = {one["name"]: one for one in told["facts"]}
    assert facts["max activation"]["region"] == pytest.approx(strongest[inside].mean())
    assert facts["max activation"]["rest"] == pytest.approx(np.delete(strongest, inside).mean())
    labels = store.selectivity("block")["label"].to_pylist()
    assert {one["label"]: one["items"] for one in told["classes"]} == {
        label: sum(labels[unit] == label for unit in inside.tolist())
        for label in {labels[unit] for unit in inside.tolist()}
    }
    page = asked(f"{PAGE}/units:block/region", region=REGION, grid="assigned").text
    assert all(f'/units/block/{unit}"' in page for unit in inside.tolist())
    assert "Nothing in this selection" in asked(f"{PAGE}/units:block/region", region="90,90;91,90;91,91").text


def test_the_units_of_a_region_of_samples_against_slow_sums(asked, opened):
    found = opened[ACTIVATIONS]
    inside = found.atlas.images[MapPlaces.of(found.atlas, "assigned").inside(CORNERS)]
    asking = {"region": REGION, "grid": "assigned"}
    told = asked("activations:block/region/units", k=4, **asking)
    values = np.concatenate([block.values for block in found.sample.blocks()]).astype(np.float64)
    here, rest = values[inside], np.delete(values, inside, axis=0)
    gaps = (here.mean(axis=0) - rest.mean(axis=0)) / values.std(axis=0)
    assert told["looked_at"] == len(inside) > 3
    assert [one["unit"] for one in told["units"]] == np.argsort(-gaps)[:4].tolist()
    assert told["units"][0]["gap"] == pytest.approx(gaps.max(), rel=1e-5)
    assert asked("activations:block/region/units", region=WHOLE)["units"] == []
    page = asked(f"{PAGE}/activations:block/region", **asking).text
    assert "Most characteristic units" in page and f"{len(inside)}<br>" in page


@pytest.mark.parametrize("kind", ["units", "activations"])
def test_every_piece_of_the_page_says_what_went_wrong(asked, kind):
    assert "<strong>density</strong>" in asked(f"{PAGE}/{kind}:block/legend", by="density").text
    status, told = (422, "is another layer") if kind == "units" else (404, "no layer")
    assert told in asked(f"{PAGE}/{kind}:block/legend", status, by="unit", layer="nope", unit=1).text
    facts = asked(f"{PAGE}/{kind}:block/region", region=WHOLE, part="facts").text
    assert "<html" not in facts and "on a separate page" in facts
    assert "<html" not in asked(f"{PAGE}/{kind}:block/region", region=WHOLE, part="units").text

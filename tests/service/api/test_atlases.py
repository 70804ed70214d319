"""Atlases of units and of activations over HTTP and in Chromium."""

import io
import shutil
from dataclasses import replace

import httpx
import numpy as np
import pytest
from PIL import Image
from unitscope.common.errors import NotFoundError
from unitscope.index.atlas.store_atlas import StoreAtlas, name_of
from unitscope.index.format.layer_folders import ACTIVATIONS, UNITS
from unitscope.index.store.store import Store
from unitscope.service.queries.atlas import tiles as questions
from unitscope.service.queries.atlas.served_atlas import ServedAtlas
from unitscope.service.stores.versioned import Version

PAGE = "/stores/mapped/atlas"
API = "/api/v1/stores/mapped/atlases"


@pytest.fixture(scope="module")
def asked(kit, mapped):
    with kit.client(mapped) as client:

        def ask(path, **query):
            return client.get(path, params=query or None)

        yield ask


def atlas(mapped, kind):
    store = Store.open(str(mapped))
    return StoreAtlas.open(store.folder, name_of(kind, "block"), store=store.manifest.hash)


def test_units_are_found_and_told_of(asked, mapped):
    about = asked(f"{API}/units:block").json()
    assert (about["layer"], about["kind"], about["items"]) == ("block", "units", 12)
    assert about["facts"]["correlated_over"] == 60
    cells = atlas(mapped, UNITS).atlas.assigned
    store = Store.open(str(mapped))
    for unit in range(12):
        (place,) = [
            one
            for one in asked(f"{API}/units:block/where", item=unit).json()["cells"]
            if one["grid"] == "assigned"
        ]
        assert cells[place["row"], place["column"]] == unit
        cell = asked(f"{API}/units:block/at", grid="assigned", x=place["x"], y=place["y"]).json()
        assert (cell["item"], cell["unit"]["unit"], cell["sample"], cell["mean"]) == (unit, unit, None, None)
        assert cell["unit"]["max"] == pytest.approx(store.unit("block", unit).max)
    assert asked(f"{API}/units:block/where", item=12).status_code == 404
    assert asked(f"{API}/units:block/at", grid="assigned", x=99, y=0).status_code == 422


def test_a_tile_shows_the_best_patches(asked, mapped):
    facts = asked(f"{API}/units:block/tiles/assigned").json()
    deepest = facts["levels"][-1]
    picture = Image.new("RGB", (deepest["width"], deepest["height"]))
    for row in range(deepest["rows"]):
        for column in range(deepest["columns"]):
            address = facts["address"].format(level=deepest["level"], column=column, row=row)
            tile = asked(address)
            assert "immutable" in tile.headers["cache-control"]
            picture.paste(Image.open(io.BytesIO(tile.content)), (column * 256, row * 256))
    cells, side, store = atlas(mapped, UNITS).atlas.assigned, facts["cell"], Store.open(str(mapped))
    for (row, column), unit in np.ndenumerate(cells):
        if unit < 0 or store.unit("block", int(unit)).max <= 0:
            continue
        shown = np.asarray(picture)[row * side : (row + 1) * side, column * side : (column + 1) * side]
        patch = Image.open(io.BytesIO(store.patch("block", int(unit), 0))).convert("RGB").resize((side, side))
        assert np.abs(shown.astype(float) - np.asarray(patch, float)).mean() < 25, unit


def test_cells_of_the_activation_atlas_tell_their_mean_and_samples(asked, mapped):
    found = atlas(mapped, ACTIVATIONS)
    grid = found.atlas.grid
    (row, column) = next(iter(found.cell_rows))
    cell = asked(f"{API}/activations:block/at", grid="nearest", x=column + 0.5, y=row + 0.5).json()
    assert cell["item"] == cell["sample"]["sample"] == grid[row, column]
    gaps = [one["distance"] for one in cell["mean"]["nearest"]]
    assert len(gaps) == 4 and gaps == sorted(gaps)
    assert cell["items"] == cell["mean"]["samples"] == found.atlas.density[row, column]
    place = found.sample.places.slice(cell["item"], 1).to_pylist()[0]
    assert cell["sample"]["image_id"] == place["image_id"]
    assert cell["sample"]["view"] == [place[name] for name in ("vx0", "vy0", "vx1", "vy1")]
    picture = asked(cell["sample"]["picture"])
    assert picture.content == found.sample.pictures.get(cell["item"])
    alone = asked(f"{API}/activations:block/at", grid="assigned", x=0.5, y=0.5).json()
    assert alone["mean"] is None and alone["sample"]["sample"] == found.atlas.assigned[0, 0]
    assert asked(f"{API}/activations:block/samples/60/picture").status_code == 404


def test_what_is_not_there_is_told_with_the_command(asked):
    missing = asked("/api/v1/stores/mapped/atlases/units:stem.0")
    assert missing.status_code == 404
    assert "--units stem.0" in missing.json()["detail"]
    assert asked("/api/v1/stores/mapped/atlases/units:nope").status_code == 404
    assert asked(f"{API}/pixels:block").status_code == 404
    assert asked(f"{API}/units:block", v="0" * 12).status_code == 409
    assert (
        '<form action="/stores/mapped/atlas/units%3Ablock" role="search"' in asked(f"{PAGE}/units:block").text
    )
    assert asked("/stores/mapped/atlas/units:stem.0").status_code == 404
    page = asked("/stores/mapped/layers/block").text
    assert f'href="{PAGE}/units%3Ablock"' in page and f'href="{PAGE}/activations%3Ablock"' in page
    assert "/atlas/units%3A" not in asked("/stores/mapped/layers/stem.0").text


def test_samples_that_were_left_out_are_told_from_those_that_are_none(kit, mapped):
    found = atlas(mapped, ACTIVATIONS)
    kept = replace(found.atlas, images=np.delete(found.atlas.images, [3, 59]))
    with kit.client(mapped) as client:
        served = client.app.state.registry.get("mapped").value
        shown = ServedAtlas(served, Version(replace(found, atlas=kept), "", ()))
        for item, told in (
            (3, "sample 3 is not on the map"),
            (59, "not on the map"),
            (60, "numbered 0 to 59"),
        ):
            with pytest.raises(NotFoundError, match=told):
                questions.where(shown, item)
        assert questions.where(shown, 4).item == 4
        assert "sample, 0 to 59" in client.get(f"{PAGE}/activations:block").text


def test_an_atlas_that_is_made_is_picked_up_without_a_restart(kit, mapped, tmp_path):
    store = tmp_path / "mapped"
    shutil.copytree(mapped, store)
    shutil.move(store / "by_layer", tmp_path / "aside")
    with kit.client(store) as client:
        assert client.get(f"{API}/units:block").status_code == 404
        shutil.move(tmp_path / "aside", store / "by_layer")
        assert client.get(f"{API}/units:block").status_code == 200


def paint_and_lasso(tab, kind, faults):
    """Paints and takes the middle as a region, and goes back over both."""
    legend = "document.querySelector('#atlas-legend').textContent"
    column = "max" if kind == "units" else "loss"
    tab.evaluate(
        f"(f => {{ f.value = 'column:{column}'; f.dispatchEvent(new Event('change', {{bubbles: true}})); }})"
        "(document.querySelector('#atlas-paint [name=by]'))"
    )
    tab.wait(f"{legend}.includes('{'max activation' if kind == 'units' else 'loss'}')")
    tab.wait("document.querySelector('#facts-paint').textContent.startsWith('color: ')")
    tab.evaluate("document.querySelector('#atlas-middle').click()")
    tab.wait("document.querySelector('#atlas-region').dataset.ready === ''")
    told = tab.evaluate("document.querySelector('#atlas-region').textContent")
    assert "on a separate page" in told
    assert ("Preferred classes" if kind == "units" else "Most characteristic units") in told
    assert faults(tab) == []
    tab.evaluate("history.back()")
    tab.wait("document.querySelector('#atlas-region').hidden && location.hash.includes('by=column')")
    tab.evaluate("history.back()")
    tab.wait(f"!location.hash.includes('by=column') && !{legend}.trim()")


@pytest.mark.parametrize("kind", ["units", "activations"])
def test_it_is_walked_in(chromium, kit, faults, mapped, kind):
    usual = "assigned" if kind == "units" else "nearest"
    with (
        kit.serving(mapped) as url,
        httpx.Client(base_url=url, timeout=30) as client,
        chromium.open(f"{url}{PAGE}/{kind}:block") as tab,
    ):
        tab.wait("document.querySelector('#atlas').dataset.ready === ''")
        tab.wait("!!document.querySelector('#facts-link')")
        tab.evaluate("document.querySelector('#atlas-search input').value = '7'")
        tab.evaluate("document.querySelector('#atlas-search').requestSubmit()")
        tab.wait("/grid=/.test(location.hash)")
        (place,) = [
            one for one in client.get(f"{API}/{kind}:block/where", params={"item": 7}).json()["cells"]
            if one["grid"] == usual
        ]  # fmt: skip
        shown = f"document.querySelector('[data-item=\"{place['shown']}\"]')"
        tab.wait(f"{shown} && {shown}.querySelector('img').naturalWidth > 0")
        for button in ("scatter", usual):
            tab.evaluate(f"document.querySelector('button[data-grid={button}]').click()")
            tab.wait(f"document.querySelector('button[data-grid={button}]').ariaPressed === 'true'")
            tab.wait("document.querySelector('#atlas').dataset.ready === ''")
        paint_and_lasso(tab, kind, faults)
        visit = tab.look()
        assert (visit.failed, visit.logged, visit.broken, visit.overflow) == ([], [], [], 0)
        assert any(f"/atlases/{kind}%3Ablock/overlays/{usual}/" in url for url in visit.requested)
        tab.evaluate("document.querySelector('#atlas-search').requestSubmit()")
        tab.wait(f"!!{shown}")
        tab.evaluate("document.querySelector('.openseadragon-canvas').focus()")
        tab.press("Enter", 13)
        wanted = "/units/block/7" if kind == "units" else "/images/"
        tab.wait(f"location.pathname.includes('{wanted}')")

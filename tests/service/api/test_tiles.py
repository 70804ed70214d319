"""The tiles of an atlas over HTTP: what is sent, what may be kept, what is refused, and never half of two versions."""

import io
import re
import threading

import numpy as np
import pytest
from PIL import Image
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.store.store import Store

API = "/api/v1/stores/store/atlases/flat"


def draw(made, seed=0):
    """An atlas with tiles; each version has a colour of its own."""
    images = np.flatnonzero(~made.failed)
    coordinates = np.random.default_rng(seed).random((len(images), 2)).astype(np.float32)
    file = io.BytesIO()
    Image.new("RGB", (96, 96), ((40 * seed) % 256, 99, 150)).save(file, "JPEG")
    settings = {"method": "drawn", "seed": seed}
    write_atlas(
        made.folder,
        "flat",
        images,
        coordinates,
        side=6,
        settings=settings,
        store=made.manifest_hash,
        thumb=lambda _: file.getvalue(),
    )


@pytest.fixture(scope="module")
def tiled(synthetic, kit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiled")
    made = synthetic.make_store(folder / "store", dataset=folder / "data")
    made.manifest_hash = kit.hash(made)
    draw(made)
    return made


@pytest.fixture(scope="module")
def client(tiled, kit):
    with kit.client(tiled.url) as client:
        yield client


@pytest.fixture(scope="module")
def atlas(tiled):
    return Atlas.open(tiled.folder, "flat")


def get(client, path, status=200, **parameters):
    response = client.get(f"{API}{path}", params=parameters)
    assert response.status_code == status, response.text
    return response.json()


@pytest.mark.parametrize("grid", ["nearest", "assigned", "scatter"])
def test_every_tile_that_is_told_of_is_there_and_no_other(client, atlas, grid):
    facts = get(client, f"/tiles/{grid}")
    pyramid = atlas.tiles.pyramids[grid]
    cells = {"nearest": atlas.grid, "assigned": atlas.assigned}.get(grid)
    assert (facts["rows"], facts["columns"]) == (pyramid.rows, pyramid.columns)
    assert cells is None or cells.shape == (pyramid.rows, pyramid.columns)
    assert (facts["height"], facts["width"]) == tuple(
        facts["cell"] * facts[side] for side in ("rows", "columns")
    )
    assert facts["hidden"] == (len(atlas.images) - (atlas.grid >= 0).sum() if grid == "nearest" else 0)
    moved = (atlas.scatter.moved, atlas.scatter.furthest) if grid == "scatter" else (0, 0)
    assert (facts["moved"], facts["furthest"]) == moved
    for level in facts["levels"]:
        covered = 0
        for row in range(level["rows"]):
            for column in range(level["columns"]):
                address = facts["address"].format(level=level["level"], column=column, row=row)
                response = client.get(address)
                assert response.headers["content-type"] == "image/jpeg"
                assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
                assert response.content == atlas.tiles.get(grid, level["level"], column, row)
                covered += np.prod(Image.open(io.BytesIO(response.content)).size)
                again = client.get(address, headers={"If-None-Match": response.headers["etag"]})
                assert (again.status_code, again.content) == (304, b"")
        assert covered == level["width"] * level["height"]
        for column, row in ((level["columns"], 0), (0, level["rows"])):
            missing = facts["address"].format(level=level["level"], column=column, row=row)
            assert client.get(missing).status_code == 404
    assert client.get(facts["address"].format(level=len(facts["levels"]), column=0, row=0)).status_code == 404


def test_without_a_version_it_is_asked_for_again(client):
    response = client.get(f"{API}/tiles/nearest/0/0_0.jpg")
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["etag"].startswith('"')


@pytest.mark.parametrize(
    "path", ["/tiles/nearest", "/tiles/nearest/0/0_0.jpg", "/at?x=1&y=1", "/where?item=5"]
)
def test_another_version_is_refused(client, path):
    sign = "&" if "?" in path else "?"
    response = client.get(f"{API}{path}{sign}v=0123456789ab")
    assert response.status_code == 409
    assert "made again since v=0123456789ab" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tiles/middle", 422),
        ("/tiles/nearest/0/x_0.jpg", 422),
        ("/tiles/nearest/0/-1_0.jpg", 422),
        ("/tiles/nearest/0/0.jpg", 404),
        ("/tiles/nearest/0/0_0.png", 404),
        ("/at?x=1", 422),
        ("/at?x=nan&y=1", 422),
        ("/at?x=inf&y=1", 422),
        ("/at?x=6&y=1", 422),
        ("/at?x=1&y=6.5", 422),
        ("/at?x=-0.5&y=1", 422),
        ("/at?grid=scatter&x=1&y=1&level=99", 404),
        ("/at?grid=scatter&x=999&y=1", 422),
        ("/at?x=1&y=1&level=-1", 422),
        ("/where", 422),
        ("/where?item=99999", 404),
        ("/where?item=9007199254740993", 422),
    ],
)
def test_what_is_none_is_told(client, path, status):
    response = client.get(f"{API}{path}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


def test_cells_show_what_the_grids_hold(client, atlas):
    for grid, cells in (("nearest", atlas.grid), ("assigned", atlas.assigned)):
        for (row, column), image in np.ndenumerate(cells):
            told = get(client, "/at", grid=grid, x=column + 0.75, y=row)
            assert (told["grid"], told["row"], told["column"]) == (grid, row, column)
            assert (told["image"] and told["image"]["image_id"]) == (int(image) if image >= 0 else None)
            assert told["items"] == (atlas.density[row, column] if grid == "nearest" else image >= 0)


def test_the_scatter_shows_who_is_drawn_at_a_level(client, atlas):
    pyramid, cell = atlas.scatter.pyramid, atlas.scatter.pyramid.cell
    deepest = len(pyramid.levels) - 1
    for level in range(deepest + 1):
        scale = 2 ** (deepest - level) / cell
        who, left, top = atlas.scatter.shown(level)
        for place, x, y in list(zip(who, left, top, strict=True))[:40]:
            told = get(
                client, "/at", grid="scatter", level=level, x=(x + 0.5) * scale, y=(y + cell - 0.5) * scale
            )
            assert told["image"]["image_id"] == atlas.images[place]
            assert (told["level"], told["items"]) == (level, 1)
    told = get(client, "/at", grid="scatter", x=0.01, y=0.01)
    assert (told["image"], told["items"], told["level"]) == (None, 0, deepest)


def test_a_cell_tells_of_its_image_what_the_image_s_answer_does(client, atlas):
    column, row = atlas.cells[0][1], atlas.cells[0][0]
    shown = get(client, "/at", grid="assigned", x=int(column), y=int(row))["image"]
    image = client.get(f"/api/v1/stores/store/images/{shown['image_id']}").json()
    assert shown.items() <= image.items()


def test_where_each_image_is(client, tiled, atlas):
    for image in range(len(tiled.failed)):
        if tiled.failed[image]:
            assert "not on the map" in get(client, "/where", 404, item=image)["detail"]
            continue
        told = get(client, "/where", item=image)
        place = int(np.flatnonzero(atlas.images == image)[0])
        assert [told["x"], told["y"]] == atlas.coordinates[place].tolist()
        assert [cell["grid"] for cell in told["cells"]] == ["nearest", "assigned", "scatter"]
        for cell in told["cells"]:
            at = get(client, "/at", grid=cell["grid"], x=cell["x"], y=cell["y"])
            assert at["image"]["image_id"] == cell["shown"]
            assert (at["column"], at["row"]) == (cell["column"], cell["row"])
            assert cell["grid"] == "nearest" or cell["shown"] == image


def test_an_atlas_without_tiles_says_how_to_make_them(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    kit.atlas(made)
    with kit.client(made.url) as client:
        for path in ("/tiles/nearest", "/tiles/assigned/0/0_0.jpg"):
            told = get(client, path, 404)
            assert f"unitscope atlas {made.url} --method drawn" in told["detail"]
        assert "--method drawn" in get(client, "/at", 404, grid="scatter", x=0, y=0)["detail"]
        assert get(client, "/at", x=1, y=1)["row"] == 1
        page = client.get("/stores/store/atlas").text
        assert "built without tiles" in page
        assert '<svg class="mosaic"' in page
        assert "<noscript>" not in page


def test_the_page_of_an_atlas_without_images_says_why(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    nothing = np.empty(0, np.int64), np.empty((0, 2), np.float32)
    write_atlas(
        made.folder, "bare", *nothing, settings={"method": "pca"}, store=Store.open(made.url).manifest.hash
    )
    with kit.client(made.url) as client:
        page = client.get("/stores/store/atlas/bare").text
    assert "No image has a feature of finite numbers" in page
    assert "built without tiles" not in page and "mosaic" not in page


def test_where_nothing_lies_the_nearest_is_told_when_asked_for(client, tiled):
    atlas = Atlas.open(tiled.folder, "flat")
    page = "/stores/store/atlas/flat/at"
    filled = np.argwhere(atlas.grid >= 0)
    empty = np.argwhere(atlas.grid < 0)
    wanted = {"grid": "scatter", "level": 0, "x": 0.01, "y": 0.01}
    for row, column in empty.tolist():
        plain = client.get(page, params={"grid": "nearest", "x": column, "y": row}).text
        assert "No image here." in plain and "data-item" not in plain
        told = client.get(page, params={"grid": "nearest", "x": column, "y": row, "nearest": True}).text
        x, y = (float(re.search(f'data-{one}="([0-9.]+)"', told)[1]) - 0.5 for one in "xy")
        gaps = ((filled - [row, column]) ** 2).sum(axis=1)
        assert (x - column) ** 2 + (y - row) ** 2 == gaps.min() > 0
        assert f'data-item="{atlas.grid[int(y), int(x)]}"' in told
    assert "data-item" in client.get(page, params=wanted | {"nearest": True}).text
    stale = client.get(
        page, params=wanted | {"v": "0" * 12}, headers={"Accept": "text/html, application/problem+json"}
    )
    assert stale.status_code == 409 and "made again" in stale.json()["detail"]


def test_lost_tiles_are_told(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    made.manifest_hash = kit.hash(made)
    draw(made)
    for path in (tmp_path / "store/atlas/flat").rglob("*.jpegs"):
        path.unlink()
    with kit.client(made.url) as client:
        assert "cannot be read" in get(client, "/tiles/nearest/0/0_0.jpg", 503)["detail"]


def test_swaps_under_load_show_no_error_and_no_mixture(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    made.manifest_hash = kit.hash(made)
    known, wrong, stop = set(), [], threading.Event()
    for seed in range(3):
        draw(made, seed)
        with kit.client(made.url) as client:
            known.add(client.get(f"{API}/tiles/assigned/0/0_0.jpg").content)
    assert len(known) == 3
    with kit.client(made.url) as client:
        client.get(f"{API}/tiles/assigned/0/0_0.jpg")

        def ask():
            while not stop.is_set():
                response = client.get(f"{API}/tiles/assigned/0/0_0.jpg")
                if response.status_code != 200 or response.content not in known:
                    wrong.append((response.status_code, response.text[:300]))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for swap in range(25):
            draw(made, swap % 3)
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_the_page_holds_the_viewer_and_the_grid_for_who_has_no_scripts(client):
    page = client.get("/stores/store/atlas").text
    plain = page[page.index("<noscript>") : page.index("</noscript>")]
    assert '<svg class="mosaic"' in plain
    assert page.count('<svg class="mosaic"') == 1
    assert 'id="atlas-viewer"' in page
    only = client.get("/stores/store/atlas/flat?plain=true").text
    assert '<svg class="mosaic"' in only
    assert "<script" not in only


def test_the_page_of_an_image_on_the_map(client, tiled, atlas):
    image = int(atlas.images[7])
    page = client.get(f"/stores/store/atlas/flat?item={image}&plain=true").text
    row, column = atlas.cell(image, "nearest")
    assert f"Image {image} is in column {column}, row {row}." in page
    failed = int(np.flatnonzero(tiled.failed)[0])
    response = client.get(f"/stores/store/atlas/flat?item={failed}")
    assert response.status_code == 404
    assert f"image {failed} is not on the map" in response.text
    assert client.get("/stores/store/atlas/flat?item=99999").status_code == 404

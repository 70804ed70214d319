"""Layers whose names hold slashes, spaces or signs of addresses, or are very long: on pages, in the API, the client."""

import asyncio
import re
import shutil
from html import unescape
from urllib.parse import quote, unquote

import httpx
import pytest
from unitscope.index.storage.layer_names import folder_name, layer_name
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.service.client import Client
from unitscope.service.http.layer_paths import LayerPaths

NAMES = (
    "conv1/7x7_s2",
    "loss3/classifier/",
    "a#b?c%2Fd",
    "a#b?c/d",
    "mixed 4b",
    "слой é☃/1",
    "conv:1",
    "x&y=z;w+v",
    ".hidden",
    "units/0/patches",
    "a'\"<b>",
    "tab\tand\nline",
    "100%",
    "back\\slash",
    "long/" * 80 + "a",
    "long/" * 80 + "b",
)
OF_UNIT = ("", "/patches", "/classes", "/similar", "/patches/1/picture")


@pytest.fixture(scope="module")
def store(synthetic, tmp_path_factory):
    layers = tuple(synthetic.layer_row(name, "map", 3, 4, 4) for name in NAMES)
    folder = tmp_path_factory.mktemp("layers") / "store"
    return synthetic.make_store(folder, images=40, failed=(), layers=layers, kinds=("real",) * len(layers))


@pytest.fixture(scope="module")
def live(store, kit):
    with kit.answering(store.url) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_has_a_name_of_its_own_that_a_file_system_takes(name):
    folder = folder_name(name)
    assert not re.search(r"[\x00-\x1f\x7f/\\]", folder)
    assert folder not in (".", "..")
    assert len(folder.encode()) <= 200
    assert [other for other in NAMES if folder_name(other) == folder] == [name]
    assert layer_name(folder) == (name if len(name) < 200 else folder)


@pytest.mark.parametrize("name", ["features.10", "block.1:0", "a b", "слой", "100%", "a%zz", "x#y?"])
def test_an_ordinary_name_is_its_folders(name):
    assert folder_name(name) == name


@pytest.mark.parametrize("name", NAMES)
def test_every_address_of_a_layer_answers(live, name):
    part = quote(name, safe="")
    for end in OF_UNIT:
        assert live.get(f"/api/v1/stores/store/layers/{part}/units/0{end}").status_code == 200, end
    assert live.get(f"/api/v1/stores/store/layers/{part}/units").json()["layer"] == name
    assert live.get(f"/api/v1/stores/store/layers/{part}/units/0/patches?k=2").json()["layer"] == name
    assert live.get(f"/stores/store/layers/{part}").status_code == 200
    page = live.get(f"/stores/store/units/{part}/0")
    assert page.status_code == 200
    addresses = [unescape(one) for one in re.findall(r'(?:href|src)="(/[^"#]+)', page.text)]
    of_layer = [one for one in addresses if f"/{part}" in one and "filters" not in one]
    assert of_layer
    for address in of_layer:
        assert live.get(address).status_code == 200, address


@pytest.mark.parametrize("name", ["conv1/7x7_s2", "слой é☃/1", "long/" * 80 + "b"])
def test_a_proxy_may_have_decoded_the_slashes(live, name):
    part = quote(name)
    assert live.get(f"/api/v1/stores/store/layers/{part}/units/1/patches").json()["layer"] == name
    assert live.get(f"/stores/store/units/{part}/0").status_code == 200


def test_the_tables_are_whole(store):
    found = Store.open(store.url)
    assert [layer.layer for layer in found.layers] == list(NAMES)
    assert [problem.path for problem in verify(store.url).problems] == []


def test_a_store_of_an_older_release_opens(store, tmp_path):
    """It put `conv1/7x7` into folders within each other."""
    older, name = tmp_path / "older", "conv1/7x7_s2"
    shutil.copytree(store.url, older)
    (older / "maxima" / "conv1").mkdir()
    (older / "maxima" / folder_name(name)).rename(older / "maxima" / name)
    manifest = older / "manifest.json"
    manifest.write_text(manifest.read_text().replace(folder_name(name), name))
    assert verify(str(older)).problems == ()
    assert Store.open(str(older)).maxima(name, 1).tolist() == store.values[0][:, 1].tolist()


def test_the_client_asks_for_any_layer(live):
    with Client(str(live.base_url)) as client:
        for name in NAMES:
            assert [patch.rank for patch in client.store("store").patches(name, 0, k=2)] == [1, 2]
            assert client.store("store").unit(name, 1).layer == name


def test_what_is_typed_may_be_such_a_name(live):
    for typed in ("conv1/7x7_s2 3", "unit 3 of conv1/7x7_s2", "mixed 4b", "mixed 4b 3", "3, mixed 4b"):
        answer = live.get("/stores/store/go", params={"q": typed}, follow_redirects=False)
        assert answer.status_code == 303, typed


def test_an_unknown_name_with_slashes_is_said_as_it_is(live):
    answer = live.get("/api/v1/stores/store/layers/no%2Fsuch/units")
    assert answer.status_code == 404
    assert "no/such" in answer.json()["detail"]
    assert (
        "nothing has the address /api/v1/stores/store/layers/no/such/x"
        in (live.get("/api/v1/stores/store/layers/no%2Fsuch/x").json()["detail"])
    )


def test_the_middleware_gives_the_path_back():
    seen = []

    async def inner(scope, receive, send):
        seen.append(scope["path"])

    scope = {"type": "http", "path": "/stores/s/units/a/b/0", "raw_path": b"/stores/s/units/a%2fb/0"}
    asyncio.run(LayerPaths(inner)(scope, None, None))
    assert seen != [scope["path"]]
    assert scope["path"] == unquote(scope["raw_path"].decode())

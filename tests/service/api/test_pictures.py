"""Pixels: exactly the dataset's, or refused with the reason."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unitscope.service.queries.pixels import preview

API = "/api/v1/stores/store"


def decoded(response):
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGB"))


def original(made, image):
    path = Path(made.url).parent / "data" / made.images["uri"][image].as_py()
    return path, np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (3, 2, 17, 11), (0, 0, 999, 999), (-4, 5, 7, 999)])
def test_a_small_crop_is_pixel_for_pixel(client, made, box):
    _, pixels = original(made, 9)
    x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), *box[2:]
    response = client.get(f"{API}/images/9/crop", params={"box": ",".join(map(str, box))})
    assert response.headers["content-type"] == "image/png"
    assert np.array_equal(decoded(response), pixels[y0:y1, x0:x1])


def test_the_crop_of_a_patch_is_its_view(client, made):
    patch = client.get(f"{API}/layers/block.1:0/units/5/patches?k=1").json()["patches"][0]
    x0, y0, x1, y1 = patch["view"]
    _, pixels = original(made, patch["image_id"])
    assert np.array_equal(decoded(client.get(patch["crop"])), pixels[y0:y1, x0:x1])


def test_a_large_crop_is_made_smaller_and_never_larger(client, made):
    _, pixels = original(made, 9)
    height, width = pixels.shape[:2]
    small = decoded(client.get(f"{API}/images/9/crop?box=0,0,999,999&side=8"))
    assert max(small.shape[:2]) == 8
    whole = decoded(client.get(f"{API}/images/9/crop?box=0,0,999,999&side=2048"))
    assert whole.shape[:2] == (height, width)


def test_pixels_are_the_image_s_own_file(client, made):
    path, _ = original(made, 9)
    response = client.get(f"{API}/images/9/pixels")
    assert (response.content, response.headers["content-type"]) == (path.read_bytes(), "image/png")


def test_what_is_no_picture_is_never_sent_as_one(client, made):
    path = Path(made.url).parent / "data" / made.images["uri"][70].as_py()
    response = client.get(f"{API}/images/70/pixels")
    assert (response.content, response.headers["content-type"]) == (
        path.read_bytes(),
        "application/octet-stream",
    )
    response = client.get(f"{API}/images/70/crop?box=0,0,1,1")
    assert response.status_code == 422
    assert "undecodable" in response.json()["detail"]


def test_packed_pictures_are_those_of_the_store(client, synthetic):
    assert client.get(f"{API}/images/33/thumb").content == synthetic.thumb(33)
    assert client.get(f"{API}/layers/features.0/units/3/patches/2/picture").content == synthetic.view(0, 3, 1)


CHANGES = {
    "changed": (409, "image-changed", lambda path, data: path.write_bytes(data + b" ")),
    "replaced": (409, "image-changed", lambda path, data: Image.new("RGB", (30, 30)).save(path)),
    "gone": (410, "image-gone", lambda path, data: path.unlink()),
    "a folder now": (410, "image-gone", lambda path, data: (path.unlink(), path.mkdir())),
    "dataset gone": (410, "image-gone", lambda path, data: shutil.rmtree(path.parent)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_pixels_that_are_not_those_of_the_sweep_are_refused(fresh, kit, change):
    status, kind, act = CHANGES[change]
    path, _ = original(fresh, 9)
    data = path.read_bytes()
    with kit.client(fresh.url) as client:
        assert client.get(f"{API}/images/9/pixels").status_code == 200
        act(path, data)
        for address in ("pixels", "crop?box=0,0,5,5"):
            response = client.get(f"{API}/images/9/{address}")
            assert response.status_code == status
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["type"] == f"urn:unitscope:{kind}"
            assert "image 9" in response.json()["detail"]
        assert client.get(f"{API}/images/9/thumb").status_code == 200
        page = client.get("/stores/store/neighbors?image=9")
        assert page.status_code == 200
        assert "Shown from its thumbnail" in page.text
        assert "/images/9/thumb" in page.text
        assert "/images/9/crop" not in page.text


def test_a_dataset_gone_from_the_start_leaves_the_pages(fresh, kit):
    shutil.rmtree(Path(fresh.url).parent / "data")
    with kit.client(fresh.url) as client:
        page = client.get("/stores/store/units/features.0/3")
        assert page.status_code == 200
        assert "Shown from thumbnails" in page.text
        assert "/crop?" not in page.text
        assert client.get(f"{API}/images/9/pixels").status_code == 410


def encoded(mode, size, form):
    file = io.BytesIO()
    Image.new(mode, size).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "size", "form", "shown"),
    [
        ("RGB", (640, 480), "PNG", (384, 288)),
        ("RGB", (8, 6), "PNG", (8, 6)),
        ("1", (5000, 5000), "PNG", None),
        ("L", (5000, 5000), "JPEG", (384, 384)),
    ],
)
def test_an_upload_is_shown_small_and_decoded_only_where_that_is_cheap(mode, size, form, shown):
    made = preview(encoded(mode, size, form), 384)
    if shown is None:
        assert made is None
    else:
        with Image.open(io.BytesIO(made[0])) as image:
            assert (image.format, image.size, made[1]) == ("JPEG", shown, "image/jpeg")


def test_an_upload_that_is_no_image_is_not_shown():
    assert preview(b"GIF89a", 384) is None

"""The pages that ask the model: with its pictures, and without it the reason why there are none."""

import io
import re

import numpy as np
from PIL import Image


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
    assert "Prediction" in region
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

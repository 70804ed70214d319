"""What the client's rows show in a notebook: pictures inside, and nothing that the dataset's words could break."""

import re
from base64 import b64decode

import httpx
import pytest
from unitscope.service.client import Client
from unitscope.service.client.rows import SHOWN, Rows
from unitscope.service.schemas.arrow import to_table
from unitscope.service.schemas.stores import LayersAnswer
from unitscope.service.schemas.units import PatchAnswer, PatchesAnswer

JPEG = b"\xff\xd8\xff rest"
EVIL = '"><script>alert(1)</script>'


def patch(rank, **changes):
    row = {
        "rank": rank,
        "value": 1.23456,
        "image_id": 9,
        "y": 0,
        "x": 0,
        "box": (0, 0, 1, 1),
        "view": (0, 0, 1, 1),
        "uri": EVIL,
        "width": 1,
        "height": 1,
        "label": EVIL,
        "label_index": None,
        "label_class": None,
        "predicted": 1,
        "predicted_class": EVIL,
        "probability": 0.5,
        "image": EVIL,
        "crop": "/api/v1/stores/s/images/9/crop?box=0,0,1,1",
        "thumb": EVIL,
    }
    return PatchAnswer(**(row | changes))


def rows(patches, fetch, **changes):
    facts = {
        "store": EVIL,
        "manifest": "m",
        "weights": None,
        "random": False,
        "maxima_dtype": "float32",
        "feature_dtype": "float32",
        "precision": "exact",
        "layer": "l",
        "unit": 3,
        "where": None,
        "quantile": None,
        "images": 50,
    }
    answer = PatchesAnswer(**(facts | changes), patches=patches)
    return Rows(answer, to_table(answer), fetch)


def html(*args, **changes):
    return rows(*args, **changes)._repr_html_()


def test_pictures_are_inside():
    asked = []

    def fetch(address):
        asked.append(address)
        return JPEG

    text = html([patch(1), patch(2)], fetch)
    assert asked == [patch(1).crop] * 2
    assert [b64decode(one) for one in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)] == [JPEG] * 2
    assert "#1 value 1.235" in text and "image 9" in text


@pytest.mark.parametrize("found", [None, b"", b"<svg onload=alert(1)>", b"no picture"])
def test_what_is_no_picture_is_not_shown(found):
    text = html([patch(1)], lambda _: found)
    assert "<img" not in text and "svg" not in text


def test_words_of_the_dataset_are_no_html():
    text = html([patch(1)], lambda _: JPEG)
    assert "<script" not in text and EVIL not in text
    assert "&lt;script&gt;" in text


def test_no_more_pictures_than_a_person_looks_at():
    asked = []
    text = html([patch(rank + 1) for rank in range(SHOWN + 5)], asked.append)
    assert len(asked) == SHOWN
    assert "and 5 more" in text


def test_no_rows_are_said():
    assert "none" in html([], lambda _: JPEG)


def test_random_weights_are_said():
    assert "Random weights" in html([patch(1)], lambda _: JPEG, random=True)
    assert "Random weights" not in html([patch(1)], lambda _: JPEG)


def test_what_is_less_than_exact_is_said():
    assert "float" not in html([patch(1)], lambda _: JPEG)
    assert "maxima_dtype float16" in html([patch(1)], lambda _: JPEG, maxima_dtype="float16")


def test_a_table_without_pictures_is_a_table():
    layers = LayersAnswer(
        store="s", manifest="m", weights=None, random=False, maxima_dtype="a", feature_dtype="a", precision="a",
        layers=[],
    )  # fmt: skip
    assert "<p>none</p>" in Rows(layers, to_table(layers), lambda _: None)._repr_html_()


def test_addresses_elsewhere_are_not_asked(monkeypatch):
    asked = []

    def answer(request):
        asked.append(str(request.url))
        return httpx.Response(200, content=JPEG)

    with Client("http://x", transport=httpx.MockTransport(answer)) as client:
        for address in ("http://evil.example/a.jpg", "//evil.example/a.jpg", "file:///etc/passwd"):
            assert "<img" not in html([patch(1, crop=address)], client._fetch)
        assert asked == []
        assert "<img" in html([patch(1)], client._fetch)
    assert asked == ["http://x/api/v1/stores/s/images/9/crop?box=0,0,1,1"]


def test_a_service_that_fails_leaves_the_words():
    with Client("http://x", transport=httpx.MockTransport(lambda _: httpx.Response(500))) as client:
        assert "image 9" in html([patch(1)], client._fetch)

"""What is wrong with a request is told in plain words, whatever is asked for: no pattern, no type of a library."""

import re
from unittest.mock import patch

import pyarrow as pa
import pytest
from altered_stores import altered, relabel
from unitscope.index.merge import labels as label_numbers
from unitscope.index.overlays.coloring import by_values

API = "/api/v1/stores/store"
PAGE = "/stores/store"
RAW = re.compile(
    r"pydantic|regex|pattern '|\^|\\x1b|Input should|String should|unable to parse|<class|Traceback"
)
WRONG = [
    (f"{API}/layers/head/units/x", "unit: it must be a whole number, not x"),
    (f"{API}/layers/head/units/-1", "unit: it must be at least 0, not -1"),
    (f"{API}/layers/head/units/0/patches?k=0", "k: it must be at least 1, not 0"),
    (f"{API}/layers/head/units/0/patches?k=1.5", "k: it must be a whole number, not 1.5"),
    (f"{API}/layers/head/units/0/patches?quantile=nan", "quantile: it must be a"),
    (f"{API}/layers/head/units?sort=size", "sort: it must be unit, max"),
    (f"{API}/layers/head/units?dead=perhaps", "dead: it must be true or false, not perhaps"),
    (f"{API}/layers/head/units?cursor=next", "cursor: write the `next` of a page before"),
    (
        f"{API}/images/0/crop?box=1,2",
        "box: write four whole numbers x0,y0,x1,y1, as in 10,20,110,140, not 1,2",
    ),
    (f"{API}/images/0/crop", "box: it is missing, and must be given"),
    (f"{API}/atlases/pca/region?region=0,0", "region: write the corners"),
    (f"{API}/images?where={'x' * 5000}", "where: it must have at most 4000 characters"),
    (f"{API}/neighbors?image=99999999999999999999", "image: it must be"),
    (f"{PAGE}/units/head/x", "unit: it must be a whole number"),
    (f"{PAGE}/images?start=-1", "start: it must be at least 0"),
    (f"{PAGE}/atlas/pca/region?region=circle", "region: write the corners"),
]


@pytest.mark.parametrize(("address", "told"), WRONG)
def test_what_is_wrong_is_told_in_plain_words(client, address, told):
    answer = client.get(address)
    assert answer.status_code == 422
    text = answer.json()["detail"] if address.startswith("/api") else answer.text
    assert told in text
    assert not RAW.search(text)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'{"vector": "x"}', b'{"vector": [1, "a"]}', b'{"k": 0}']
)
def test_a_bad_body_is_told_in_plain_words(client, body):
    answer = client.post(f"{API}/neighbors", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert not RAW.search(answer.json()["detail"])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int64(), [2**63 - 1, -(2**63), 2**53 + 1, None, *range(40)]),
        (pa.uint64(), [2**64 - 1, 2**63, 2**53 + 1, None, *range(40)]),
        (pa.float64(), [1e300, -1e300, float("inf"), None, *map(float, range(40))]),
        (pa.decimal128(38, 0), [10**37, -(10**37), 1, None, *range(40)]),
    ],
)
def test_a_map_is_painted_by_numbers_of_any_size(kind, values):
    painted = by_values("big", pa.array(values, kind), says="")
    assert painted.kind == "numbers"
    known = [value for value in values if value is not None and value != float("inf")]
    assert painted.largest == pytest.approx(min(max(known), 3.4028235e38))
    assert painted.smallest == pytest.approx(max(min(known), -3.4028235e38))


def test_with_too_many_labels_a_label_leads_to_its_images(synthetic, kit, tmp_path):
    labels = ["it's", "line\nbreak", "a/b", ""]

    def change(made):
        count = made.images.num_rows
        relabel(made, [labels[image % 4] for image in range(count)])

    with patch.object(label_numbers, "LABELS_LIMIT", 3):
        made = altered(synthetic, tmp_path / "store", change)
    with kit.client(made.url) as client:
        for address in ("/classes/it%27s", "/classes/line%0Abreak", "/classes/a%2Fb", "/class?label="):
            answer = client.get(f"{PAGE}{address}")
            assert answer.status_code == 200
            assert answer.url.path == f"{PAGE}/images"
            assert "50 images" in answer.text

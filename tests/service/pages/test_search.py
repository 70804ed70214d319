"""What a person types into the header finds the page that was meant."""

import pytest

S = "/stores/store"


def place(client, typed, at=None):
    """Where the header's form leads, or the page's status where it offers a choice."""
    params = {"q": typed} | ({"at": at} if at else {})
    response = client.get(f"{S}/go", params=params, follow_redirects=False)
    return response.headers.get("location", response.status_code)


@pytest.mark.parametrize(
    "typed",
    [
        "features.0 17",
        "features.0/17",
        "unit 17 of features.0",
        " 17,features.0 ",
        "Unit 17 in layer features.0",
    ],
)
def test_a_unit(client, typed):
    assert place(client, typed) == f"{S}/units/features.0/17"


@pytest.mark.parametrize(
    ("typed", "at", "found"),
    [
        ("unit 3", "head", "/units/head/3"),
        ("3", "head", "/units/head/3"),
        ("unit 17", "head", 200),
        ("unit 17", None, 200),
        ("17", None, 200),
        ("unit 17", "nope", 200),
        ("block.1:0 3", "head", "/units/block.1%3A0/3"),
        ("head", None, "/layers/head"),
        ("image 123", None, "/images/123"),
        ("Image #5", "head", "/images/5"),
        ("#5", None, "/images/5"),
        ("image 999", None, 404),
        ("features.0 999", None, "/units/features.0/999"),
        ("cat", None, "/classes/cat"),
        ("CAT", "head", "/classes/cat"),
        ("00007.png", None, "/images/7"),
        ("a", None, 200),
        ("nobody", None, 404),
        ("", None, 404),
        ("unit", None, 404),
        ("99999999999999999999", None, 404),
        ("3 4", "head", 404),
        ("\x00", None, 404),
    ],
)
def test_what_is_typed(client, typed, at, found):
    assert place(client, typed, at) == (found if isinstance(found, int) else S + found)


def test_a_unit_of_no_layer_is_offered_in_every_layer_that_has_it(client):
    text = client.get(f"{S}/go", params={"q": "unit 16"}).text
    assert f'href="{S}/units/features.0/16"' in text
    assert f'href="{S}/units/block.1%3A0/16"' in text
    assert "units/head/16" not in text
    assert f'href="{S}/images/16"' in text


def test_the_header_knows_the_layer_of_the_page(client):
    for path in ("layers/head", "units/head/1"):
        assert '<input type="hidden" name="at" value="head">' in client.get(f"{S}/{path}").text
    assert 'name="at"' not in client.get(f"{S}/images/4").text


def test_layers_and_classes_that_look_like_something_else(kit, synthetic, tmp_path):
    rows = (synthetic.layer_row("0", "map", 5, 2, 2), synthetic.layer_row("image", "vector", 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "CLASSES", ("17", "Bee", "bee", "unit 3"))
        made = synthetic.make_store(tmp_path / "store", layers=rows, kinds=("ties", "real"))
    with kit.client(made.url) as client:
        assert place(client, "0") == f"{S}/layers/0"
        assert place(client, "0 0") == f"{S}/units/0/0"
        assert place(client, "0/3") == f"{S}/units/0/3"
        assert place(client, "17") == f"{S}/classes/17"
        assert place(client, "bee") == f"{S}/classes/bee"
        assert place(client, "BEE") == 200
        assert place(client, "unit 3") == f"{S}/classes/unit%203"
        assert place(client, "unit 3", "0") == f"{S}/units/0/3"

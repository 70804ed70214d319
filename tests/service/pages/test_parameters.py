"""Parameters in the addresses of pages: an unknown one is said, what forms and links of the pages send is known."""

import html
import re
from urllib.parse import parse_qsl, urlencode, urljoin

import pytest

STORE = "/stores/store"
PAGES = (
    "",
    "/layers/features.0",
    "/layers/features.0?filters=true&dead=false",
    "/units/features.0/2",
    "/units/features.0/2?where=correct&quantile=0.5",
    "/images",
    "/images/9",
    "/classes",
    "/neighbors?image=3",
    "/neighbors?image=3&where=correct",
    "/atlas",
    "/atlas?plain=true",
    "/live",
    "/go?q=7",
)


@pytest.mark.parametrize(
    ("asked", "said", "ways"),
    [
        ("/units/features.0/2?wher=correct", "where", ["?where=correct", ""]),
        ("/units/features.0/2?wher=correct&k=3", "where", ["?where=correct&k=3", "?k=3"]),
        ("/layers/features.0?deed=true", "dead", ["?dead=true", ""]),
        ("/images?where=correct&utm=1", None, ["?where=correct"]),
        ("/images/9?zzz=%3Cb%3E", None, [""]),
        ("/classes?Sort=label", "sort", ["?sort=label", ""]),
        ("/neighbors?image=3&boxx=1,2,3,4", "box", ["?image=3&box=1%2C2%2C3%2C4", "?image=3"]),
        ("?where=correct", None, [""]),
        ("/live?laier=features.0", "layer", ["?layer=features.0", ""]),
        ("/go?query=7", None, [""]),
        ("/atlas?iten=3", "item", ["?item=3", ""]),
    ],
)
def test_an_unknown_parameter_is_said_with_what_may_be_meant(client, asked, said, ways):
    response = client.get(STORE + asked)
    assert response.status_code == 422
    assert response.headers["content-type"].startswith("text/html")
    alert = re.search(r'<div class="warning" role="alert">.*?</div>', response.text, re.DOTALL)[0]
    path, _, query = asked.partition("?")
    unknown = next(name for name, _ in parse_qsl(query) if name in alert)
    assert f"<code>{unknown}</code>" in alert
    assert ("did you mean" in alert) == (said is not None)
    if said:
        assert f"<code>{said}</code>" in alert
    main = response.text.partition("<main")[2].partition("</main>")[0]
    assert [html.unescape(one) for one in re.findall(r'href="([^"]+)"', main)] == [
        STORE + path + way for way in ways
    ]


def test_the_way_on_leads_to_the_page(client):
    said = client.get(f"{STORE}/units/features.0/2?wher=correct%20%3D%20false").text
    way = html.unescape(re.search(r'<a href="([^"]+)">Open it with', said)[1])
    shown = client.get(way)
    assert shown.status_code == 200
    assert "correct = false" in shown.text


def test_no_parameter_can_write_into_the_page(client):
    said = client.get(f"{STORE}/images?%3Cscript%3E=1&%22%3E=2&" + "&".join(f"a{n}b{n}=1" for n in range(50)))
    assert said.status_code == 422
    assert "<script>" not in said.text
    assert "and 47 more" in said.text
    assert len(said.text) < 20_000


def test_a_version_may_stand_in_the_address_of_a_page(client):
    assert client.get(f"{STORE}/images/9?v=0123456789ab").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_sends_is_known(client, path):
    """Every GET form as it stands, and every link, of the page: none asks for a parameter that is none."""
    address = STORE + path
    text = client.get(address).text
    for sent in {*_sent(text, address), *_links(text, address)}:
        assert "no such parameter" not in client.get(sent).text, sent


def _sent(text, address):
    for form in re.findall(r"<form(?![^>]*post)(.*?)</form>", text, re.DOTALL):
        action = re.search(r'^[^>]*action="([^"]+)"', form)
        fields = {}
        for tag in re.findall(r"<(?:input|select|button)[^>]*>", form):
            name = re.search(r'\bname="([^"]+)"', tag)
            value = re.search(r'\bvalue="([^"]*)"', tag)
            if name and 'type="file"' not in tag:
                fields[name[1]] = html.unescape(value[1]) if value else ""
        if "data-" not in form.partition(">")[0]:
            yield (
                urljoin(address.partition("?")[0], html.unescape(action[1]) if action else "")
                + "?"
                + urlencode(fields)
            )


def _links(text, address):
    for link in re.findall(r'<a\b[^>]*href="([^"]+)"', text):
        whole = urljoin(address, html.unescape(link)).partition("#")[0]
        if whole.startswith("/stores/") and "?" in whole:
            yield whole

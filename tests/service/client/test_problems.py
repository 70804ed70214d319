"""What the client raises: the service's own words, and what is no service is said."""

import httpx
import pytest
from unitscope.common.errors import FilterError, LayerError, NotFoundError, StoreNotFoundError, UsageError
from unitscope.service.client import Client, ServiceError


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda store: store.unit("features.1", 3), LayerError, "features.0"),
        (lambda store: store.patches("features.0", 3, where="loss >"), FilterError, "loss"),
        (lambda store: store.image(100_000), NotFoundError, "100000"),
        (lambda store: store.patches("features.0", 3, k=0), UsageError, "k"),
        (lambda store: store.atlas("none"), StoreNotFoundError, "flat"),
        (lambda store: store.neighbors(7, space="pixels"), StoreNotFoundError, "pixels"),
        (lambda store: store.neighbors_of_vector([1.0]), UsageError, "numbers"),
        (lambda store: list(store.images(where="nope = 1")), FilterError, "nope"),
    ],
)
def test_problems_are_the_projects_own_errors(store, ask, error, words):
    with pytest.raises(error, match=words) as caught:
        ask(store)
    assert type(caught.value) is error
    assert "request id" in caught.value.__notes__[0]


def test_a_store_that_is_not_there_is_said(url):
    with Client(url) as client, pytest.raises(NotFoundError, match="there are: store"):
        client.store("other").about()


def test_what_is_no_service_is_said():
    with Client(
        "http://x", transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    ) as client:
        with pytest.raises(ServiceError, match="no Unitscope service"):
            client.stores()
        with pytest.raises(ServiceError, match="no Unitscope service"):
            client.store("a").about()
        with pytest.raises(ServiceError, match="not a picture"):
            client.store("a").thumb(1)


def test_names_are_quoted(url):
    asked = []

    def note(request):
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404)

    with Client("http://x/prefix", transport=httpx.MockTransport(note)) as client:
        for ask in (
            lambda: client.store("a/b ?").unit("features:0/é", 3),
            lambda: client.store("s").one_class("a/b#c"),
        ):
            with pytest.raises(ServiceError):
                ask()
    assert asked == [
        "/prefix/api/v1/stores/a%2Fb%20%3F/layers/features%3A0%2F%C3%A9/units/3",
        "/prefix/api/v1/stores/s/classes/a%2Fb%23c",
    ]

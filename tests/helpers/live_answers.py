"""What the tests of the live model ask a client for, and how they read it."""

import io

import numpy as np
from PIL import Image

API = "/api/v1/stores/shapes"


def pixels_of(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(response.content)))


def array(client, image, layer, **query):
    response = client.get(f"{API}/images/{image}/maps/{layer}/array", params=query)
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content))


def own_file(client, image):
    return client.get(f"{API}/images/{image}/pixels").content


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def is_problem(response, status, words):
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"]

"""What the live model does not answer, and why it says: bad questions and uploads, the wrong network, none."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from live_answers import API, is_problem, own_file, png
from unitscope.common.errors import UsageError
from unitscope.service.stores.trusted import Trusted

# What is not there


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (404, "/images/60/maps/block"),
        (404, "/images/0/maps/nope"),
        (404, "/images/0/maps/block?unit=12"),
        (404, "/images/0/maps/block/array?unit=12"),
        (404, "/images/0/maps/nope/facts"),
        (404, "/layers/nope/filters"),
        (404, "/layers/stem.0/filters?unit=12"),
        (422, "/images/0/maps/block?unit=-1"),
        (422, "/images/0/maps/block?scale=none"),
        (422, "/images/0/maps/block?zoom=0"),
        (422, "/images/0/maps/block?zoom=33"),
        (422, "/layers/stem.0/filters?zoom=99"),
        (422, "/layers/stem.0/filters?scale=dataset"),
    ],
)
def test_bad_questions(client, status, path):
    is_problem(client.get(API + path), status, "")


def bomb():
    """A PNG whose header says 60,000 x 60,000."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize("path", ["/neighbors/upload", "/live/maps?layer=block"])
def test_bad_uploads(client, path):
    data = own_file(client, 0)
    address = API + path
    is_problem(client.post(address, content=bomb()), 422, "too_large")
    is_problem(client.post(address, content=data[: len(data) // 2]), 422, "undecodable")
    is_problem(client.post(address, content=b"no image"), 422, "undecodable")
    is_problem(client.post(address, content=b""), 422, "no body")
    is_problem(client.post(address, content=bytes(21 << 20)), 413, "")
    is_problem(client.post(address, content=iter([bytes(1 << 20)] * 22)), 413, "")
    is_problem(client.post(address, content=png(np.zeros((1, 400_000, 3), np.uint8))), 422, "too_large")
    is_problem(client.post(address, files={}, data={"image": "text"}), 422, "")
    form = {"content-type": "multipart/form-data; boundary=x"}
    is_problem(client.post(address, content=b"--x\r\n\r\n--x--\r\n", headers=form), 400, "")
    is_problem(client.post(address, content=b"nonsense", headers=form), 400, "")
    is_problem(client.post(address, content=b"--x--\r\n", headers=form), 422, "has no file")
    many = [(f"f{number}", ("a", data)) for number in range(3)]
    is_problem(client.post(address, files=many), 400, "")
    assert client.post(address, content=data).status_code == 200


def test_a_form_that_is_cut_off_is_no_image(client):
    data = own_file(client, 0)
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    form = {"content-type": "multipart/form-data; boundary=x"}
    whole = head + data + b"\r\n--x--\r\n"
    assert client.post(f"{API}/neighbors/upload", content=whole, headers=form).status_code == 200
    for cut in (len(head) + len(data) // 2, len(head) - 9, len(head) + 3):
        response = client.post(f"{API}/neighbors/upload", content=whole[:cut], headers=form)
        assert response.status_code in (400, 422), cut


def test_large_images_are_taken(client):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    data = png(noise)
    assert 8 << 20 < len(data) < 20 << 20
    response = client.post(f"{API}/neighbors/upload", content=data)
    assert response.status_code == 200, response.text
    assert response.json()["query"]["seen"] == [250, 0, 1750, 1500]


# The wrong model, or none


def test_another_network_is_refused(altered, serve):
    wrong = altered(lambda content: content["fingerprints"].update(weights="0" * 64))
    with serve(wrong) as client:
        data = own_file(client, 0)
        for response in (
            client.get(f"{API}/images/0/maps/block"),
            client.post(f"{API}/neighbors/upload", content=data),
            client.get(f"{API}/layers/stem.0/filters"),
        ):
            is_problem(response, 409, "is no longer the network that was swept: its weights")
        assert client.get(f"{API}/layers/block/units/3/patches").status_code == 200


def test_other_preprocessing_and_other_code_are_refused(altered, serve, tmp_path):
    def moved(change):
        def alter(content):
            path, _, factory = content["model"]["spec"].rpartition(":")
            source = Path(path).read_text()
            assert change[0] in source
            other = tmp_path / f"{change[1][:6]}.py"
            other.write_text(source.replace(*change))
            content["model"]["spec"] = f"{other}:{factory}"

        return alter

    with serve(altered(moved(("0.25, 0.25", "0.2, 0.25")))) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 409, "its preprocessing")
    with serve(altered(moved(("stride=2", "stride=1")), "more/shapes")) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 409, "has no layer block such as the store's")


def test_absent_code_or_weights_are_told(altered, serve, tmp_path):
    gone = altered(lambda content: content["model"].update(spec="/nowhere/model.py:net@random"))
    with serve(gone) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 503, "there is no file /nowhere/model.py")

    def alter(content):
        content["model"]["spec"] = content["model"]["spec"].removesuffix("@random")
        content["model"]["weights_file"] = "/nowhere/weights.safetensors"

    with serve(altered(alter, "more/shapes")) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 503, "/nowhere/weights.safetensors")
        assert client.get(f"{API}/images/0").status_code == 200


def test_two_stores_and_a_third_without_a_model(swept, altered, serve, tmp_path):
    shutil.copytree(swept, tmp_path / "same")
    gone = altered(lambda content: content["model"].update(spec="/nowhere/model.py:net@random"), "gone")
    with serve(swept, tmp_path / "same", gone) as client:
        for _ in range(2):
            both = [
                client.get(f"/api/v1/stores/{name}/images/1/maps/block").content
                for name in ("shapes", "same")
            ]
            assert both[0] == both[1]
            assert client.get("/api/v1/stores/gone/images/1/maps/block").status_code == 503
        assert client.get("/api/v1/stores/gone/live").json()["restarts"] == 0


def test_without_a_model_all_else_is_answered(swept, kit, serve):
    with serve(swept) as client:
        etag = client.get(f"{API}/images/1/maps/block").headers["etag"]
    with kit.client(swept, live=None) as client:
        assert client.get(f"{API}/live").json()["state"] == "off"
        is_problem(client.get(f"{API}/images/1/maps/block"), 503, "without a model")
        is_problem(client.post(f"{API}/neighbors/upload", content=b"x"), 503, "without a model")
        kept = client.get(f"{API}/images/1/maps/block", headers={"If-None-Match": etag})
        assert kept.status_code == 304
        for path in ("/images/1", "/neighbors?image=1", "/images/1/maps/block/facts", "/images/1/pixels"):
            assert client.get(API + path).status_code == 200


def test_a_manifest_that_does_not_name_the_feature_is_a_problem(swept, serve, tmp_path):
    folder = tmp_path / "shapes"
    shutil.copytree(swept, folder, ignore=shutil.ignore_patterns("ann", "atlas"))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["model"]["feature"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with serve(folder) as client:
        assert client.get(f"{API}/layers").status_code == 200
        said = client.get(f"{API}/images/1/maps/block")
    assert (said.status_code, said.json()["type"]) == (503, "urn:unitscope:store-damaged")
    assert "'feature'" in said.json()["detail"] and "sweep again" in said.json()["detail"]


@pytest.mark.parametrize("spec", ["{folder}/evil.py:make", "evil:make", "timm:local-dir:{folder}"])
def test_code_that_only_a_store_names_is_not_run(altered, serve, tmp_path, monkeypatch, spec):
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w')\ndef make(): ...\n")
    theirs = altered(lambda content: content["model"].update(spec=spec.format(folder=tmp_path)))
    with serve(theirs, trust=None) as client:
        for response in (
            client.get(f"{API}/images/0/maps/block"),
            client.get(f"{API}/images/0/maps/block/array"),
            client.get(f"{API}/layers/stem.0/filters"),
            client.post(f"{API}/neighbors/upload", content=png(np.zeros((32, 32, 3), np.uint8))),
        ):
            problem = is_problem(response, 409, "--trust-model")
            assert problem is None or problem["type"].endswith("model-not-allowed")
        for page in ("/stores/shapes", "/stores/shapes/images/0?maps=block", "/stores/shapes/layers/stem.0"):
            assert client.get(page).status_code == 200, page
        live = client.get("/stores/shapes/live")
        assert live.status_code == 200 and "--trust-model" in live.text
    assert not ran.exists()


def test_images_where_only_a_store_says_are_not_read(altered, serve):
    theirs = altered(lambda content: content["dataset"].update(path="/"))
    with serve(theirs, trust=None) as client:
        is_problem(client.get(f"{API}/images/0/pixels"), 409, "--data PATH")
        page = client.get("/stores/shapes/images/0")
        assert page.status_code == 200 and "--trust-data" in page.text
        assert client.get(f"{API}/images/0/thumb").status_code == 200


def test_what_the_person_names_takes_its_place(swept, altered, serve):
    manifest = json.loads((swept / "manifest.json").read_text())
    spec, data = manifest["model"]["spec"], manifest["dataset"]["path"]

    def forget(content):
        content["model"]["spec"] = "/nowhere/model.py:net@random"
        content["dataset"]["path"] = "/nowhere"

    theirs = altered(forget)
    named = Trusted(models=[f"shapes={spec}"], datasets=[f"{theirs}={data}"], stores=[str(theirs)])
    with serve(theirs, trust=named) as client:
        assert client.get(f"{API}/images/0/maps/block").status_code == 200


@pytest.mark.parametrize("text", ["net.py:make", "third=net.py:make"])
def test_a_value_must_say_of_which_store(text):
    with pytest.raises(UsageError, match="say of which store"):
        Trusted(models=[text], stores=["/a/one", "/a/two"]).of("/a/one", "one")

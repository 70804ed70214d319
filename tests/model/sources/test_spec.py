"""The names of models, and what is said about names that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unitscope.common.errors import ModelSpecError
from unitscope.model.sources.spec import ModelSpec, parse_spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("torchvision:alexnet@DEFAULT", ModelSpec("torchvision", "alexnet", "DEFAULT")),
        ("torchvision:resnet50@IMAGENET1K_V2", ModelSpec("torchvision", "resnet50", "IMAGENET1K_V2")),
        ("torchvision:alexnet@random", ModelSpec("torchvision", "alexnet", "random")),
        ("torchvision:alexnet", ModelSpec("torchvision", "alexnet", None)),
        ("  torchvision:alexnet ", ModelSpec("torchvision", "alexnet", None)),
        ("timm:resnet18", ModelSpec("timm", "resnet18", None)),
        ("timm:resnet18.a1_in1k", ModelSpec("timm", "resnet18.a1_in1k", "a1_in1k")),
        ("timm:resnet18@random", ModelSpec("timm", "resnet18", "random")),
        ("timm:resnet18.a1_in1k@random", ModelSpec("timm", "resnet18.a1_in1k", "random")),
        ("timm:hf-hub:timm/resnet18.a1_in1k", ModelSpec("timm", "hf-hub:timm/resnet18.a1_in1k", None)),
        ("timm:hf-hub:me/net@v2", ModelSpec("timm", "hf-hub:me/net@v2", None)),
        ("timm:local-dir:/a b/net@random", ModelSpec("timm", "local-dir:/a b/net", "random")),
        ("net.py:make", ModelSpec("file", "net.py:make", None)),
        ("/a/b/net.py:make@random", ModelSpec("file", "/a/b/net.py:make", "random")),
        ("../b/net.py:make@own", ModelSpec("file", "../b/net.py:make", "own")),
        ("/my models/v1@home/a:b/net.py:make", ModelSpec("file", "/my models/v1@home/a:b/net.py:make", None)),
        ("/old.py:x/net.py:make", ModelSpec("file", "/old.py:x/net.py:make", None)),
        ("mine.models:make", ModelSpec("module", "mine.models:make", None)),
        ("mine:make@own", ModelSpec("module", "mine:make", "own")),
    ],
)
def test_forms(text, expected):
    assert parse_spec(text) == expected
    assert parse_spec(str(expected)) == expected


def test_place_and_factory():
    spec = parse_spec("/a:b/net.py:make@own")
    assert (spec.place, spec.factory) == ("/a:b/net.py", "make")
    assert (parse_spec("timm:resnet18").place, parse_spec("timm:resnet18").factory) == ("resnet18", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no model"),
        ("alexnet", "write torchvision:alexnet"),
        ("alexnet@DEFAULT", "write torchvision:alexnet@DEFAULT"),
        ("torchvision:", "torchvision:NAME@WEIGHTS"),
        ("torchvision:alexnet@", "torchvision:NAME@WEIGHTS"),
        ("torchvision:alexnet@a@b", "torchvision:NAME@WEIGHTS"),
        ("torchvision:alexnet@own", "torchvision:alexnet@DEFAULT"),
        ("timm:", "timm:NAME"),
        ("timm:a/b", "timm:NAME"),
        ("timm:resnet18@a1_in1k", "timm:resnet18.a1_in1k"),
        ("net.py", "FILE.py:FACTORY"),
        ("net.py@random", "FILE.py:FACTORY"),
        ("net.py:", "net.py:FACTORY"),
        ("net.py:make it", "net.py:FACTORY"),
        ("net.py:make@w.pth", "--weights FILE"),
        ("mine.models:", "mine.models:FACTORY"),
        ("torchvison:alexnet@DEFAULT", "after @ a factory takes"),
        ("a b:make", "names no model"),
    ],
)
def test_refused(text, says):
    with pytest.raises(ModelSpecError) as caught:
        parse_spec(text)
    assert says in str(caught.value)


@given(st.text(alphabet="ab:@./ \\-_pytimmorchvsn", max_size=40))
def test_any_text_is_a_spec_or_an_error(text):
    try:
        spec = parse_spec(text)
    except ModelSpecError:
        return
    assert parse_spec(str(spec)) == spec

"""The values of arguments."""

from argparse import ArgumentTypeError

import pytest
from unitscope.cli import argument_types as values


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (values.whole(0), "0", 0),
        (values.whole(1), "12", 12),
        (values.share, "0.001", 0.001),
        (values.share, "1", 1.0),
        (values.names, "features.0, classifier.*,features.0", ("features.0", "classifier.*")),
        (values.input_size, "224", (224, 224)),
        (values.input_size, "224x320", (224, 320)),
        (values.image, "12", 12),
        (values.image, "./12", "./12"),
        (values.image, "cat.jpg", "cat.jpg"),
        (values.port, "0", 0),
    ],
)
def test_values(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (values.whole(0), "-1"),
        (values.whole(1), "0"),
        (values.whole(1), "1.5"),
        (values.whole(1), "many"),
        (values.share, "1.1"),
        (values.share, "nan"),
        (values.share, "1%"),
        (values.names, ""),
        (values.names, "a,,b"),
        (values.input_size, "0"),
        (values.input_size, "1x2x3"),
        (values.input_size, "x"),
        (values.input_size, "-3"),
        (values.port, "65536"),
    ],
)
def test_bad_values_are_named(read, text):
    with pytest.raises(ArgumentTypeError) as error:
        read(text)
    assert text in str(error.value)
    assert len(str(error.value)) > len(text) + 10

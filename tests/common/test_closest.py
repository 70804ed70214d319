"""The known names that may be meant."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unitscope.common.closest import closest


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("featurs.1", {}, ["features.1", "features.10", "features"]),
        ("featurs.1", {"n": 1}, ["features.1"]),
        ("HEAD", {}, []),
        ("HEAD", {"any_case": True}, ["Head"]),
        ("zzz", {"any_case": True}, []),
        ("Hexx", {"cutoff": 0.4}, ["Head"]),
    ],
)
def test_closest_names(name, options, expected):
    assert closest(name, ["features", "features.1", "features.10", "Head"], **options) == expected


@given(st.text(max_size=20), st.lists(st.text(max_size=8), max_size=6))
def test_closest_is_what_difflib_says(name, known):
    assert closest(name, known) == difflib.get_close_matches(name, known)


def test_a_name_of_any_length_is_compared_by_its_beginning():
    assert closest("a" * 10**6, ["a" * 190]) == ["a" * 190]

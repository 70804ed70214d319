"""Labels as numbers, one or several for an item, against lists."""

import numpy as np
import pytest
from unitscope.index.labels.codes import LabelCodes

LABELS = 5


@pytest.fixture(params=["one", "several"])
def case(request):
    """(the labels of 40 items as lists, the same as codes)."""
    rng = np.random.default_rng(1)
    if request.param == "one":
        numbers = rng.integers(-1, LABELS, 40)
        return [[number] if number >= 0 else [] for number in numbers.tolist()], LabelCodes(numbers)
    lists = [sorted(rng.permutation(LABELS)[: rng.integers(0, 4)].tolist()) for _ in range(40)]
    rows = np.repeat(np.arange(40), [len(one) for one in lists])
    return lists, LabelCodes(np.array([label for one in lists for label in one]), rows)


def told(codes, items):
    """As lists."""
    found = [[] for _ in range(items)]
    for row, label in zip(*codes.pairs(), strict=True):
        found[row].append(int(label))
    return found


def test_pairs_counts_and_items(case):
    lists, codes = case
    assert told(codes, 40) == lists
    assert codes.counts(LABELS).tolist() == [sum(label in one for one in lists) for label in range(LABELS)]
    assert codes.labelled == sum(bool(one) for one in lists)
    for label in range(LABELS):
        assert codes.items_of(label).tolist() == [item for item, one in enumerate(lists) if label in one]


@pytest.mark.parametrize("items", [[], [3], [7, 3, 3, 39, 0], list(range(39, -1, -1))])
def test_some_items_in_any_order(case, items):
    lists, codes = case
    assert told(codes.take(np.array(items, np.int64)), len(items)) == [lists[item] for item in items]


@pytest.mark.parametrize(("first", "items"), [(0, 40), (0, 0), (5, 11), (39, 1)])
def test_items_that_follow_each_other(case, first, items):
    lists, codes = case
    assert told(codes.slice(first, items), items) == lists[first : first + items]

"""The matrix of common attributes: what one span has together is never denied, what none has is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.store import pairs
from pea.store.pairs import Common, Pairs, common_of, may_be_together

MARKS = st.integers(0, 20)


@given(st.sets(MARKS), st.lists(st.lists(MARKS, max_size=6), max_size=12), st.sets(MARKS, max_size=4))
def test_it_rules_out_no_span_and_knows_every_pair(common: set[int], spans: list[list[int]], asked: set[int]):
    """What a span has passes; two common marks pass only if one span has both."""
    matrix = Pairs(common)
    matrix.add(spans)
    packed = matrix.packed()
    if any(asked <= set(marks) for marks in spans):
        assert may_be_together(packed, list(asked))
    known = sorted(asked & common)
    together = all(any({one, other} <= set(marks) for marks in spans) for one in known for other in known)
    assert may_be_together(packed, list(asked)) is (together or not common)


def test_too_many_kinds_of_spans_may_be_anything(monkeypatch: pytest.MonkeyPatch):
    """Beyond a bound of different sets of common marks a matrix says nothing, and takes no more."""
    monkeypatch.setattr(pairs, "MOST_SHAPES", 3)
    matrix = Pairs(range(10))
    matrix.add([[number] for number in range(3)])
    assert not may_be_together(matrix.packed(), [1, 2])
    matrix.add([[number] for number in range(10)])
    assert matrix.packed() is None
    assert may_be_together(None, [1, 2])


def test_what_is_common_is_learned_whatever_the_rhythm():
    """What one chunk in eight has is common though the sample is one in eight; what few have is not."""
    learning = Common()
    for number in range(2_048):
        learning.look(number, [{number % 8}, {100 + number}, {50} if number % 300 == 0 else set()])
    assert learning.enough
    assert set(learning.marks()) == set(range(8))


def test_what_is_common_is_bounded():
    """Of very many common marks the most common are taken; they are what a stored matrix is about."""
    learning = Common()
    for number in range(1_000):
        learning.look(number, [range(1_000) if number % 2 else range(500, 550)])
    common = learning.marks()
    assert len(common) == pairs.MOST_COMMON
    assert set(range(500, 550)) <= set(common)
    packed = Pairs(common).packed()
    assert packed is not None
    assert common_of(packed) == common

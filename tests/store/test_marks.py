"""The sketch of a chunk's attributes: it never misses one, and seldom claims one that is not there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from pea.store.marks import MAX_MARKS, mark_of, may_have, may_have_sql, sketch


def _in_sql(bits: bytes, marks: Iterable[int]) -> bool:
    with closing(sqlite3.connect(":memory:")) as db:
        expression = may_have_sql("bits", list(marks)[:8])
        return bool(db.execute(f"SELECT {expression} FROM (SELECT ? AS bits)", (bits,)).fetchone()[0])


@given(st.sets(st.integers(0, 2**32 - 1), max_size=200))
def test_nothing_that_is_there_is_missed(marks: set[int]):
    """Every mark that went in may be there, alone and together."""
    bits = sketch(marks)
    assert may_have(bits, marks)
    assert all(may_have(bits, [mark]) for mark in marks)
    assert _in_sql(bits, marks)


def test_few_that_are_not_there_pass():
    """Fewer than one in twenty strangers pass, at any number of attributes."""
    for count in (5, 50, 500, 5_000):
        bits = sketch({mark_of("k", str(n)) for n in range(count)})
        assert [_in_sql(bits, [n]) for n in range(200)] == [may_have(bits, [n]) for n in range(200)]
        passed = sum(may_have(bits, [mark_of("other", str(n))]) for n in range(2_000))
        assert passed < 100
        assert len(bits) <= max(8, 10 * count // 4)


def test_too_many_to_tell_may_be_anything():
    """A chunk with too many attributes has no sketch, and is always looked into."""
    bits = sketch(range(MAX_MARKS + 1))
    assert bits == b""
    assert may_have(bits, [5])

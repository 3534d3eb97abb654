"""Filters over stretches of traces: nothing that is there is missed, and what is not there is not looked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np  # noqa: F401  so that its import is not in the first example's time
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.store import Query, SpanStore, pairs, sieve
from pea.store.database import UPGRADES, VERSION
from pea.store.sieve import Stretches, joined, passes, times_with
from pea.telemetry.record import Origin, SpanRecord

MARKS = st.integers(0, 2**32 - 1)
TIMES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**4)).map(lambda t: (t[0], t[0] + t[1])))
ORIGIN = Origin("shop", {"service.name": "shop"})


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        f"CREATE TABLE trace (id INTEGER PRIMARY KEY, trace_id BLOB, start_us INTEGER); {sieve.TABLE}"
    )
    yield connection
    connection.close()


@given(st.sets(MARKS, max_size=500))
def test_a_filter_misses_nothing(marks: set[int]):
    """What was put in passes, one by one and together."""
    bits = sieve.sieve(marks)
    assert passes(bits, marks)
    assert all(passes(bits, [mark]) for mark in marks)


def test_a_filter_lets_little_else_pass():
    """Of marks that were not put in, fewer than one in a hundred pass a full filter."""
    bits = sieve.sieve(range(0, 7 * sieve.FULL_MARKS, 7))
    assert sum(passes(bits, [mark]) for mark in range(10**6 + 1, 10**6 + 70_000, 7)) < 100


@given(TIMES, st.integers(1, 8))
def test_joined_times_cover_all_and_do_not_overlap(times: list[tuple[int, int]], at_most: int):
    """However few spans of time are left, each given one lies within one of them."""
    found = joined(sorted(times), at_most)
    assert len(found) <= at_most
    assert all(one[1] < other[0] for one, other in pairwise(found))
    assert all(any(first <= one[0] and one[1] <= last for first, last in found) for one in times)


def test_the_widest_gaps_stay():
    """Where spans must be joined, those nearest to each other are."""
    assert joined([(0, 1), (5, 6), (100, 101), (103, 110)], 2) == [(0, 6), (100, 110)]


@given(st.lists(st.tuples(st.integers(1, 50), st.sets(MARKS, min_size=1, max_size=5), st.booleans()), max_size=30))
def test_every_chunk_is_found_by_its_marks(chunks: list[tuple[int, set[int], bool]]):
    """Whatever was written in whatever order and stretches, its start is within the times that are looked through."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(sieve.TABLE)
    stretches = Stretches(db)
    for start, marks, closing in chunks:
        stretches.add(start, start, marks, [marks])
        stretches.finish(closing=closing)
    for start, marks, _ in chunks:
        assert any(first <= start <= last for first, last in times_with(db, list(marks), 0, 100))
    db.close()


def test_only_the_stretch_that_has_it_is_looked_through(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch):
    """A full stretch without the mark is left out, one with it and the one still open are not."""
    monkeypatch.setattr(sieve, "FULL_CHUNKS", 10)
    stretches = Stretches(db)
    for number in range(25):
        stretches.add(number, number, {number}, [[number]])
        stretches.finish()
    assert times_with(db, [3], 0, 100) == [(20, 24), (0, 9)]
    assert times_with(db, [999], 0, 100) == [(20, 24)]
    assert times_with(db, [999], 0, 15) == []


def test_too_many_marks_may_be_anything(db: sqlite3.Connection):
    """A stretch with a chunk whose attributes were too many to note is always looked through."""
    stretches = Stretches(db)
    stretches.add(1, 5, range(20_000), [])
    stretches.finish(closing=True)
    assert times_with(db, [99_999], 0, 10) == [(5, 5)]


def test_what_was_deleted_is_forgotten(db: sqlite3.Connection):
    """A filter goes with the last of its traces, not before."""
    stretches = Stretches(db)
    for number in (1, 2):
        stretches.add(number, number, {number}, [[number]])
        stretches.finish(closing=True)
    db.execute("INSERT INTO trace VALUES (2, x'02', 2)")
    sieve.forget_stretches(db)
    assert db.execute("SELECT high FROM sieve").fetchall() == [(2,)]


def test_a_pinned_trace_keeps_no_filter_but_its_own(db: sqlite3.Connection):
    """However old the trace that an alert shows, it is found, and the filters of all that came after it still go."""
    stretches = Stretches(db)
    for number in (1, 2, 3, 4):
        stretches.add(number, number * 10, {number}, [[number]])
        stretches.finish(closing=True)
    db.execute("INSERT INTO trace VALUES (1, x'01', 10), (4, x'04', 40)")
    sieve.forget_stretches(db, {b"\x01"})
    assert db.execute("SELECT high FROM sieve").fetchall() == [(1,), (4,)]
    assert times_with(db, [1], 0, 100) == [(10, 10)]


@pytest.fixture
def learned(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> Stretches:
    """Stretches of ten chunks, each with marks 1 and 2 on one span, 3 on another; the first tells what is common."""
    monkeypatch.setattr(sieve, "FULL_CHUNKS", 10)
    monkeypatch.setattr(pairs, "LEARN_CHUNKS", 1)
    monkeypatch.setattr(pairs, "_LOOK_BITS", 0)
    stretches = Stretches(db)
    for number in range(25):
        stretches.add(number, number, {1, 2, 3}, [[1, 2], [3]])
        stretches.finish()
    return stretches


def test_only_what_one_span_has_together_is_looked_for(db: sqlite3.Connection, learned: Stretches):
    """Once it is known what is common, even the stretch that is still open is left out."""
    assert times_with(db, [1, 2], 0, 100, [1, 2]) == [(0, 24)]
    assert times_with(db, [1, 3], 0, 100, [1, 3]) == [(0, 9)]
    assert times_with(db, [1, 3], 0, 100) == [(0, 24)]
    learned.add(25, 25, {1, 3}, [[1, 3]])
    learned.finish()
    assert times_with(db, [1, 3], 0, 100, [1, 3]) == [(20, 25), (0, 9)]


def test_what_is_common_is_known_to_the_next_writer(db: sqlite3.Connection, learned: Stretches):
    """After a restart or a rollback, whether the last stretch was closed or not, nothing need be learned anew."""
    again = Stretches(db)
    again.add(25, 25, {1, 2, 3}, [[1, 2], [3]])
    again.finish()
    assert times_with(db, [1, 3], 10, 100, [1, 3]) == []
    assert times_with(db, [1, 2], 10, 100, [1, 2]) == [(10, 25)]


def _named(number: int, **attributes: str) -> SpanRecord:
    return SpanRecord(
        trace_id=number, span_id=number, name="work", start_ns=number * 10**9, end_ns=number * 10**9 + 1,
        attributes=attributes, origin=ORIGIN, entry=True,
    )  # fmt: skip


@pytest.mark.parametrize("version", UPGRADES)
def test_a_file_of_a_version_before_is_taken_over(tmp_path: Path, version: int):
    """Its traces are still found by any attribute, and so are those that come after."""
    path = tmp_path / "spans.db"
    store = SpanStore(path)
    store.add([_named(number, colour=f"c{number}") for number in range(1, 6)])
    assert store.close()
    with sqlite3.connect(path) as db:
        before = "DROP TABLE sieve" if version == 5 else "ALTER TABLE sieve DROP COLUMN pairs"
        db.executescript(f"{before}; ALTER TABLE origin DROP COLUMN high; PRAGMA user_version = {version};")
    db.close()
    store = SpanStore(path)
    store.add([_named(9, colour="c9")])
    assert store.flush()
    found = {name: len(store.search(Query(attributes={"colour": name})).traces) for name in ("c1", "c5", "c9", "none")}
    assert found == {"c1": 1, "c5": 1, "c9": 1, "none": 0}
    assert store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    db.close()
    assert not list(tmp_path.glob("*.broken-*"))

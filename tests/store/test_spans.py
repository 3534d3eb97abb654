"""The span store: what is put can be found and read, within bounds, whatever happens to the file."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.config import Bytes, Seconds, StoreSettings
from pea.store import database, insert, pairs, sieve, writer
from pea.store import search as search_module
from pea.store import spans as spans_module
from pea.store.search import Found, Origins, Query, _fits, search
from pea.store.spans import SpanStore
from pea.telemetry.record import ERROR, LinkTo, Origin, SpanRecord, with_leaves
from tests.store.conftest import BANK, MS, SHOP, T0, span

MakeStore = Callable[..., SpanStore]


def traces(store: SpanStore, **query: object) -> list[int]:
    return [row.trace_id for row in store.search(Query(**query)).traces]


def put(store: SpanStore, *records: SpanRecord) -> None:
    store.add(records)
    assert store.flush()


def test_a_span_comes_back_as_it_went_in(store: SpanStore):
    """Every field survives; a leaf comes back as a child of its own."""
    record = span(
        1, 2, 0, kind=3, status=ERROR, message="no", attributes={"a": 1, "b": [1.5, True, None], "c": b"\x00"},
        events=[("gone", T0, {"why": "x"}, 0)], links=[LinkTo(7, 8, {"k": "v"})],
        leaves=[("cache.lookup l", T0, T0 + MS, {"pea.cache.hit": True})],
    )  # fmt: skip
    put(store, record)
    found, leaf = sorted(store.get(1), key=lambda one: one.parent_id)
    for field in ("span_id", "name", "kind", "status", "message", "start_ns", "end_ns", "origin", "entry", "links"):
        assert getattr(found, field) == getattr(record, field)
    assert dict(found.attributes) == record.attributes
    assert found.events == record.events
    assert (leaf.name, leaf.parent_id, leaf.attributes) == ("cache.lookup l", 2, {"pea.cache.hit": True})


odd_values = st.recursive(
    st.one_of(st.text(), st.just("\ud800"), st.integers(), st.floats(), st.booleans(), st.none(), st.binary()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(
    name=st.text() | st.just("\udfff"),
    attributes=st.dictionaries(st.text() | st.just("\ud800"), odd_values, max_size=4),
    start=st.integers(-(2**70), 2**70),
    end=st.integers(-(2**70), 2**70),
    service=st.text(),
)
def test_whatever_a_span_holds_is_stored(name: str, attributes: dict, start: int, end: int, service: str):
    """Odd texts, huge numbers, absurd times: the span is stored in the nearest form, and never breaks the writer."""
    with tempfile.TemporaryDirectory() as folder:
        store = SpanStore(Path(folder) / "spans.db", clock=lambda: 0.0)
        origin = type(SHOP)(service)
        record = SpanRecord(
            trace_id=5, span_id=6, name=name, start_ns=start, end_ns=end, attributes=attributes, origin=origin
        )
        store.rates.take([record])
        put(store, record)
        assert store.status().failures == 0, store.status().last_error
        assert len(store.get(5)) == 1
        assert traces(store) == [5]
        assert store.close()


words = st.sampled_from(["work", "wait", "pay"])
spans = st.builds(
    span,
    st.integers(1, 6),
    st.integers(1, 2**63),
    st.sampled_from([0, 1]),
    name=words,
    origin=st.sampled_from([SHOP, BANK]),
    status=st.sampled_from([0, ERROR]),
    kind=st.sampled_from([1, 2]),
    ms=st.integers(0, 6),
    attributes=st.dictionaries(st.sampled_from(["user.id", "plain"]), st.sampled_from(["x", "y", 3, True]), max_size=2),
)
queries = st.builds(
    Query,
    service=st.sampled_from(["", "shop", "bank", "none"]),
    operation=st.sampled_from(["", "work", "pay", "none"]),
    kind=st.sampled_from([0, 0, 2]),
    attributes=st.dictionaries(
        st.sampled_from(["user.id", "plain", "error", "host.name"]),
        st.sampled_from(["x", "3", "true", "one"]),
        max_size=2,
    ),
    shortest_ns=st.sampled_from([0, 0, 3 * MS]),
    longest_ns=st.sampled_from([0, 0, 2 * MS, 4 * MS]),
    error=st.sampled_from([None, None, True, False]),
    limit=st.sampled_from([2, 20]),
)


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(st.lists(spans, max_size=12), max_size=3),
    asked=st.lists(queries, min_size=3, max_size=8),
    counted=st.sampled_from([1, search_module.COUNTED]),
)
def test_a_search_finds_what_a_plain_scan_finds(batches: list[list[SpanRecord]], asked: list[Query], counted: int):
    """For any spans in any batches, the indexes give what looking at every span gives, newest first."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "COUNTED", counted)  # from how many traces on an attribute is common
        patch.setattr(sieve, "FULL_CHUNKS", 3)  # so that stretches end, and it is learned what is common
        patch.setattr(pairs, "LEARN_CHUNKS", 1)
        patch.setattr(pairs, "_LOOK_BITS", 0)
        store = SpanStore(Path(folder) / "spans.db", clock=lambda: T0 / 1e9)
        starts: dict[int, int] = {}
        every: list[SpanRecord] = []
        for batch in batches:
            put(store, *batch)
            for record in batch:
                starts.setdefault(record.trace_id, record.start_ns)
            every += batch
        for query in asked:
            fitting = {record.trace_id for record in with_leaves(every) if _fits(record, query)}
            expected = sorted(fitting, key=lambda trace: (starts[trace], trace), reverse=True)[: query.limit]
            found = store.search(query)
            assert [row.trace_id for row in found.traces] == expected
            assert found.complete
        store.close()


def test_a_trace_that_goes_on_is_one_trace(store: SpanStore):
    """Spans that come later widen the trace: its times, counts, services and root."""
    put(store, span(1, 2, 1, start_ns=T0 + 10 * MS, name="child"))
    put(store, span(1, 1, ms=50, start_ns=T0, name="root"), span(1, 3, 1, origin=BANK, status=ERROR))
    (row,) = store.search(Query(operation="root", service="shop")).traces
    assert (row.root_service, row.root_name, row.spans, row.errors) == ("shop", "root", 3, 1)
    assert (row.start_ns, row.end_ns) == (T0, T0 + 50 * MS)
    assert row.services == {"shop": (2, 0), "bank": (1, 1)}
    assert [record.span_id for record in store.get(1)] == [1, 3, 2]


def test_a_time_range_bounds_the_search(store: SpanStore):
    """Traces are found by when they started."""
    put(store, *(span(number, 1) for number in range(1, 10)))
    assert traces(store, start_ns=T0 + 3 * MS, end_ns=T0 + 5 * MS) == [5, 4, 3]


def test_traces_joined_only_by_links_are_found_joined(store: SpanStore):
    """A chain of three traces with a link from each to the one before is known from any of them."""
    put(store, span(1, 1), span(2, 1, links=[LinkTo(1, 1)]), span(3, 1, links=[LinkTo(2, 1)]), span(4, 1))
    assert [sorted(store.linked(trace)) for trace in (1, 2, 3, 4)] == [[2, 3], [1, 3], [1, 2], []]


def test_a_search_that_takes_too_long_says_so(store: SpanStore):
    """When its time is over a search gives what it has found, and that it is not all."""
    put(store, *(span(number, 1, attributes={"plain": "x"}) for number in range(1, 50)))
    ticks = iter(range(1_000))
    db = database.open_reader(store._path)
    query = Query(attributes={"plain": "x"})
    found = search(db, Origins(db), query, frozenset(), budget_s=3.0, clock=lambda: float(next(ticks)))
    assert not found.complete
    assert len(found.traces) < 20
    assert search(db, Origins(db), query, frozenset()).complete
    db.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"attributes": {"plain": "a", "user.id": "b"}}, 0),
        ({"attributes": {"plain": "a"}, "operation": "pay"}, 0),
        ({"attributes": {"user.id": "b"}, "operation": "work"}, 0),
        ({"attributes": {"plain": "a"}, "error": True}, 0),
        ({"attributes": {"plain": "a", "host.name": "one"}, "operation": "work"}, 20),
        ({"attributes": {"user.id": "b"}, "operation": "pay", "error": True}, 20),
        ({"attributes": {"kind": "leaf", "host.name": "one"}, "operation": "look"}, 20),
        ({"attributes": {"kind": "event", "plain": "a"}}, 20),
        ({"attributes": {"kind": "event", "user.id": "b"}}, 0),
    ],
)
def test_what_only_different_spans_have_is_not_looked_for(
    store: SpanStore, monkeypatch: pytest.MonkeyPatch, query: dict, found: int
):
    """Of what every trace has, but no span together, no chunk is opened; what one span has together is found."""
    monkeypatch.setattr(sieve, "FIRST_CHUNKS", 5)
    monkeypatch.setattr(pairs, "LEARN_CHUNKS", 1)
    monkeypatch.setattr(pairs, "_LOOK_BITS", 0)
    monkeypatch.setattr(search_module, "COUNTED", 10)
    for number in range(1, 60):
        work = span(
            number, 1, attributes={"plain": "a"}, events=[("said", T0, {"kind": "event"}, 0)],
            leaves=[("look", T0, T0 + MS, {"kind": "leaf"})],
        )  # fmt: skip
        put(store, work, span(number, 2, 1, name="pay", status=ERROR, attributes={"user.id": "b"}))
    since = T0 + 6 * MS  # what came before told what is common
    if not found:
        monkeypatch.setattr(search_module, "split", None)
    answer = store.search(Query(**query, start_ns=since))
    assert (len(answer.traces), answer.complete) == (found, True)


def test_durations_and_times_beyond_all_numbers_are_bounds_like_others(store: SpanStore):
    """What SQLite cannot hold is taken for the furthest that it can."""
    put(store, span(1, 1))
    assert traces(store, longest_ns=10**30, end_ns=10**30) == [1]
    assert traces(store, shortest_ns=10**30) == []
    assert traces(store, start_ns=10**30) == []


def test_an_answer_is_bounded(store: SpanStore, monkeypatch: pytest.MonkeyPatch):
    """Several traces together hold so many spans and no more; a single one is always given."""
    monkeypatch.setattr(spans_module, "MAX_ANSWER_SPANS", 5)
    for trace in (1, 2, 3):
        put(store, *(span(trace, number) for number in range(1, 4 + trace)))
    assert [len(found) for found in store.get_many([1, 2, 3])] == [4]
    assert [len(found) for found in store.get_many([3, 1])] == [6]
    assert store.get_many([]) == []


def test_services_operations_and_dependencies(store: SpanStore):
    """Names are listed with the kinds of their spans; calls between services and agents are counted."""
    put(
        store,
        span(1, 1, name="serve", kind=2),
        span(1, 2, 1, name="invoke_agent a", attributes={"gen_ai.agent.name": "a"}),
        span(1, 3, 2, name="inner"),
        span(1, 4, 3, name="pay", kind=2, origin=BANK),
    )
    assert store.services() == ["bank", "shop"]
    assert [(one.name, one.kind) for one in store.operations("shop")] == [
        ("inner", "internal"),
        ("invoke_agent a", "internal"),
        ("serve", "server"),
    ]
    assert [one.name for one in store.operations("shop", "server")] == ["serve"]
    assert [(one.parent, one.child, one.calls) for one in store.dependencies(0, 0)] == [
        ("shop", "shop · a", 1),
        ("shop · a", "bank", 1),
    ]


def test_operations_beyond_the_bound_are_still_found(store: SpanStore, monkeypatch: pytest.MonkeyPatch):
    """Names are bounded: what is beyond shares one name in the index, and a search looks at the spans."""
    monkeypatch.setattr(insert, "MAX_OPERATIONS", 5)
    put(store, *(span(number, 1, name=f"user {number}") for number in range(1, 30)))
    assert len(store.operations("shop")) <= 6
    assert traces(store, service="shop", operation="user 29") == [29]
    assert traces(store, service="shop", operation="user 2") == [2]


def test_names_beyond_every_bound_are_still_found(store: SpanStore, monkeypatch: pytest.MonkeyPatch):
    """A service that found no name of its own is searched for among all that found none, with and without a service."""
    monkeypatch.setattr(insert, "MAX_NAMES", 6)
    origins = [Origin(f"service {number}") for number in range(9)]
    put(store, *(span(number + 1, 1, name=f"do {number}", origin=origins[number]) for number in range(9)))
    assert traces(store, service="service 8", operation="do 8") == [9]
    assert traces(store, service="service 8") == traces(store, operation="do 8") == [9]
    assert traces(store, operation="do 0") == [1]


@pytest.mark.parametrize(
    "query",
    [
        {"operation": "nothing"},
        {"operation": "work", "kind": 4},
        {"service": "shop", "kind": 4},
        {"kind": 4},
        {"service": "none"},
    ],
)
def test_what_no_name_has_is_answered_without_a_look_at_any_span(
    store: SpanStore, monkeypatch: pytest.MonkeyPatch, query: dict
):
    """An operation or a kind of span that nobody has costs the same, however much is stored."""
    put(store, *(span(number, 1, kind=2) for number in range(1, 30)))
    monkeypatch.setattr(search_module, "split", None)
    assert store.search(Query(**query)) == Found(())


def test_an_operation_of_many_services_is_found_in_all(store: SpanStore):
    """Up to a few services their entries are merged, beyond that all traces are looked at: the same is found."""
    origins = [Origin(f"service {number % 20}") for number in range(40)]
    kinds = [2 if number % 2 else 3 for number in range(40)]
    put(store, *(span(n + 1, 1, name=f"do {n % 20 // 18}", origin=origins[n], kind=kinds[n]) for n in range(40)))
    assert traces(store, operation="do 0") == [n + 1 for n in reversed(range(40)) if n % 20 < 18][:20]
    assert traces(store, operation="do 1") == [40, 39, 20, 19]
    assert traces(store, operation="do 1", kind=2) == [40, 20]
    assert traces(store, operation="do 1", limit=3) == [40, 39, 20]


def test_the_oldest_go_when_the_bytes_are_used_up(make_store: MakeStore):
    """Past the bound the oldest traces are deleted, with every trace of them in the indexes."""
    store = make_store(size=Bytes(1 << 20), age=Seconds(1e9))
    for start in range(1, 3_000, 300):
        noise = [os.urandom(400) for _ in range(300)]
        put(store, *(span(start + n, 1, attributes={"noise": noise[n], "user.id": str(n)}) for n in range(300)))
        assert store.writer.trim()
    assert store.status().used_bytes <= 1 << 20
    assert store.status().deleted_traces > 0
    found = traces(store, limit=5_000)
    assert found[0] == 3_000
    assert 500 < len(found) < 3_000
    with sqlite3.connect(store._path) as db:
        for table in ("entry", "tag", "chunk"):
            orphans = db.execute(f"SELECT count(*) FROM {table} WHERE trace NOT IN (SELECT id FROM trace)").fetchone()
            assert orphans == (0,)
    db.close()


def test_a_pinned_trace_outlives_both_bounds(make_store: MakeStore):
    """What an alert shows can be opened though younger traces had to go; without others it goes too."""
    now = [T0 / 1e9]
    store = make_store(size=Bytes(1 << 20), age=Seconds(3_600), clock=lambda: now[0])
    store.pin(1)
    put(store, span(1, 1), span(2, 1))
    now[0] += 3_700
    assert store.writer.trim()
    assert traces(store) == [1]
    start_ns = int(now[0] * 1e9)
    for start in range(3, 3_003, 300):
        put(
            store,
            *(span(start + n, 1, start_ns=start_ns, attributes={"noise": os.urandom(400)}) for n in range(300)),
        )
        assert store.writer.trim()
    assert store.status().used_bytes <= 1 << 20
    found = traces(store, limit=5_000)
    assert 1 in found
    assert 3 not in found


def test_pinned_twice_is_pinned_once(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch):
    """An alert that shows one trace again and again lets go of no other's."""
    monkeypatch.setattr(writer, "PINS", 2)
    now = [T0 / 1e9]
    store = make_store(age=Seconds(3_600), clock=lambda: now[0])
    for trace in (1, 2, 2, 2):
        store.pin(trace)
    put(store, span(1, 1), span(2, 1), span(3, 1))
    now[0] += 3_700
    assert store.writer.trim()
    assert traces(store) == [2, 1]


def test_origins_go_with_the_last_trace_that_refers_to_them(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch):
    """Processes that come and go leave nothing behind, but for what a pinned trace and those to come refer to."""
    monkeypatch.setattr(writer, "NAMES_EVERY_S", -1.0)
    monkeypatch.setattr(insert, "_IN_USE_FOR", 0)
    now = [T0 / 1e9]
    store = make_store(age=Seconds(3_600), clock=lambda: now[0])
    origins = [Origin("shop", {"process.pid": number}) for number in range(20)]
    store.pin(3)
    put(store, *(span(number, 1, origin=origins[number]) for number in range(1, 20)))
    assert len(store.get(3)) == 1
    now[0] += 3_700
    start_ns = int(now[0] * 1e9)
    put(store, span(50, 1, start_ns=start_ns), span(51, 1, start_ns=start_ns, origin=origins[1]))
    assert store.writer.trim()
    assert store.writer.trim()
    assert traces(store) == [51, 50, 3]
    with sqlite3.connect(store._path) as db:
        assert db.execute("SELECT count(*) FROM origin").fetchone() == (3,)
    db.close()
    put(store, span(52, 1, start_ns=start_ns, origin=origins[5]), span(53, 1, start_ns=start_ns, origin=origins[3]))
    told = {number: store.get(number)[0].origin.resource.get("process.pid") for number in (3, 50, 51, 52, 53)}
    assert told == {3: 3, 50: None, 51: 1, 52: 5, 53: 3}


def test_a_damaged_pinned_trace_does_not_keep_others_origins(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch):
    """What cannot be read refers to nothing: the clean-up goes on."""
    monkeypatch.setattr(writer, "NAMES_EVERY_S", -1.0)
    monkeypatch.setattr(insert, "_IN_USE_FOR", 0)
    now = [T0 / 1e9]
    store = make_store(age=Seconds(3_600), clock=lambda: now[0])
    store.pin(3)
    put(store, *(span(number, 1, origin=Origin("shop", {"process.pid": number})) for number in range(1, 20)))
    with sqlite3.connect(store._path) as db:
        db.execute("UPDATE chunk SET data = x'00' WHERE trace = (SELECT min(id) FROM trace)")
    db.close()
    now[0] += 3_700
    put(store, span(50, 1, start_ns=int(now[0] * 1e9)))
    store.pin(1)
    assert store.writer.trim()
    assert store.writer.trim()
    assert set(traces(store)) == {50, 3, 1}
    with sqlite3.connect(store._path) as db:
        assert db.execute("SELECT count(*) FROM origin").fetchone() == (2,)
    db.close()


def test_the_old_go_when_their_time_has_come(make_store: MakeStore):
    """Traces past their age are deleted; younger ones stay."""
    now = [T0 / 1e9]
    store = make_store(age=Seconds(3_600), clock=lambda: now[0])
    put(store, span(1, 1), span(2, 1, start_ns=T0 + 3_000 * 1_000 * MS))
    now[0] += 3_700
    assert store.writer.trim()
    assert traces(store) == [2]


def test_a_full_disk_costs_what_is_new_and_nothing_else(make_store: MakeStore):
    """When SQLite finds no room, spans are counted as dropped, reading goes on, and writing does when there is room."""
    store = make_store(age=Seconds(1e9))
    put(store, span(1, 1))
    pages = store.writer._db.execute("PRAGMA page_count").fetchone()[0]
    store.writer._db.execute(f"PRAGMA max_page_count = {pages}")
    put(store, *(span(number, 1, attributes={"noise": os.urandom(2_000)}) for number in range(2, 400)))
    status = store.status()
    assert status.dropped > 0
    assert "full" in status.last_error
    store.search(Query())
    store.writer._db.execute("PRAGMA max_page_count = 100000")
    put(store, span(1_000, 1))
    assert traces(store)[0] == 1_000


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_spans(make_store: MakeStore, tmp_path: Path):
    """When the file cannot be made, recording is counted as dropped and reading finds nothing, at once."""
    (tmp_path / "taken").write_text("a file where the folder should be")
    store = make_store(tmp_path / "taken" / "spans.db")
    put(store, span(1, 1))
    assert traces(store) == []
    assert store.status().dropped == 1
    assert "NotADirectoryError" in store.status().last_error or "FileExistsError" in store.status().last_error


@pytest.mark.parametrize("damage", ["text", "middle", "version", "empty tables"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(make_store: MakeStore, tmp_path: Path, damage: str):
    """Whatever is wrong with the file, recording goes on in a new one and the old one is kept for who wants to look."""
    path = tmp_path / "damaged.db"
    first = SpanStore(path)
    put(first, *(span(number, 1, attributes={"noise": os.urandom(500)}) for number in range(1, 500)))
    first.close()
    if damage == "text":
        path.write_bytes(b"not a database at all, " * 1_000)
    elif damage == "middle":
        data = bytearray(path.read_bytes())
        data[database.PAGE_BYTES : len(data) - database.PAGE_BYTES] = random.Random(1).randbytes(
            len(data) - 2 * database.PAGE_BYTES
        )
        path.write_bytes(data)
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99" if damage == "version" else "DROP TABLE trace")
        db.close()
    store = make_store(path)
    for number in range(1, 4):
        store.search(Query())
        put(store, span(number, 1))
    put(store, span(9, 1))
    assert 9 in traces(store)
    assert list(tmp_path.glob("damaged.db.broken-*"))


WRITER = """
import sys, pathlib
from pea.store.spans import SpanStore
from tests.store.conftest import span
store = SpanStore(pathlib.Path(sys.argv[1]))
for number in range(1, 10**9):
    store.add([span(number, 1, attributes={"n": number})])
    if number % 100 == 0:
        store.flush()
        print(number, flush=True)
"""


def test_what_was_written_survives_kill_9(make_store: MakeStore, tmp_path: Path):
    """After SIGKILL in the middle of writing, all that had been flushed is there and the file is whole."""
    path = tmp_path / "killed.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        flushed = 0
        while flushed < 1_000:
            flushed = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    store = make_store(path, age=Seconds(1e9))
    found = traces(store, limit=5_000)
    assert set(range(1, flushed + 1)) <= set(found)
    assert store.status().set_aside == 0
    assert all(store.get(trace)[0].attributes == {"n": trace} for trace in found[:50])


def test_too_much_waiting_is_dropped_and_counted(make_store: MakeStore):
    """What finds no room before the writer is counted; nothing grows without bound."""
    store = make_store(waiting=Bytes(5_000))
    store.writer._open = lambda: (_ for _ in ()).throw(sqlite3.OperationalError("locked"))
    for number in range(1, 200):
        store.add([span(number, 1, attributes={"noise": "x" * 1_000})])
    status = store.status()
    assert status.waiting_bytes <= 5_000
    assert status.dropped > 0


def test_a_burst_far_beyond_the_bound_is_written_and_the_oldest_go(tmp_path: Path):
    """Many times the bound at once, in traces of all sizes: all of it is written in turn, nothing is dropped."""
    store = SpanStore(tmp_path / "burst.db", StoreSettings(size=Bytes(1 << 20), age=Seconds(1e10)))
    store.flush()
    noise = random.Random(1)
    with store.writer._lock:  # the writer comes to its next batch when all of it waits
        for number in range(1, 300):
            draft = store.draft(number)
            for place in range(noise.choice((1, 1, 60))):
                draft.add(span(number, place + 1, attributes={"noise": noise.randbytes(1_000).hex()}))
            store.writer._waiting += draft.size_bytes
            store.writer._queue.append(draft)
    assert store.flush(60)
    status = store.status()
    assert (status.dropped, status.failures, status.traces) == (0, 0, 299)
    assert status.deleted_traces > 100
    assert 299 in traces(store)
    assert (tmp_path / "burst.db").stat().st_size <= (1 << 20) + (4 << 20)
    assert store.close()

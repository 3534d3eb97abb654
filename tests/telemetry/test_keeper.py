"""The trace keeper: whole traces are kept or passed by, within bounds, and a pin reaches back."""

from __future__ import annotations

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pea.config import Bytes, KeeperSettings, Seconds
from pea.telemetry.keeper import Keeper
from pea.telemetry.keeper_policy import Ended, FirstReason, KeepErrors, SlowerThan, SlowForItsRoot, SteadyShare
from pea.telemetry.record import ERROR, Origin, SpanRecord

ORIGIN = Origin("test")
MS = 1_000_000


class ListDraft:
    """Gathers records as they are; each counts a hundred bytes."""

    def __init__(self, trace_id: int) -> None:
        self.trace_id = trace_id
        self.records: list[SpanRecord] = []
        self.spans = 0
        self.size_bytes = 0

    def add(self, record: SpanRecord) -> None:
        self.records.append(record)
        self.spans += 1
        self.size_bytes += 100


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def span(
    trace: int,
    number: int = 1,
    parent: int = 0,
    *,
    ms: int = 1,
    status: int = 0,
    name: str = "task",
    remote: bool = False,
) -> SpanRecord:
    return SpanRecord(
        trace_id=trace,
        span_id=number,
        parent_id=parent,
        name=name,
        start_ns=10**18,
        end_ns=10**18 + ms * MS,
        status=status,
        origin=ORIGIN,
        entry=remote or not parent,
    )


class Desk:
    """A keeper with its sink and clock."""

    def __init__(self, **settings: object) -> None:
        self.clock = Clock()
        self.kept: dict[int, list[int]] = {}
        policy = {"policy": "tail", "slow_quantile": 0.0, "per_second": 0.0, **settings}
        self.keeper: Keeper[ListDraft] = Keeper(ListDraft, self.sink, KeeperSettings(**policy), clock=self.clock)

    def sink(self, draft: ListDraft) -> None:
        self.kept.setdefault(draft.trace_id, []).extend(record.span_id for record in draft.records)

    def take(self, *records: SpanRecord) -> Desk:
        self.keeper.take(records)
        self.keeper.settle()
        return self


def test_a_trace_waits_for_its_root_and_is_kept_whole():
    """An error in a child keeps all spans of the trace, and only once the root has ended."""
    desk = Desk().take(span(1, 2, 1, status=ERROR), span(1, 3, 1))
    assert desk.kept == {}
    desk.take(span(1, 1))
    assert desk.kept == {1: [2, 3, 1]}


def test_a_healthy_trace_is_passed_by_and_a_pin_fetches_it_back():
    """What is not kept stays in the ring for a while: pinning it keeps it whole."""
    desk = Desk().take(span(1, 2, 1), span(1, 1))
    assert desk.kept == {}
    assert desk.keeper.pin(1)
    desk.keeper.settle()
    assert desk.kept == {1: [2, 1]}
    assert desk.keeper.status().passed_bytes == 0


@pytest.mark.parametrize("failed", [True, False])
def test_late_spans_follow_their_traces_decision(failed: bool):
    """A span that comes after its root has ended is kept if and only if its trace was."""
    desk = Desk().take(span(1, 1, status=ERROR if failed else 0)).take(span(1, 2, 1, status=ERROR))
    assert desk.kept == ({1: [1, 2]} if failed else {})
    assert desk.keeper.status().late == 1


def test_a_pin_before_the_end_keeps_whatever_the_policy_says():
    """A pinned open trace is kept; a pin for a trace that has not come is remembered."""
    desk = Desk().take(span(1, 2, 1))
    assert desk.keeper.pin(1)
    assert not desk.keeper.pin(2)
    desk.take(span(1, 1), span(2, 1))
    assert set(desk.kept) == {1, 2}


def test_a_trace_whose_root_never_ends_is_decided_by_age():
    """After the wait a trace is decided with what has come of it."""
    desk = Desk(wait=Seconds(30)).take(span(1, 2, 1, status=ERROR))
    desk.clock.now += 31
    desk.take()
    assert desk.kept == {1: [2]}
    assert desk.keeper.status().hurried == 1


def test_a_part_of_another_programs_trace_lingers():
    """When the parent is remote, the trace may still grow for a while after its part here has ended."""
    desk = Desk(linger=Seconds(2)).take(span(1, 2, 9, remote=True))
    desk.clock.now += 1
    desk.take(span(1, 3, 9, status=ERROR))
    assert desk.kept == {}
    desk.clock.now += 2
    desk.take()
    assert desk.kept == {1: [2, 3]}


def test_keeping_all_waits_for_nothing():
    """With the default policy spans go out at every settle: a crash costs one drain interval."""
    desk = Desk(policy="all").take(span(1, 2, 1))
    assert desk.kept == {1: [2]}
    desk.take(span(1, 1))
    assert desk.kept == {1: [2, 1]}
    assert desk.keeper.status().late == 0
    assert desk.keeper.status().kept == 1


def test_a_runaway_trace_is_cut_and_counted():
    """A trace keeps its first spans; the rest are counted as left out."""
    desk = Desk(spans=3).take(*(span(1, number, 1, status=ERROR) for number in range(2, 12)), span(1, 1))
    assert desk.kept == {1: [2, 3, 4]}
    assert desk.keeper.status().left_out == 8


def test_slow_is_measured_against_the_same_root():
    """A trace is slow when it is beyond the quantile of its own root's recent ones."""
    policy = SlowForItsRoot(0.95)
    for ms in range(100):
        policy(Ended("quick", (10 + ms % 10) * MS, False))
        policy(Ended("slow", (1_000 + ms % 10) * MS, False))
    assert policy(Ended("quick", 30 * MS, False))
    assert not policy(Ended("slow", 1_001 * MS, False))
    assert not policy(Ended("new", 10**12, False))


@pytest.mark.parametrize("rate", [1, 50, 2_000])
def test_the_random_share_is_steady_at_every_rate(rate: int):
    """About ten traces a second pass, however many there are, spread over the second."""
    clock = Clock()
    drawn = iter(range(10**9))
    share = SteadyShare(10, clock, lambda: (next(drawn) * 0.6180339887) % 1)
    kept = 0
    for _ in range(30):
        clock.now += 1
        kept += sum(share(Ended("task", 0, False)) is not None for _ in range(rate))
    expected = 30 * min(rate, 10)
    assert expected * 0.8 <= kept <= expected * 2


def test_each_policy_sees_every_trace():
    """The first reason counts, but those behind it still learn from the trace."""
    seen = SlowForItsRoot(0.95)
    policy = FirstReason(KeepErrors(), SlowerThan(1.0), seen)
    for _ in range(30):
        assert policy(Ended("task", MS, True)) == "error"
    assert policy(Ended("task", 2 * MS, False)) == "slow for its root"
    assert policy(Ended("task", 2_000 * MS, False)) == "slow"


class KeeperMachine(RuleBasedStateMachine):
    """Random spans, pins and time against a model that remembers every span."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(traces=5, spans=4, passed_traces=3, passed_size=Bytes(900), wait=Seconds(10))
        self.sent: dict[int, list[int]] = {}
        self.number = 100

    @rule(
        trace=st.integers(1, 12),
        root=st.booleans(),
        failed=st.booleans(),
        remote=st.booleans(),
        settle=st.booleans(),
    )
    def end_span(self, trace: int, root: bool, failed: bool, remote: bool, settle: bool) -> None:
        self.number += 1
        record = span(trace, self.number, 0 if root else 7, status=ERROR if failed else 0, remote=remote)
        self.sent.setdefault(trace, []).append(self.number)
        self.desk.keeper.take([record])
        if settle:
            self.desk.keeper.settle()

    @rule(trace=st.integers(1, 12))
    def pin(self, trace: int) -> None:
        self.desk.keeper.pin(trace)

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.desk.clock.now += seconds
        self.desk.keeper.settle()

    @invariant()
    def nothing_is_invented_or_doubled(self) -> None:
        for trace, numbers in self.desk.kept.items():
            assert len(set(numbers)) == len(numbers)
            assert set(numbers) <= set(self.sent.get(trace, ()))

    @invariant()
    def bounds_hold(self) -> None:
        status = self.desk.keeper.status()
        assert status.open_traces <= 5
        assert status.passed_held <= 3
        assert status.passed_bytes <= 900
        assert status.passed_bytes == sum(d.size_bytes for d in self.desk.keeper._passed.values())
        assert status.open_bytes == sum(held.draft.size_bytes for held in self.desk.keeper._open.values())

    def teardown(self) -> None:
        self.desk.keeper.close()
        assert self.desk.keeper.status().open_traces == 0


KeeperMachine.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
TestKeeperMachine = KeeperMachine.TestCase

"""Admission: who is let in, whose turn it is, what is refused and why, and how many run at once."""

from __future__ import annotations

import heapq

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.config import RuntimeSettings
from pea.errors import Overloaded
from pea.runtime import Priority
from pea.runtime.policy.admission import ROOM, Admission, Place
from pea.runtime.policy.concurrency import WINDOW, ConcurrencyLimit
from pea.runtime.policy.fairness import MAX_FLOWS, FairTags


def door(**changes: object) -> Admission:
    """An admission with some settings changed."""
    return Admission(msgspec.structs.replace(RuntimeSettings(), **changes))  # type: ignore[arg-type]


def learn(admission: Admission, capability: str, seconds: float, count: int = 20) -> None:
    """Let tasks of a capability take so long."""
    for _ in range(count):
        admission.started()
        admission.ended(capability, seconds, succeeded=True)


def fill(admission: Admission, count: int, priority: Priority = Priority.NORMAL) -> list[Place]:
    """Let so many tasks wait."""
    return [admission.enqueue("x.y", "x.y", priority) for _ in range(count)]


@pytest.mark.parametrize("priority", list(Priority))
def test_lower_priorities_are_refused_earlier(priority: Priority) -> None:
    """As the queue fills, low goes first and critical last; each is told when to come back."""
    admission = door(queue=100)
    room = int(ROOM[priority] * 100)
    fill(admission, room - 1)
    admission.check("x.y", priority, None)
    fill(admission, 1)
    with pytest.raises(Overloaded, match="tasks are waiting") as refused:
        admission.check("x.y", priority, None)
    assert refused.value.retry_after_s >= 1.0
    assert admission.refused == {(priority, "full"): 1}


def test_what_cannot_meet_its_deadline_is_refused_at_once() -> None:
    """A hundred tasks of 100 ms at ten places are a second's wait: half a second is refused, two are not."""
    admission = door(concurrency=10, adaptive_concurrency=False)
    learn(admission, "x.y", 0.1)
    fill(admission, 100)
    admission.check("x.y", Priority.NORMAL, 2.0)
    with pytest.raises(Overloaded, match=r"it would end in about 1\.1 s, after its deadline of 0\.5 s"):
        admission.check("x.y", Priority.NORMAL, 0.5)


def test_a_higher_priority_does_not_count_those_behind_it() -> None:
    """A hundred normal tasks are nothing to a high one."""
    admission = door(concurrency=10, adaptive_concurrency=False)
    learn(admission, "x.y", 0.1)
    fill(admission, 100)
    admission.check("x.y", Priority.HIGH, 0.5)


def test_nothing_is_refused_for_its_deadline_while_nobody_waits() -> None:
    """Else a capability that was slow once could never show that it no longer is."""
    admission = door()
    learn(admission, "x.y", 10.0)
    admission.check("x.y", Priority.NORMAL, 0.1)


def test_shedding_refuses_the_lower_priorities_while_tasks_wait() -> None:
    """The watcher of the objectives says below which priority; an empty queue refuses nobody."""
    admission = door()
    admission.shed_below = Priority.NORMAL
    admission.check("x.y", Priority.LOW, None)
    fill(admission, 1)
    with pytest.raises(Overloaded, match="refused until the objectives are met"):
        admission.check("x.y", Priority.LOW, None)
    admission.check("x.y", Priority.NORMAL, None)


def test_places_are_kept_for_the_critical() -> None:
    """With all places taken, a crisis still starts at once."""
    admission = door(concurrency=2, critical_reserve=1)
    for _ in range(2):
        assert admission.goes_at_once(Priority.NORMAL)
        admission.started()
    assert not admission.goes_at_once(Priority.HIGH)
    assert admission.goes_at_once(Priority.CRITICAL)
    admission.started()
    assert not admission.goes_at_once(Priority.CRITICAL)


def test_one_flow_does_not_hold_up_another() -> None:
    """Behind a thousand tasks of one caller, another's first is next."""
    admission = door()
    many = [(admission.enqueue("x.y", "busy", Priority.NORMAL), "busy") for _ in range(1_000)]
    line = [*many, (admission.enqueue("x.y", "other", Priority.NORMAL), "other")]
    assert [flow for _, flow in sorted(line)].index("other") == 1


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(list(Priority)), st.floats(0.001, 2.0)),
        min_size=1,
        max_size=60,
    )
)
def test_priorities_then_shares_of_time(tasks: list[tuple[str, Priority, float]]) -> None:
    """A higher priority always goes first; while two flows wait, their service differs by at most one task each."""
    admission = door()
    heap = []
    for flow, priority, cost in tasks:
        learn(admission, flow, cost, 1)
        place = admission.enqueue(flow, flow, priority)
        heapq.heappush(heap, (place, flow))
    assert admission.waiting == len(tasks)
    served: dict[str, float] = {}
    behind = None
    while heap:
        place, flow = heapq.heappop(heap)
        if behind != place.behind:
            assert behind is None or place.behind > behind
            behind, served = place.behind, {}
        admission.dequeue(place, starts=True)
        waiting = {other for one, other in heap if one.behind == behind}
        dearest = {name: max(one.cost_s for one, other in [(place, flow), *heap] if other == name) for name in waiting}
        for other in waiting - {flow}:
            # The bound of the paper's theorem 1: one task of each.
            slack = place.cost_s + dearest[other] + 1e-9
            assert served.get(flow, 0.0) - served.get(other, 0.0) <= slack + max(dearest.values())
        served[flow] = served.get(flow, 0.0) + place.cost_s
    assert admission.waiting == 0


def test_flows_are_bounded() -> None:
    """A million callers are not a million entries."""
    tags = FairTags()
    for number in range(5 * MAX_FLOWS):
        tags.tag(str(number), 1.0)
        assert len(tags._finish) <= MAX_FLOWS


def run(limit: ConcurrencyLimit, windows: int, latency: object) -> None:
    """Windows of tasks at the limit; ``latency`` gives the seconds of one at a number that run."""
    for _ in range(windows * WINDOW):
        limit.ended("x.y", latency(limit.limit), limit.limit)  # type: ignore[operator]


def test_tasks_that_only_wait_run_all_at_once() -> None:
    """Latency that does not grow with concurrency lets the limit grow to its most."""
    limit = ConcurrencyLimit(200, 4)
    limit.ended("x.y", 0.05, 1)
    run(limit, 60, lambda running: 0.05)
    assert limit.limit == 200


def test_tasks_that_compete_run_few_at_once() -> None:
    """Latency that grows with concurrency brings the limit down, within two seconds' worth of tasks."""
    limit = ConcurrencyLimit(200, 4)
    limit.ended("x.y", 0.05, 1)
    run(limit, 20, lambda running: 0.05 * running)
    assert limit.limit <= 6


def test_what_lasts_is_the_new_normal() -> None:
    """When everything has become ten times slower for other reasons, the limit comes back."""
    limit = ConcurrencyLimit(64, 4)
    limit.ended("x.y", 0.05, 1)
    run(limit, 20, lambda running: 0.5)
    assert limit.limit == 4
    run(limit, 200, lambda running: 0.5)
    assert limit.limit == 64


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 1e6), st.integers(1, 300)), max_size=300))
def test_the_limit_stays_within_its_bounds(tasks: list[tuple[str, float, int]]) -> None:
    """Whatever is measured."""
    limit = ConcurrencyLimit(100, 5)
    for name, seconds, running in tasks:
        limit.ended(name, seconds, running)
        assert 5 <= limit.limit <= 100


def test_not_adaptive_is_what_the_setting_says() -> None:
    """A fixed limit does not move."""
    limit = ConcurrencyLimit(64, 4, adaptive=False)
    run(limit, 10, lambda running: 0.05 * running)
    assert limit.limit == 64


def test_the_reckoning_learns_from_how_long_tasks_really_waited() -> None:
    """When others go before them, tasks wait longer than reckoned: the next is refused for it, and later is not."""
    now = [0.0]
    settings = RuntimeSettings(concurrency=10, adaptive_concurrency=False)
    admission = Admission(settings, lambda: now[0])
    learn(admission, "x.y", 0.1)
    fill(admission, 10)
    admission.check("x.y", Priority.NORMAL, 0.5)
    for _ in range(60):  # each expects a tenth of a second and more, and waits four times that
        place = admission.enqueue("x.y", "x.y", Priority.NORMAL)
        now[0] += 4 * place.expected_s
        admission.dequeue(place, starts=True)
    with pytest.raises(Overloaded, match="after its deadline"):
        admission.check("x.y", Priority.NORMAL, 0.4)
    for _ in range(60):
        place = admission.enqueue("x.y", "x.y", Priority.NORMAL)
        now[0] += place.expected_s
        admission.dequeue(place, starts=True)
    admission.check("x.y", Priority.NORMAL, 0.4)


def test_a_crisis_is_tried_in_any_case() -> None:
    """An estimate refuses nobody whose matter is critical; only a full queue does."""
    admission = door(concurrency=1, adaptive_concurrency=False)
    learn(admission, "x.y", 10.0)
    fill(admission, 5, Priority.CRITICAL)
    admission.check("x.y", Priority.CRITICAL, 0.1)

"""Spans become columns whatever they say of themselves, and self time is what no child covers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea.telemetry import names as n
from pea.telemetry.provider import TracerProvider
from pea.telemetry.record import ERROR, Inlet, Origin, SpanRecord
from pea.watch import cause_columns
from pea.watch.cause import rank_causes
from pea.watch.cause_columns import MAX_DURATION_NS, OTHER, TraceColumns, columns
from pea.watch.cause_evidence import Sign
from pea.watch.cause_profile import Edge, measure, self_times
from pea.watch.cause_words import explain

PEA, SHOP = Origin("pea"), Origin("shop")
DAY_NS = 86_400 * 10**9


def span(span_id, parent_id=0, start=0, end=10, *, name="step x", origin=PEA, trace_id=1, **more):
    return SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        start_ns=start,
        end_ns=end,
        origin=origin,
        **more,
    )


def owners(table: TraceColumns) -> list[str]:
    return [table.places[at].who for at in table.place]


def operations(table: TraceColumns) -> list[str]:
    return [table.places[at].operation for at in table.place]


def test_a_span_belongs_to_the_nearest_agent_above_it_in_its_service():
    """A step has its agent, a call to another agent that one's, what another service does is its own."""
    table = columns(
        [
            [
                span(1, name="task a.b"),
                span(2, 1, name="invoke_agent a", attributes={n.GEN_AI_AGENT_NAME: "a", n.PEA_CAPABILITY: "a.b"}),
                span(3, 2),
                span(4, 3, name="invoke_agent c", attributes={n.GEN_AI_AGENT_NAME: "c"}),
                span(5, 4),
                span(6, 5, origin=SHOP, name="GET /"),
            ]
        ]
    )
    assert owners(table) == ["pea", "a", "a", "c", "c", "shop"]
    assert operations(table) == ["task a.b", "a.b", "step x", "invoke_agent c", "step x", "GET /"]


def test_tiers_and_addresses_are_places_of_their_own():
    """A lookup answered by another tier, and a call to another host, are other places; leaves are spans."""
    parent = span(1, leaves=[("cache.lookup results", 1, 2, {n.PEA_CACHE_TIER: "l3"}), ("queue.wait", 0, 1, None)])
    call = span(2, 1, name="connector imap", kind=3, attributes={n.SERVER_ADDRESS: "mail.example"})
    assert operations(columns([[parent, call]])) == [
        "step x",
        "cache.lookup results l3",
        "queue.wait",
        "connector imap mail.example",
    ]


def test_spans_that_contradict_themselves_are_put_right():
    """Repeated ids, own parents, circles, missing parents, negative and endless times: none breaks it."""
    table = columns(
        [
            [
                span(1, 1),
                span(1, 1, name="again"),
                span(2, 3, start=50, end=20),
                span(3, 2),
                span(4, 99, start=-5, end=1 << 80),
                span(5, 4, start=1 << 70, end=(1 << 70) + 5, status=ERROR, attributes={n.ERROR_TYPE: 7}),
                span(6, name="x" * 10_000),
            ]
        ]
    )
    assert len(table) == 6
    assert table.parent.tolist() == [-1, 2, 1, -1, 3, -1]
    assert table.duration[1] == 0
    assert table.duration[3] == MAX_DURATION_NS
    assert table.start.min() >= 0
    assert table.error_types == ("", "error")
    assert max(map(len, operations(table))) == cause_columns.MAX_WORD
    assert (self_times(table) >= 0).all()
    assert rank_causes(table, table) == []


def test_windows_are_bounded(monkeypatch):
    """Traces beyond the limit are left out whole and counted; names without end share one place an agent."""
    monkeypatch.setattr(cause_columns, "MAX_SPANS", 30)
    monkeypatch.setattr(cause_columns, "MAX_PLACES", 5)
    table = columns(
        [[span(at * 10 + k, trace_id=at, name=f"step {at}.{k}") for k in range(1, 5)] for at in range(1, 11)]
    )
    assert len(table) == 28
    assert table.left_out == 12
    assert len(table.places) <= 6
    assert operations(table).count(OTHER) == 23


def test_no_spans_give_no_causes():
    """An empty window is a window, and says nothing."""
    nothing, some = columns([]), columns([[span(1)]])
    assert len(nothing) == 0
    assert rank_causes(nothing, nothing) == rank_causes([], nothing) == rank_causes(some, nothing) == []
    assert rank_causes(some, nothing, "errors") == []


def test_starts_of_agents_are_nothing_to_compare_with():
    """Before the first task there are spans of the agent, and none of the work that is slow."""
    idle = columns([[span(1, name="agent.start a", trace_id=at)] for at in range(1, 9)])
    slow = columns([[span(2, end=10**9, trace_id=20 + at)] for at in range(9)])
    first = rank_causes(idle, slow)[0]
    assert (first.sign, first.compared, first.share) == (Sign.HOLDS, False, 1.0)
    assert "“step x” takes the most time, 1 s in the median; 100% of all time" in explain([first])


def naive_self_times(table: TraceColumns) -> list[int]:
    result = []
    for row in range(len(table)):
        begin, end = int(table.start[row]), int(table.start[row] + table.duration[row])
        covered = set()
        for child in np.flatnonzero(table.parent == row):
            covered |= set(range(int(table.start[child]), int(table.start[child] + table.duration[child])))
        result.append(end - begin - len(covered & set(range(begin, end))))
    return result


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 40), st.integers(-3, 30)), max_size=9), st.data())
@settings(max_examples=100, deadline=None)
def test_self_time_is_what_no_child_covers(drawn, data):
    """Overlapping, late, early and nested children: the same as counting every nanosecond."""
    spans = [span(at + 1, parent % (at + 1), start, start + took) for at, (parent, start, took) in enumerate(drawn)]
    table = columns([spans])
    assert self_times(table).tolist() == naive_self_times(table)


def test_self_times_of_the_longest_spans_do_not_overflow():
    """As many day-long parents as a window holds, each half covered."""
    spans = [span(at, 0, 0, DAY_NS) for at in range(1, 2_000)]
    spans += [span(at + 10_000, at, 0, DAY_NS // 2) for at in range(1, 2_000)]
    found = self_times(columns([spans]))
    assert set(found.tolist()) == {DAY_NS // 2}


def test_a_call_is_a_span_whose_children_are_all_in_one_other_process():
    """Only such a span's own time is shared with the callee; agents of one process have no network between them."""
    call = [span(1, name="GET /", end=50), span(2, 1, origin=SHOP, name="serve")]
    mixed = [span(1, name="both", end=50, trace_id=2), span(2, 1, origin=SHOP, trace_id=2), span(3, 1, trace_id=2)]
    within = [
        span(1, name="invoke_agent a", attributes={n.GEN_AI_AGENT_NAME: "a"}, trace_id=3),
        span(2, 1, name="invoke_agent b", attributes={n.GEN_AI_AGENT_NAME: "b"}, trace_id=3),
    ]
    found = measure(columns([call, mixed, within]))
    callees = {edge.place.operation: edge.callee for edge in found.edges}
    assert callees["GET /"] is not None
    assert callees["GET /"].service == "shop"
    assert callees["both"] is None
    assert callees["invoke_agent a"] is None


def test_a_call_without_an_answer_reaches_what_such_calls_always_reach():
    """A lost server span does not make the call another kind of call."""
    whole = [span(1, name="GET /", trace_id=1), span(2, 1, origin=SHOP, name="serve", trace_id=1)]
    found = measure(columns([whole, [span(1, name="GET /", trace_id=2)]]))
    assert [edge for edge in found.edges if edge.place.operation == "GET /"] == [
        Edge(found.columns.places[0], found.columns.places[1])
    ]
    assert found.profile.timings[found.edges[found.edge[0]]].spans == 2


@pytest.mark.parametrize("kind", ["latency", "errors"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_spans_can_be_ranked(kind, data):
    """Whatever two windows hold, ranking ends with finite scores in falling order, the same each time."""
    one = st.builds(
        span,
        st.integers(-1, 6),
        st.integers(-1, 6),
        st.integers(-(1 << 70), 1 << 70) | st.integers(0, 1000),
        st.integers(-(1 << 70), 1 << 70) | st.integers(0, 10**10),
        name=st.sampled_from(["task a", "invoke_agent a", "cache.lookup x", "step y", ""]),
        origin=st.sampled_from([PEA, SHOP]),
        status=st.integers(0, 3),
        kind=st.integers(0, 7),
        attributes=st.dictionaries(
            st.sampled_from([n.GEN_AI_AGENT_NAME, n.ERROR_TYPE, n.PEA_CACHE_TIER, "k"]),
            st.sampled_from(["a", "b", "", 3, True, None, 1.5, ("x",)]),
        ),
    )
    traces = st.lists(st.lists(one, max_size=6), max_size=8)
    before, breach = columns(data.draw(traces)), columns(data.draw(traces))
    causes = rank_causes(before, breach, kind)
    assert causes == rank_causes(before, breach, kind)
    scores = [cause.score for cause in causes]
    assert scores == sorted(scores, reverse=True)
    assert all(np.isfinite(score) and score >= 0 for score in scores)
    assert all(0 <= cause.share <= 1.0001 for cause in causes)


def test_spans_of_the_tracer_become_columns():
    """What the drain hands on: a task, its wait as a leaf, an agent's call, a step that fails within it."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("pea")
    about = {n.GEN_AI_AGENT_NAME: "travel", n.PEA_CAPABILITY: "travel.plan"}
    with tracer.span("task travel.plan") as task:
        task.leaf(n.SPAN_QUEUE_WAIT, task.start_time, task.start_time + 5, {})
        with (
            tracer.span("invoke_agent travel", about),
            pytest.raises(LookupError),
            tracer.span("step routes", {n.PEA_STEP_NAME: "routes"}),
        ):
            raise LookupError
    inlet = Inlet()
    table = columns([[inlet.record(one) for one in provider.buffer.take()]])
    named = dict(zip(operations(table), owners(table), strict=True))
    assert named["travel.plan"] == named["step routes"] == "travel"
    assert named["task travel.plan"] == named[n.SPAN_QUEUE_WAIT] != "travel"
    assert measure(table).first_failed.tolist() == [int(name == "step routes") for name in operations(table)]

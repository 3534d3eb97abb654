"""The ring of recent traces: whole, bounded, newest first."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import Link, SpanKind, StatusCode

from pea.telemetry.buffer import Buffer
from pea.telemetry.provider import TracerProvider
from pea.telemetry.recent import Recent


@pytest.fixture(scope="module")
def provider():
    """A provider of its own."""
    made = TracerProvider(shutdown_on_exit=False, buffer=Buffer(10_000))
    yield made
    made.shutdown()


@pytest.fixture
def tracer(provider):
    """Its tracer, with an empty buffer."""
    provider.buffer.take()
    return provider.get_tracer("test.scope")


def test_a_trace_is_kept_whole_with_leaves_events_and_links(tracer):
    """Views carry everything a page needs, ids in hex, leaves as children of their own, sorted by start."""
    with tracer.span("other") as other:
        pass
    links = [Link(other.get_span_context(), {"why": "retry"})]
    with tracer.span("root", {"a": 1}, kind=SpanKind.SERVER) as root, tracer.span("child", links=links) as child:
        child.add_event("happened", {"x": "y"}, timestamp=7)
        child.set_status(StatusCode.ERROR, "broke")
        child.leaf("cache.lookup l", child.start_time + 1, child.start_time + 2, {"hit": True})
    recent = Recent(10)
    recent.consume(tracer.buffer.take())
    trace_id = f"{root.trace.trace_id:032x}"
    top, below, leaf = recent.get(trace_id)
    assert (top.name, top.kind, top.parent_id, top.status, top.attributes) == ("root", "server", "", "unset", {"a": 1})
    assert (below.parent_id, below.status, below.status_description) == (top.span_id, "error", "broke")
    assert [(e.name, e.time_ns, e.attributes) for e in below.events] == [("happened", 7, {"x": "y"})]
    assert [(link.trace_id, link.attributes) for link in below.links] == [
        (f"{other.trace.trace_id:032x}", {"why": "retry"})
    ]
    assert (leaf.name, leaf.parent_id, leaf.attributes) == ("cache.lookup l", below.span_id, {"hit": True})
    assert leaf.span_id not in {top.span_id, below.span_id}
    assert {v.scope for v in (top, below, leaf)} == {"test.scope"}
    assert recent.get(int(trace_id, 16)) == recent.get(trace_id.upper())


def test_summaries_are_newest_first(tracer):
    """A summary names the root and counts spans, leaves included, and errors."""
    for name in ("first", "second"):
        with tracer.span(name), tracer.span("child") as child:
            child.leaf("l", 1, 2)
            child.set_status(StatusCode.ERROR)
    recent = Recent(10)
    recent.consume(tracer.buffer.take())
    assert [(s.name, s.spans, s.errors) for s in recent.list()] == [("second", 3, 1), ("first", 3, 1)]
    assert [s.name for s in recent.list(1)] == ["second"]
    assert recent.list(0) == []


def test_a_trace_that_goes_on_is_newest(tracer):
    """A span that joins an older trace makes it the newest, and the last to go."""
    with tracer.span("long"):
        with tracer.span("early"):
            pass
        early = tracer.buffer.take()
        for _ in range(3):
            tracer.start_span("short", context={}).end()
    recent = Recent(2)
    recent.consume(early)
    recent.consume(tracer.buffer.take())
    assert [s.name for s in recent.list()] == ["long", "short"]


@pytest.mark.parametrize("trace_id", ["", "zz", "0" * 32, "f" * 32, "12 34", "-1"])
def test_an_unknown_trace_is_empty(trace_id):
    """Whatever is asked for, an unknown id gives no spans."""
    assert Recent(10).get(trace_id) == []


def test_spans_per_trace_are_bounded(tracer):
    """A runaway trace keeps its first spans and says how many were left out."""
    with tracer.span("root"):
        for _ in range(50):
            with tracer.span("child"):
                pass
    recent = Recent(10, max_spans=20)
    recent.consume(tracer.buffer.take())
    assert (recent.list()[0].spans, recent.list()[0].left_out) == (20, 31)


def test_one_huge_trace_does_not_push_out_the_others(tracer):
    """A trace may take a quarter of the bytes."""
    for _ in range(3):
        tracer.start_span("small").end()
    with tracer.span("huge"):
        for _ in range(100):
            with tracer.span("child", {"text": "x" * 10_000}):
                pass
    recent = Recent(10, max_bytes=400_000)
    recent.consume(tracer.buffer.take())
    assert len(recent) == 4
    assert recent.list()[0].left_out > 80


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3000)), max_size=60), st.integers(0, 4))
@settings(max_examples=50)
def test_bytes_and_traces_never_exceed_their_bounds(program, limit):
    """After any spans in any order: at most `limit` traces, at most the bytes, and the account is right."""
    provider = TracerProvider(shutdown_on_exit=False, buffer=Buffer(1000))
    tracer, recent = provider.get_tracer("t"), Recent(limit, max_bytes=10_000)
    roots = [tracer.start_span("root", context={}) for _ in range(6)]
    from opentelemetry.trace import set_span_in_context

    for which, size in program:
        tracer.start_span("s", context=set_span_in_context(roots[which]), attributes={"t": "x" * size}).end()
        recent.consume(tracer.buffer.take())
        assert len(recent) <= limit
        assert 0 <= recent.size_bytes <= 10_000
    assert recent.size_bytes == sum(trace.size for trace in recent._traces.values())
    provider.shutdown()


def test_none_are_kept_when_the_limit_is_zero(tracer):
    """recent_traces: 0 turns the ring off."""
    tracer.start_span("s").end()
    recent = Recent(0)
    recent.consume(tracer.buffer.take())
    assert recent.list() == []

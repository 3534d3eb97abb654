"""The tree of a trace: every span has one place, self times add up, the critical path is what the end waited for."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.store.tree import places


class S(msgspec.Struct, frozen=True):
    """A span with letters for ids."""

    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int


def path(*spans: S) -> list[tuple[str, int, int]]:
    """The critical path in order of time."""
    found = [(place.span.span_id, *stretch) for place in places(spans) for stretch in place.critical]
    return sorted(found, key=lambda one: one[1])


def test_the_child_that_ended_last_is_on_the_path():
    """Of children side by side only the one that the parent waited for counts."""
    spans = (S("root", "", 0, 100), S("quick", "root", 10, 40), S("slow", "root", 10, 90))
    assert path(*spans) == [("root", 0, 10), ("slow", 10, 90), ("root", 90, 100)]


def test_one_after_the_other():
    """Where a child began only when another had ended, both are on the path, and the gap is the parent's."""
    spans = (S("root", "", 0, 100), S("first", "root", 0, 40), S("second", "root", 50, 100))
    assert path(*spans) == [("first", 0, 40), ("root", 40, 50), ("second", 50, 100)]


def test_staggered():
    """Before the last child began, the one that was at work already was waited for, not the parent."""
    spans = (S("root", "", 0, 100), S("early", "root", 0, 95), S("late", "root", 40, 100))
    assert path(*spans) == [("early", 0, 40), ("late", 40, 100)]


def test_a_task_outlives_its_request():
    """The trace ends with the task, although the request that submitted it was answered long before."""
    spans = (S("request", "", 0, 5), S("task", "request", 2, 90))
    assert path(*spans) == [("request", 0, 2), ("task", 2, 90)]


def test_work_in_the_background_does_not_hide_its_parent():
    """What was waited for is the parent's own time, though it began something that went on longer."""
    spans = (S("root", "", 0, 60), S("step", "root", 0, 10), S("aside", "step", 5, 50), S("next", "root", 10, 60))
    assert path(*spans) == [("step", 0, 10), ("next", 10, 60)]


def test_a_circle_of_parents_is_broken_at_its_earliest_span():
    """Whoever claims to be its own grandparent is shown once."""
    found = places([S("b", "a", 5, 9), S("a", "b", 0, 10), S("leaf", "b", 6, 7), S("own", "own", 20, 21)])
    assert [(place.span.span_id, place.depth) for place in found] == [("a", 0), ("b", 1), ("leaf", 2), ("own", 0)]


def test_rows_below():
    """``inside`` is how many rows are to be hidden when a row is folded."""
    spans = [S("r", "", 0, 9), S("a", "r", 0, 3), S("b", "a", 1, 2), S("c", "r", 4, 5), S("z", "gone", 8, 9)]
    assert [(place.span.span_id, place.inside, place.last) for place in places(spans)] == [
        ("r", 3, False),
        ("a", 1, False),
        ("b", 0, True),
        ("c", 0, True),
        ("z", 0, True),
    ]


@pytest.mark.parametrize("spans", [[], [S("a", "", 5, 5)], [S("a", "", 9, 3)]])
def test_nothing_and_no_time(spans):
    """No spans, no duration, a clock that went back: no path, no self time, no error."""
    assert [(place.critical, place.self_ns) for place in places(spans)] == [((), 0)] * len(spans)


def test_ten_thousand_deep():
    """A chain deeper than Python's stack has its path too."""
    spans = [S(str(n), str(n - 1), n, 30_000 - n) for n in range(10_000)]
    assert sum(end - start for _, start, end in path(*spans)) == 30_000


@st.composite
def traces(draw):
    """A tree of spans, each within its parent."""
    spans = [S("0", "", 0, 1_000)]
    for number in range(1, draw(st.integers(1, 25))):
        above = spans[draw(st.integers(0, len(spans) - 1))]
        start = draw(st.integers(above.start_ns, above.end_ns))
        spans.append(S(str(number), above.span_id, start, draw(st.integers(start, above.end_ns))))
    return draw(st.permutations(spans))


@given(traces())
def test_the_path_covers_the_trace_once(spans):
    """Where children stay within their parents the path is the trace's whole time, without overlap or gap."""
    found = path(*spans)
    assert found[0][1] == 0
    assert found[-1][2] == 1_000
    assert all(one[2] == other[1] for one, other in pairwise(found))


@given(traces())
def test_stretches_lie_within_their_span(spans):
    """A span is on the path within its own time only."""
    for place in places(spans):
        assert all(place.span.start_ns <= start < end <= place.span.end_ns for start, end in place.critical)


@given(st.lists(st.builds(S, *[st.sampled_from("abcdef")] * 2, st.integers(-5, 50), st.integers(-5, 50)), max_size=12))
def test_any_spans_have_one_place_each(spans):
    """Whatever parents and clocks say, every id is shown once, and nothing fails."""
    found = [place.span.span_id for place in places(spans)]
    assert sorted(found) == sorted({span.span_id for span in spans})

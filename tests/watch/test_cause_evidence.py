"""Which end of a bad call is blamed, what a changed flow says, and the words for each sign."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pea.watch.cause import Cause, Figures
from pea.watch.cause_bounds import changed, lower_median, slower
from pea.watch.cause_columns import Place
from pea.watch.cause_details import Attribute, ErrorType
from pea.watch.cause_errors import error_evidence, error_shares
from pea.watch.cause_evidence import Sign, by_ends
from pea.watch.cause_flow import flow_evidence
from pea.watch.cause_profile import FLOOR_NS, POWER, Calls, Edge, Profile, Timing, Visits
from pea.watch.cause_words import explain

MS = 1_000_000


def place(who: str, operation: str = "work") -> Place:
    return Place(who, "", operation)


def call(caller: str, callee: str) -> Edge:
    return Edge(place(caller, f"call {callee}"), place(callee, "serve"))


def timing(count: int, self_ms: float) -> Timing:
    power = (self_ms * MS + FLOOR_NS) ** POWER
    return Timing(count, count * power, count * power * power, count * self_ms * MS)


def blamed(found) -> dict[str, float]:
    """The strongest evidence against each service."""
    worst: dict[str, float] = {}
    for one in found:
        worst[one.owner[0]] = max(worst.get(one.owner[0], 0.0), round(one.size, 3))
    return worst


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({call("a", "b"): 2.0}, {"b": 2.0}),
        ({call("a", "b"): 2.0, call("a", "c"): 0.0}, {"b": 2.0}),
        ({call("a", "b"): 2.0, call("a", "c"): 2.0}, {"a": 2.0}),
        ({call("a", "b"): 3.0, call("a", "c"): 1.0}, {"a": 1.0, "b": 2.0}),
        ({call("a", "c"): 2.0, call("b", "c"): 2.0}, {"c": 2.0}),
        ({call("a", "c"): 2.0, call("b", "c"): 0.0}, {"c": 1.0}),
        ({call("a", "b"): 2.0, Edge(place("a")): 1.5}, {"a": 1.5, "b": 0.5}),
        ({Edge(place("a")): 1.5}, {"a": 1.5}),
        ({call("a", "b"): 0.0}, {}),
    ],
)
def test_a_slow_call_is_blamed_on_one_of_its_ends(sizes, expected):
    """Who is slow towards all is slow himself; who is reached slowly by all, likewise."""
    found = by_ends(sizes, dict.fromkeys(sizes, 10.0), Sign.SLOWER, Sign.ANSWERS_LATE)
    assert blamed(found) == expected


def profile(visits: dict[Place, Visits], steps=None, failures=None) -> Profile:
    return Profile(100, {}, visits, failures or {}, steps or {})


def seen(*places: Place, count: float = 100, childless: float = 0) -> dict[Place, Visits]:
    return {one: Visits(count, childless, 0) for one in places}


HANDLE, INNER = place("a", "handle"), place("b", "serve")
TO_B, TO_C = call("a", "b"), call("a", "c")


def test_a_parent_that_stops_after_a_sound_callee_is_blamed_before_it():
    """The callee's inside did all that it always does; it comes second."""
    inside = {(INNER, Edge(place("b", "query"))): Calls(100, 100)}
    before = profile(seen(HANDLE, INNER), {(HANDLE, TO_B): Calls(100, 0), (HANDLE, TO_C): Calls(100, 100), **inside})
    after = profile(seen(HANDLE, INNER), {(HANDLE, TO_B): Calls(100, 60), (HANDLE, TO_C): Calls(98, 98), **inside})
    found = blamed(flow_evidence(after, before))
    assert found["a"] > found["b"] > 0


def test_several_callers_that_stop_after_one_callee_blame_it():
    """Two that give up after the same call: it is what they called."""
    other = place("d", "handle")
    ends = {(HANDLE, TO_C): Calls(100, 100), (other, call("d", "c")): Calls(100, 100)}
    inside = {(INNER, Edge(place("b", "query"))): Calls(200, 200)}
    before = profile(
        seen(HANDLE, other, INNER),
        {(HANDLE, TO_B): Calls(100, 0), (other, call("d", "b")): Calls(100, 0)} | ends | inside,
    )
    after = profile(
        seen(HANDLE, other, INNER),
        {(HANDLE, TO_B): Calls(100, 50), (other, call("d", "b")): Calls(100, 50)} | ends | inside,
    )
    assert set(blamed(flow_evidence(after, before))) == {"b"}


def test_a_stop_above_a_stop_is_its_echo():
    """The caller gives up because its callee stopped half-way: only the callee is blamed for stopping."""
    query, write = Edge(place("b", "query")), Edge(place("b", "write"))
    whole = {(HANDLE, TO_B): Calls(100, 0), (HANDLE, TO_C): Calls(100, 100)}
    broken = {(HANDLE, TO_B): Calls(100, 50), (HANDLE, TO_C): Calls(95, 95)}
    before = profile(seen(HANDLE, INNER), whole | {(INNER, query): Calls(100, 0), (INNER, write): Calls(100, 100)})
    after = profile(seen(HANDLE, INNER), broken | {(INNER, query): Calls(100, 50), (INNER, write): Calls(95, 95)})
    assert [one.owner[0] for one in flow_evidence(after, before) if one.sign is Sign.STOPS] == ["b"]


def test_another_mix_of_input_is_no_fault():
    """One kind of call rises as much as another to the same owner falls: nobody is blamed."""
    find, add = Edge(place("a", "find")), Edge(place("a", "add"))
    before = profile(seen(HANDLE), {(HANDLE, find): Calls(80, 80), (HANDLE, add): Calls(20, 20)})
    after = profile(seen(HANDLE), {(HANDLE, find): Calls(20, 20), (HANDLE, add): Calls(80, 80)})
    assert flow_evidence(after, before) == []


def test_a_call_never_seen_before_is_no_mix():
    """An error handler that appears counts, though what it replaces falls as much."""
    usual, handler = Edge(place("a", "render")), Edge(place("a", "error page"))
    before = profile(seen(HANDLE), {(HANDLE, usual): Calls(100, 100)})
    after = profile(seen(HANDLE), {(HANDLE, usual): Calls(60, 60), (HANDLE, handler): Calls(40, 40)})
    found = flow_evidence(after, before)
    assert [(one.sign, one.edge) for one in found] == [(Sign.MORE_OFTEN, handler)]


def test_a_parent_that_calls_less_of_everything_is_blamed_itself():
    """All its callees are called half as often: what they have in common is the caller."""
    steps = {(HANDLE, call("a", name)): Calls(100, 33) for name in "bcd"}
    half = {step: Calls(50, 17) for step in steps}
    found = flow_evidence(profile(seen(HANDLE), half), profile(seen(HANDLE), steps))
    assert set(blamed(found)) == {"a"}


def test_a_place_that_returns_at_once_is_blamed():
    """More spans without any child than before."""
    after, before = profile(seen(HANDLE, childless=40)), profile(seen(HANDLE, childless=1))
    assert [(one.owner[0], one.sign) for one in flow_evidence(after, before)] == [("a", Sign.DOES_NOTHING)]


def test_a_lone_failure_counts_little_beside_many():
    """One failure of one rare call against thirty of a hundred: the many come first by far."""
    rare, often = Edge(place("a")), Edge(place("b"))
    before = profile({}, failures={rare: Visits(2, 2, 0), often: Visits(100, 100, 1)})
    after = profile({}, failures={rare: Visits(2, 2, 1), often: Visits(100, 100, 30)})
    found = blamed(error_evidence(after, before, error_shares(after, before)))
    assert found["b"] > 5 * found["a"]


def test_failures_as_frequent_as_before_are_no_cause():
    """The same error ratio on twice the traffic."""
    before = profile({}, failures={Edge(HANDLE): Visits(100, 100, 10)})
    after = Profile(200, {}, {}, {Edge(HANDLE): Visits(200, 200, 20)}, {})
    assert error_evidence(after, before, error_shares(after, before)) == []


def test_a_slowdown_is_measured_in_ratios():
    """Ten times as long over many spans is nearly ln 10, less the floor, drift and what is too small to count."""
    size = slower(timing(1_000, 100), [timing(1_000, 10)])
    assert 1.8 < size < math.log(10)
    assert slower(timing(1_000, 10), [timing(1_000, 10)]) == 0
    assert slower(timing(1_000, 10), [timing(1_000, 100)]) == 0
    assert slower(timing(1, 100), [timing(1_000, 10)]) == slower(timing(9, 9), []) == 0


def test_fewer_spans_say_less():
    """The bound falls with the number of spans, after and before."""
    sizes = [slower(timing(count, 40), [timing(count, 10)]) for count in (2, 5, 20, 500)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_what_drifts_between_windows_anyway_says_less():
    """Times that differ from window to window as much as now: the same change counts little."""
    steady = [timing(50, 10)] * 5
    restless = [timing(50, ms) for ms in (4, 7, 10, 16, 27)]
    assert slower(timing(50, 30), restless) < slower(timing(50, 30), steady) / 3


@given(st.integers(0, 50), st.integers(2, 50), st.integers(0, 50), st.integers(2, 50))
def test_a_change_of_frequency_has_a_direction(hits, among, hits_before, among_before):
    """Finite, signed as the frequencies differ, and turned round it changes its sign only."""
    size = changed(hits, among, hits_before, among_before)
    assert math.isfinite(size)
    assert size * (hits / among - hits_before / among_before) >= 0
    assert changed(hits_before, among_before, hits, among) == pytest.approx(-size)


def test_the_lower_median_is_one_of_the_values():
    """The middle, the smaller of two."""
    assert lower_median([3.0, 1.0, 2.0]) == 2.0
    assert lower_median([3.0, 1.0]) == 1.0


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (Sign.SLOWER, "“plan” takes longer by itself, in the median 2 ms before and 1.5 s now; 40% of the added time."),
        (Sign.ANSWERS_LATE, "“plan” takes longer to reach from shop, in the median 2 ms before"),
        (Sign.CALLS_SLOWLY, "its calls are slow whomever it calls, most so “plan”, in the median 2 ms before"),
        (Sign.STOPS, "work stops in “plan”; 40%"),
        (Sign.DOES_NOTHING, "“plan” returns without doing what it used to;"),
        (Sign.RARER, "“plan” is called less often in proportion, 0.5 times a trace before and 2 now;"),
        (Sign.MORE_OFTEN, "“plan” is called more often in proportion, 0.5 times a trace before and 2 now;"),
        (Sign.CALLS_LESS, "“plan” calls less of everything that it calls;"),
        (Sign.CALLS_MORE, "“plan” calls more of everything that it calls;"),
        (
            Sign.FAILS,
            "calls from shop to “plan” fail, 0.0% of its calls before and 25.0% now; 40% of the added failures.",
        ),
    ],
)
def test_every_sign_has_its_words(sign, words):
    """Who, what and the figure that the sign is about; errors, attributes and the next in line follow."""
    cause = Cause(
        place=Place("pea", "travel", "plan"),
        caller=place("shop"),
        sign=sign,
        score=2.0,
        share=0.4,
        before=Figures(50, 2.0, 0.5, 0.0),
        after=Figures(200, 1_500.0, 2.0, 0.25),
        exemplars=(1,),
        errors=(ErrorType("Timeout", 0.0, 0.25),),
        attributes=(Attribute("region", "eu", 0.9, 0.1),),
    )
    weaker = Cause(place("bank"), None, Sign.SLOWER, 1.0, 0.1, cause.before, cause.after, ())
    text = explain([cause, weaker])
    assert text.startswith(f"Most likely travel: {words}")
    assert "Errors: Timeout (25.0% of calls). 90% of these spans have region=eu, others 10%." in text
    assert text.endswith("Less likely: bank (“work” takes longer by itself).")


def test_what_was_not_there_before_is_said_to_be_new():
    """No figure is made up for a place without a past."""
    cause = Cause(HANDLE, None, Sign.FAILS, 1.0, 0.0, Figures(0, 0, 0, 0), Figures(5, 1, 1, 1), ())
    assert explain([cause]) == "Most likely a: “handle” fails by itself, which was not seen before."

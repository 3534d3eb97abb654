"""The optimised schedule: what is moved and why, what never is, and what the solver's worker is spared."""

from __future__ import annotations

import importlib.util
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import InputError, MissingExtra
from pea.agents._optimise import Optimised
from pea.agents._optimise_solve import Focus, Problem, Solution, Task, solve
from tests.agents.test_calendar import ME, event, running

ORGANISED = (f"ORGANIZER:mailto:{ME}", "ATTENDEE;CN=Ann:mailto:ann@example.org")
CALLED = ("ORGANIZER;CN=Olaf:mailto:olaf@other.example", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ME}")


async def optimised(tmp_path, *events: str, **asked: Any) -> Optimised:
    async with running(tmp_path, *events) as runtime:
        return await runtime.call("calendar.optimise", **{"focus_minutes": 0, "days": 5} | asked)


async def test_of_two_that_overlap_the_one_that_may_be_moved_moves(tmp_path):
    """What others called stays; the user's own meeting goes to the nearest free time, with the reason."""
    board = event("1", "12 0900", "12 1000", "Board", *CALLED)
    mine = event("2", "12 0930", "12 1000", "Review", *ORGANISED)
    found = await optimised(tmp_path, board, mine)
    assert [(m.title, m.new_start.strftime("%d %H:%M")) for m in found.moves] == [("Review", "12 10:00")]
    assert found.moves[0].reasons == ("Board is on then (Olaf called it)",)
    assert (found.conflicts_before, found.conflicts_after, found.status) == (1, 0, "optimal")
    assert found.cost < found.cost_now
    assert {kept.title: kept.why for kept in found.kept} == {"Board": "Olaf called it"}


async def test_a_schedule_that_works_is_left_alone(tmp_path):
    """Without a conflict nothing is moved."""
    found = await optimised(tmp_path, event("1", "12 0900", "12 1000", "A", *ORGANISED))
    assert found.moves == found.left == ()
    assert "Nothing needs to be moved." in found.text


async def test_holidays_and_weekends_are_no_places(tmp_path):
    """Ascension Day (Thursday 14 May 2026) and the weekend are passed over when a meeting has to leave its day."""
    full = event("1", "13 0900", "13 1800", "Course", *CALLED)
    mine = event("2", "13 1000", "13 1100", "Review", *ORGANISED)
    found = await optimised(tmp_path, full, mine, day=date(2026, 5, 13), days=6)
    assert found.moves[0].new_start.date() in (date(2026, 5, 15), date(2026, 5, 18))


async def test_the_calendar_of_somebody_invited_is_kept_clear(tmp_path):
    """Their published calendar is a hard bound, and is no part of the user's own agenda."""
    (tmp_path / "calendars" / "people").mkdir(parents=True)
    theirs = event("9", "12 1000", "12 1200", "Dentist")
    (tmp_path / "calendars/people/ann@example.org.ics").write_text(f"BEGIN:VCALENDAR\n{theirs}END:VCALENDAR\n")
    board = event("1", "12 0900", "12 1000", "Board", *CALLED)
    mine = event("2", "12 0930", "12 1000", "Review", *ORGANISED)
    async with running(tmp_path, board, mine) as runtime:
        found = await runtime.call("calendar.optimise", days=1, focus_minutes=0)
        agenda = await runtime.call("calendar.agenda")
    assert found.moves[0].new_start.strftime("%H:%M") == "12:00"
    assert [entry.title for entry in agenda.entries] == ["Board", "Review"]


async def test_the_way_is_counted(tmp_path):
    """A meeting in Hamburg leaves no time for one in Berlin right after it."""
    away = event("1", "12 0900", "12 1000", "Visit", "LOCATION:Hamburg, Germany", *CALLED)
    mine = event("2", "12 1000", "12 1030", "Review", "LOCATION:Berlin, Germany", *ORGANISED)
    found = await optimised(tmp_path, away, mine, days=1)
    assert found.moves[0].new_start >= datetime.fromisoformat("2026-05-12T12:30:00+02:00")
    assert any("the way from Visit takes" in reason for reason in found.moves[0].reasons)


async def test_focus_time_is_made_when_it_costs_little(tmp_path):
    """A meeting in the middle of the day's only long gap moves to its edge, and says what that frees."""
    morning = event("1", "12 0900", "12 1200", "Course", *CALLED)
    middle = event("2", "12 1345", "12 1400", "Check", f"ORGANIZER:mailto:{ME}", "ATTENDEE:mailto:a@x.example")
    evening = event("3", "12 1530", "12 1800", "Workshop", *CALLED)
    found = await optimised(tmp_path, morning, middle, evening, days=1, focus_minutes=120)
    assert [m.title for m in found.moves] == ["Check"]
    assert found.moves[0].reasons == ("frees 120 minutes for focus",)
    assert [stretch.gained for stretch in found.focus] == [True]


async def test_what_has_no_place_is_said(tmp_path):
    """A conflict that cannot be solved stays, with why; nothing is moved for nothing."""
    course = event("1", "12 0900", "12 1800", "Course", *CALLED)
    mine = event("2", "12 1000", "12 1030", "Review", *ORGANISED)
    found = await optimised(tmp_path, course, mine, days=1)
    assert found.moves == ()
    assert found.left[0].reasons == ("Course is on then (Olaf called it)", "there is no free time")


async def test_what_is_kept_and_what_is_past_never_moves(tmp_path):
    """Titles in ``keep``, journeys, appointments at a place and what has begun stay."""
    events = (
        event("1", "12 0700", "12 0800", "Begun", *ORGANISED),
        event("2", "12 1000", "12 1100", "Mine", *ORGANISED),
        event("3", "12 1000", "12 1100", "Doctor", "LOCATION:Charité, Berlin"),
        event("4", "12 1500", "12 1700", "Train Berlin → Hamburg"),
    )
    found = await optimised(tmp_path, *events, days=1, keep=["mine"])
    assert found.moves == ()
    assert {k.title: k.why for k in found.kept} == {
        "Begun": "it has begun",
        "Mine": "you keep it",
        "Doctor": "it is an appointment at a place",
        "Train Berlin → Hamburg": "it is a journey",
    }


async def test_the_same_problem_is_solved_once(tmp_path):
    """The second answer comes from the cache: the solver runs once."""
    async with running(tmp_path, event("1", "12 0900", "12 1000", "A", *ORGANISED)) as runtime:
        first = await runtime.call("calendar.optimise", days=1)
        again = await runtime.call("calendar.optimise", days=1)
    assert (again.solved_s, again.moves, again.focus) == (first.solved_s, first.moves, first.focus)


async def test_without_the_solver_it_says_what_to_install(tmp_path, monkeypatch):
    """The extra is named, and nothing is begun."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ortools" else find_spec(name))
    with pytest.raises(MissingExtra, match=r"pea\[optimise\]"):
        await optimised(tmp_path, event("1", "12 0900", "12 1000", "A"))


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sets(st.integers(0, 20), max_size=8), st.integers(0, 30)),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 3),
)
@settings(max_examples=15, deadline=None)
def test_no_answer_breaks_a_hard_rule(tasks, gap):
    """Placed tasks stand at allowed starts, never overlap, and keep the gaps; the cost is what their places cost."""
    made = tuple(Task(slots, tuple(sorted(at)), tuple(cost for _ in at), 100) for slots, at, cost in tasks)
    gaps = tuple(tuple(0 if i == j else gap for j in range(len(made))) for i in range(len(made)))
    found = solve(Problem(made, gaps, (Focus(0, 20, 4, ((0, 3),), 10),), 2.0))
    placed = [(s, s + t.slots) for s, t in zip(found.starts, made, strict=True) if s is not None]
    assert all(s is None or s in t.starts for s, t in zip(found.starts, made, strict=True))
    assert all(b + gap <= c or d + gap <= a for n, (a, b) in enumerate(placed) for c, d in placed[:n])
    if found.focus[0] is not None:
        assert found.focus[0] >= 3
        assert all(end <= found.focus[0] or begin >= found.focus[0] + 4 for begin, end in placed)
    costs = [t.unplaced if s is None else t.costs[0] for s, t in zip(found.starts, made, strict=True)]
    assert found.cost == sum(costs) + 10 * (found.focus[0] is None)


def test_nothing_to_place_is_no_fault():
    """A problem without tasks has the empty answer."""
    found = solve(Problem((), (), (), 1.0))
    assert isinstance(found, Solution)
    assert (found.starts, found.cost, found.status) == ((), 0, "optimal")


async def test_a_zone_that_does_not_exist_is_refused(tmp_path):
    """The error names the argument."""
    async with running(tmp_path) as runtime:
        with pytest.raises(InputError, match="is not a time zone"):
            await runtime.call("calendar.find_slot", people=[{"name": "Ann", "zone": "Mars/Base"}])

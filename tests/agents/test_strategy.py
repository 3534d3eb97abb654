"""The strategy agent: time and money to goals by stated words, alignment between 0 and 1, doubt told with it."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pea import InputError, Runtime
from pea.agents._agenda import Entry
from pea.agents._strategy_doubt import doubt
from pea.agents._strategy_sums import alignment, coverage, meant, money_of, use_of, views
from pea.agents._strategy_views import Payment
from pea.agents.calendar import Calendar
from pea.agents.finance import Finance
from pea.agents.strategy import Strategy
from pea.config import load
from pea.workspace.calendars import Attendee
from pea.workspace.files import Unreadable
from pea.workspace.goals import Goal, Goals, read_goals
from tests.absent import needs
from tests.agents.office import PUBLIC, SAMPLE

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 5, 11, 9, tzinfo=BERLIN)
TWO = Goals((Goal("A", words=("alpha",)), Goal("B", weight=3, words=("beta",), people=("b.example",))), week_hours=40)


def entry(title: str, hours: float, *people: str) -> Entry:
    end = START + timedelta(hours=hours)
    who = tuple(Attendee(email, email) for email in people)
    return Entry(title=title, start=START, end=end, first_day=START.date(), last_day=START.date(), people=who)


def ask(workspace: Path, state: Path, capability: str, **arguments: Any) -> Any:
    config = workspace / "pea.yaml"
    overrides = {"workspace": str(workspace), "state": str(state)}
    if not config.exists():
        overrides |= {"today": "2026-05-12T07:30", "user.timezone": "Europe/Berlin"}
    told = load(config if config.exists() else None, environ={}, overrides=overrides)

    async def once() -> Any:
        async with Runtime(told, agents=[Calendar(), Finance(), Strategy()]) as runtime:
            return await runtime.call(capability, **arguments)

    return asyncio.run(once())


@pytest.fixture
def call(kept: Path) -> Any:
    return lambda capability, **arguments: ask(SAMPLE, kept, capability, **arguments)


def test_a_meeting_of_two_goals_is_shared() -> None:
    """By a word of the title or by who is invited; what serves none is kept apart."""
    sums = use_of([entry("Alpha review", 2, "x@b.example"), entry("Lunch", 1), entry("alphabet", 1)], TWO, 1.0)
    assert (sums.hours("A"), sums.hours("B"), sums.hours("")) == (1.0, 1.0, 2.0)
    assert coverage(sums) == 0.5
    assert {use.known_by for use in sums.uses} == {"“alpha”", "x@b.example", ""}


def test_hours_meant_go_by_weight_unless_they_are_given() -> None:
    """Three hours are given; the other 37 are shared one to three."""
    goals = Goals((*TWO.goals, Goal("C", hours=3)), week_hours=40)
    assert meant(goals) == {"A": 37 / 4, "B": 37 * 3 / 4, "C": 3.0}


@pytest.mark.parametrize(
    ("spent", "wanted", "expected"),
    [
        ({"A": 1, "B": 3}, {"A": 10, "B": 30}, 1.0),
        ({"A": 4, "B": 0}, {"A": 10, "B": 30}, 0.25),
        ({"A": 0, "B": 0}, {"A": 1, "B": 1}, None),
    ],
)
def test_alignment_compares_shares(spent: dict[str, float], wanted: dict[str, float], expected: float | None) -> None:
    """1 when the shares are those meant, whatever the sums; unknown when no time went to any goal."""
    assert alignment(spent, wanted) == expected


@given(st.lists(st.floats(0, 100), min_size=2, max_size=8), st.lists(st.floats(0.01, 100), min_size=8, max_size=8))
@settings(max_examples=60)
def test_alignment_lies_between_nothing_and_one(spent: list[float], wanted: list[float]) -> None:
    """Whatever the hours."""
    names = [str(n) for n in range(len(spent))]
    found = alignment(dict(zip(names, spent, strict=True)), dict(zip(names, wanted, strict=False)))
    assert found is None or -1e-9 <= found <= 1 + 1e-9


def test_money_is_exact_and_each_payment_counts_once() -> None:
    """By category or word, the first goal that fits; currencies stay apart."""
    goals = Goals((Goal("A", categories=("Travel",)), Goal("B", words=("lufthansa",))))
    paid = [
        Payment(date(2026, 5, 1), Decimal("-10.10"), "EUR", "Lufthansa", category="travel"),
        Payment(date(2026, 5, 1), Decimal("-0.20"), "EUR", "Hotel", category="travel"),
        Payment(date(2026, 5, 1), Decimal(-5), "USD", "LUFTHANSA SHOP"),
    ]
    assert money_of(paid, goals) == {"A": {"EUR": Decimal("10.30")}, "B": {"USD": Decimal(5)}}


def test_drift_is_told_furthest_below_first() -> None:
    """Nothing at all, too little, as meant, too much: within a quarter is as meant."""
    goals = Goals(tuple(Goal(name, hours=4, words=(name,)) for name in ("one", "two", "three", "four")))
    sums = use_of([entry("two", 1), entry("three", 4.5), entry("four", 9)], goals, 1.0)
    assert [(one.name, one.drift) for one in views(goals, sums, date(2026, 5, 12))] == [
        ("one", "nothing at all"),
        ("two", "too little"),
        ("three", "as meant"),
        ("four", "too much"),
    ]


def test_doubt_by_draws() -> None:
    """Where one goal gets nothing it lacks most in nearly every draw; the same input gives the same figures."""
    found = doubt(["A", "B"], [4.0, 0.0], [20.0, 20.0])
    assert found.lacks == {"A": 0.0, "B": 1.0}
    assert found.low < 0.5 < found.high
    assert found.swings["A"][0] < found.swings["A"][1]
    assert found == doubt(["A", "B"], [4.0, 0.0], [20.0, 20.0])


def test_review_of_the_sample(call: Any) -> None:
    """The contract gets an eighth of the time and is meant to get more than a quarter; money beside its budget."""
    told = call("strategy.review")
    goals = {one.name: one for one in told.goals}
    assert told.goals[0].name == "Close the Greyfriars supply agreement"
    assert (told.goals[0].drift, told.goals[0].days_left) == ("too little", 17)
    assert goals["Know our customers' world"].spent_money == {"EUR": Decimal("480.00")}
    assert 0 < told.alignment < 1
    assert 0 < told.coverage < 1
    assert sum(one.share_spent for one in told.goals) == pytest.approx(1, abs=1e-3)


def test_more_time_for_what_lacks_aligns_better(call: Any) -> None:
    """And the hours have to come from somewhere, which is said."""
    name = "Close the Greyfriars supply agreement"
    told = call("strategy.whatif", changes=[{"goal": name, "hours": 2}])
    assert told.after > told.before
    assert (told.needed_hours, told.freed_hours) == (2, 0)
    assert "have to come from somewhere" in told.text
    with pytest.raises(InputError, match="no goal 'Nope'"):
        call("strategy.whatif", changes=[{"goal": "Nope", "hours": 1}])


def test_sensitivity_runs_in_a_worker(call: Any) -> None:
    """Shares of the draws add up, and the answer says whether it holds whatever the weights."""
    told = call("strategy.sensitivity")
    assert sum(one.lacks_most for one in told.lacks) == pytest.approx(1, abs=1e-3)
    assert told.low <= told.alignment <= told.high
    assert told.robust == (told.lacks[0].lacks_most >= 0.8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("goals: [{name: A}, {name: a}]", "goals of one name: a"),
        ("goals: [{name: A, weight: 0}]", "goals"),
        ("goal: []", "unknown field"),
        ("goals: [{name: A, budget: {eur: 1}}]", "budget"),
        ("[", "not YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, says: str) -> None:
    """With the field, so that it can be mended."""
    path = tmp_path / "goals.yaml"
    path.write_text(text)
    with pytest.raises(Unreadable, match=says):
        read_goals(path)


def test_without_goals_it_says_what_to_write(tmp_path: Path) -> None:
    """No goals, no invented ones."""
    with pytest.raises(InputError, match="no goals are written down"):
        ask(tmp_path, tmp_path / "state", "strategy.review")


@needs(PUBLIC)
def test_public_calendars(tmp_path: Path) -> None:
    """158 calendars nobody wrote for PEA: every hour of a year goes to a goal or to none."""
    import shutil

    (tmp_path / "calendars").mkdir()
    for path in PUBLIC.glob("icalendar/*.ics"):
        shutil.copy(path, tmp_path / "calendars" / path.name)
    (tmp_path / "goals.yaml").write_text(
        "goals: [{name: Python, words: [python, conference]}, {name: Meet, words: [meeting]}]"
    )
    told = ask(tmp_path, tmp_path / "state", "strategy.review", days=366, until=date(2005, 12, 31))
    assert told.sources.read >= 120
    assert told.alignment is None or 0 <= told.alignment <= 1

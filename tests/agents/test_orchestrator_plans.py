"""The week, a meeting, a day and the risks ahead, planned on the sample with every agent at work."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pea import InputError, Runtime
from pea.agents.calendar import Calendar
from pea.agents.communication import Communication
from pea.agents.documents import Documents
from pea.agents.finance import Finance
from pea.agents.legal import Legal
from pea.agents.orchestrator import Orchestrator
from pea.agents.security import Security
from pea.agents.travel import Travel
from pea.config import load
from tests.agents.office import SAMPLE

ALL = (Calendar, Communication, Documents, Finance, Legal, Orchestrator, Security, Travel)


def plan(state: Path, capability: str, agents: tuple[Any, ...] = ALL, **asked: Any) -> Any:
    settings = load(SAMPLE / "pea.yaml", environ={}, overrides={"workspace": str(SAMPLE), "state": str(state)})

    async def once() -> Any:
        async with Runtime(settings, agents=[agent() for agent in agents]) as runtime:
            return await runtime.call(capability, **asked)

    return asyncio.run(once())


def points(sheet: Any, kind: str) -> list[Any]:
    return [point for part in sheet.parts if part.kind == kind for point in part.points]


def test_a_week_is_told_day_by_day_with_what_is_due(kept):
    """Every day that holds something, conflicts that matter, answers and promises due, journeys, payments."""
    week = plan(kept, "briefing.weekly")
    assert week.headline.startswith("Week of 11 May 2026, 31 appointments")
    assert len(points(week, "days")) == 7
    assert any("Works council" in point.what for point in points(week, "conflicts"))
    assert points(week, "due")[0].what == "late: you promised Helga Voss"
    assert [point.what[:13] for point in points(week, "travel")] == ["Flight XA 418", "Flight XA 732", "Flight XA 951"]
    assert points(week, "payments")
    assert week.missing == ()


def test_a_meeting_is_prepared(kept):
    """Who comes and when they last wrote, what is open, the contract it is about, and what it clashes with."""
    sheet = plan(kept, "prepare.meeting", meeting="greyfriars")
    assert sheet.headline.startswith("Greyfriars contract: open clauses: today 13:00")
    who = points(sheet, "people")
    assert [guest.what for guest in who] == ["Oliver Hastings, comes", "Priya Shah, comes", "Felix Sommer, comes"]
    assert all(guest.because[0].startswith("last wrote to you") for guest in who)
    assert any("EUR 1.5 million" in point.what for point in points(sheet, "open"))
    assert points(sheet, "documents")[0].what == "Master Supply Agreement"
    assert points(sheet, "conflicts")


def test_a_meeting_that_is_not_there_names_the_nearest(kept):
    """A title that nothing has is an error with a suggestion, not an empty sheet."""
    with pytest.raises(InputError, match="Q2 budget memo"):
        plan(kept, "prepare.meeting", meeting="Q2 budgit memo: decisions")


def test_a_day_is_planned_into_the_time_that_is_free(kept):
    """What is planned overlaps nothing that stands and no way, begins after now, and each answer is planned or left."""
    sheet = plan(kept, "plan.day")
    hours = points(sheet, "hours")
    answers = [point for point in hours if point.agent == "communication.triage"]
    others = [point for point in hours if point.agent != "communication.triage"]
    assert answers
    for point in answers:
        assert point.when >= datetime.fromisoformat("2026-05-12T07:30+02:00")
        assert point.until - point.when >= timedelta(minutes=10)
        assert all(point.until <= other.when or point.when >= other.until for other in others if other.until)
    assert all(a.until <= b.when for a, b in itertools.pairwise(answers))
    assert any("hiring freeze" in point.what for point in answers)  # due at 17:00
    assert len(answers) + len(points(sheet, "left")) == 14


def test_risks_come_with_their_evidence_the_most_pressing_first(kept):
    """Each names who found it; points fall; phishing, late promises and clashes are among them."""
    sheet = plan(kept, "assess.risk")
    every = [point for part in sheet.parts for point in part.points]
    assert [point.points for point in every] == sorted((p.points for p in every), reverse=True)
    assert {point.agent for point in every} >= {
        "calendar.conflicts", "communication.triage", "communication.promises", "security.phishing",
    }  # fmt: skip
    assert all(point.because or point.advice or point.agent for point in every)
    assert not any(point.what.startswith("Papers") for point in every)  # nothing is known of passports: no risk


def test_what_is_not_there_is_missing_with_its_reason(kept):
    """Without the other agents the plan is of the calendar alone, and says what it had to do without."""
    sheet = plan(kept, "assess.risk", agents=(Calendar, Orchestrator))
    told = {name for one in sheet.missing for name in one.part.lower().replace(" and ", ", ").split(", ")}
    assert told == {"mail", "promises", "travel", "papers", "contracts", "money", "phishing"}
    assert points(sheet, "high")


def test_how_things_stand_with_people(kept):
    """Last contact each way by address; somebody never met has none."""
    found = plan(
        kept,
        "communication.history",
        agents=(Communication,),
        people=["Karim.Osei@havelmark.example", "no@where.example"],
    )
    karim, nobody = found.people
    assert karim.last_from is not None
    assert karim.questions
    assert (nobody.mails, nobody.last_from, nobody.subjects) == (0, None, ())

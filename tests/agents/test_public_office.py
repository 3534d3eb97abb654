"""The public calendars, mails and documents as one office: every plan, letter and booking agent answers, and counts."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from pea import Runtime
from pea.agents.calendar import Calendar
from pea.agents.communication import Communication
from pea.agents.documents import Documents
from pea.agents.orchestrator import Orchestrator
from pea.agents.travel import Travel
from pea.config import load
from tests.absent import NO_DATA
from tests.agents.office import PUBLIC, public_workspace


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All public files sorted into one workspace."""
    if not PUBLIC.is_dir():
        pytest.skip(NO_DATA)
    folder = public_workspace(tmp_path_factory.mktemp("office"))
    for path in PUBLIC.glob("icalendar/*.ics"):
        shutil.copy(path, folder / "calendars")
    return folder


def asked(office: Path, state: Path, *calls: tuple[str, dict[str, Any]], today: str) -> list[Any]:
    overrides = {
        "workspace": str(office), "state": str(state), "today": today, "user.timezone": "Europe/Berlin",
        "user.home": "Berlin", "user.country": "DE",
    }  # fmt: skip

    async def every() -> list[Any]:
        agents = [agent() for agent in (Calendar, Communication, Documents, Orchestrator, Travel)]
        async with Runtime(load(environ={}, overrides=overrides), agents=agents) as runtime:
            return [await runtime.call(name, **arguments) for name, arguments in calls]

    return asyncio.run(every())


def test_the_plans_of_an_office_nobody_here_wrote(office, kept, capsys):
    """A week with events in it is briefed, planned and assessed; what was refused is named with its reason."""
    day = "2015-07-06"
    week, plan, risk, conflicts = asked(
        office, kept, ("briefing.weekly", {}), ("plan.day", {}), ("assess.risk", {}),
        ("calendar.conflicts", {"days": 60}), today=day,
    )  # fmt: skip
    with capsys.disabled():
        print(
            f"\n{week.sources.read} public files read, {week.sources.refused_count} refused; the week of {day}: "
            f"{week.headline} {len(conflicts.conflicts)} conflicts in 60 days; {risk.headline}"
        )
    assert "Sprint 25 Daily Standup" in plan.text
    assert {one.part for one in week.missing} == {"Contracts", "Payments"}
    assert all(refusal.reason for refusal in week.sources.refused)


def test_letters_and_bookings_of_mails_nobody_here_wrote(office, kept, capsys):
    """Promises are sentences of the mails, every conversation can be answered, and no booking is invented."""
    since = {"since": "1990-01-01"}
    promises, triage, bookings = asked(
        office, kept, ("communication.promises", since), ("communication.triage", since | {"limit": 200}),
        ("travel.bookings", {"day": "2015-01-01", "days": 345}), today="2026-05-12T07:30",
    )  # fmt: skip
    items = (*triage.answer, *triage.reading, *triage.suspicious)
    drafts = asked(
        office,
        kept,
        *(("communication.draft", {"message": item.message_id}) for item in items),
        today="2026-05-12T07:30",
    )
    with capsys.disabled():
        print(
            f"\n{triage.sources.read} public mail files read, {triage.sources.refused_count} refused; "
            f"{len(drafts)} drafts, {len(promises.mine) + len(promises.theirs)} open promises, {promises.kept} kept, "
            f"{len(promises.questions)} open questions, {len(bookings.bookings)} bookings"
        )
    assert drafts
    assert all(c.isprintable() or c == "\n" for draft in drafts for c in draft.text)
    assert all(draft.in_reply_to == item.message_id for draft, item in zip(drafts, items, strict=True))
    assert bookings.bookings == ()


async def test_moves_and_slots_in_calendars_nobody_here_wrote(office, tmp_path):
    """A schedule is optimised and slots are found, none of which anything busy overlaps."""
    overrides = {
        "workspace": str(office), "state": str(tmp_path), "today": "2015-07-05T08:00", "user.timezone": "Europe/Berlin",
    }  # fmt: skip
    async with Runtime(load(environ={}, overrides=overrides), agents=[Calendar()]) as runtime:
        slots = await runtime.call(
            "calendar.find_slot", people=[{"name": "Ann", "zone": "America/New_York"}], minutes=60
        )
        busy = (await runtime.call("calendar.freebusy", day="2015-07-05", days=7)).busy
        best = await runtime.call("calendar.optimise", moves="all", limit_s=2)
    assert slots.slots
    assert all(s.end <= b.start or s.start >= b.end for s in slots.slots for b in busy if not b.tentative)
    assert best.conflicts_after <= best.conflicts_before

"""The sample day asked for twice: the second time the caches answer, until something happens."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pea import Runtime
from pea.config import load
from pea.telemetry import names

WORKSPACE = Path(__file__).parents[2] / "examples" / "workspace"
DAY = (
    "briefing.morning",
    "calendar.agenda",
    "calendar.conflicts",
    "calendar.freebusy",
    "communication.triage",
    "travel.itinerary",
)


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    """The installed agents on a copy of the sample workspace."""
    workspace = tmp_path / "workspace"
    shutil.copytree(WORKSPACE, workspace, ignore=shutil.ignore_patterns(".pea"))
    settings = load(workspace / "pea.yaml", environ={}, overrides={"state": str(tmp_path / "state")})
    async with Runtime(settings) as running:
        yield running


async def tiers(runtime: Runtime) -> list[str]:
    """Run the day's tasks and give the tier that answered each lookup, in no order."""
    found = []
    for name in DAY:
        task, _ = await runtime.scheduler.run(name, {})
        assert task.state == "succeeded", task.error
        await runtime.telemetry.flush()
        spans = runtime.telemetry.recent.get(task.trace_id or "")
        found += [s.attributes[names.PEA_CACHE_TIER] for s in spans if s.name.startswith(names.SPAN_CACHE_LOOKUP)]
    return found


async def test_second_day_is_answered_from_the_caches(runtime: Runtime) -> None:
    """Over 85 % of the lookups are hits the second time."""
    await tiers(runtime)
    second = await tiers(runtime)
    assert len(second) >= len(DAY)
    assert second.count("none") / len(second) < 0.15


async def test_a_new_meeting_drops_what_depends_on_calendars_and_nothing_else(runtime: Runtime) -> None:
    """`meeting-created` makes calendar and travel answers stale; mail and documents stay."""
    await tiers(runtime)
    before = computed(runtime)
    dropped = await runtime.dispatcher.caches.emit("meeting-created")
    assert "calendar:*" in dropped.patterns
    assert dropped.removed > 0
    await tiers(runtime)
    dependent = {"calendar:agenda", "calendar:conflicts", "calendar:freebusy", "travel:itinerary"}
    assert computed(runtime) == {name: count * (1 + (name in dependent)) for name, count in before.items()}


def computed(runtime: Runtime) -> dict[str, int]:
    """How often each kind of value was worked out."""
    return {space.name: space.computed for space in runtime.dispatcher.caches.stats().namespaces}


async def test_a_changed_file_is_seen_at_once(runtime: Runtime) -> None:
    """Nobody has to tell: what the files say is part of what an answer is kept under."""
    before = await runtime.call("calendar.agenda")
    path = Path(runtime.settings.workspace) / "calendars" / "new.ics"
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:new", "DTSTART:20260512T150000Z", "DURATION:PT30M"]
    lines += ["SUMMARY:Something new", "END:VEVENT", "END:VCALENDAR", ""]
    await asyncio.to_thread(path.write_text, "\r\n".join(lines))
    after = await runtime.call("calendar.agenda")
    assert {entry.title for entry in after.entries} - {entry.title for entry in before.entries} == {"Something new"}

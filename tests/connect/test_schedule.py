"""A schedule in a real service: the briefing at its hour, kept over restarts, fired once whenever it is killed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from pea.cli import schedule
from pea.runtime.schedule import Shelf, made
from tests.connect.conftest import Office
from tests.connect.serving import Life

EVERY_MINUTE = "* * * * *"


def put(office: Office, ago_s: float, **more: Any) -> None:
    """A schedule made some time ago, as if the service had been down since."""
    now = time.time()
    entry = made(
        "news", EVERY_MINUTE, "Europe/Berlin", "calendar.agenda", b'{"days":2}', identity="x", now=now - ago_s, **more
    )
    Shelf(office.state).add(entry)


async def fired(office: Office, count: int) -> list[Any]:
    """What became of the times that were due, once so many are known."""
    shelf = Shelf(office.state)
    async with asyncio.timeout(30):
        while len(known := shelf.firings(50)) < count:
            await asyncio.sleep(0.05)  # the service notes them in a file
    return known


async def test_fired_by_the_service(office: Office) -> None:
    """What was due while it was down fires once, as a task of its own in the journal, in a trace that names it."""
    put(office, 130)
    async with Life(office, runtime={"agents": ["calendar"]}) as life:
        known = await fired(office, 2)
        tasks = (await life.send("GET", "/v1/tasks?all=true"))["tasks"]
    (late,) = [one for one in known if one.outcome in ("late", "fired")]
    assert [task["id"] for task in tasks] == [late.task]
    assert {one.outcome for one in known if one is not late} == {"missed"}


async def test_killed_again_and_again(office: Office) -> None:
    """However often the service is killed, a time that was due has one task."""
    put(office, 70)
    for _ in range(3):
        async with Life(office, runtime={"agents": ["calendar"]}) as life:
            await fired(office, 1)
    async with Life(office, runtime={"agents": ["calendar"]}) as life:
        tasks = (await life.send("GET", "/v1/tasks?all=true"))["tasks"]
    known = [one.task for one in Shelf(office.state).firings(50) if one.task]
    assert sorted(known) == sorted(task["id"] for task in tasks)
    assert len(set(known)) == len(known)


def test_commands(tmp_path: Path) -> None:
    """Add, list, next and remove, as a person types them; mistakes are told when they are made."""
    runner = CliRunner()

    def run(*words: str) -> tuple[int, str]:
        done = runner.invoke(schedule.command, [*words, "--state", str(tmp_path)])
        return done.exit_code, done.output if done.exception is None else f"{done.output}{done.exception}"

    own = ("--zone", "Europe/Berlin")
    code, told = run("add", "morning", "30 7 * * mon-fri", "briefing.morning", *own)
    assert (code, told.splitlines()[0]) == (0, "morning: briefing.morning at 30 7 * * mon-fri (Europe/Berlin)")
    assert "morning" in run("list")[1]
    code, told = run("next", "30 2 * * *", *own, "--count", "2", "--today", "2026-03-28T12:00")
    assert told.splitlines() == ["Sun 2026-03-29 03:00 CEST", "Mon 2026-03-30 02:30 CEST"]
    assert "there is one of this name" in run("add", "morning", EVERY_MINUTE, "calendar.agenda", *own)[1]
    assert "did you mean 'briefing.morning'?" in run("add", "x", EVERY_MINUTE, "briefing.mornin", *own)[1]
    assert "days" in run("add", "x", EVERY_MINUTE, "calendar.agenda", "days=0", *own)[1]
    assert "did you mean 'morning'?" in run("remove", "mornin")[1]
    assert run("remove", "morning")[0] == 0
    assert "no schedules" in run("list")[1]
